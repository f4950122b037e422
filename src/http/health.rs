//! Is the process alive, and can it do its work?

use actix_web::{HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::{AppState, answer, deadline::Deadline};

/// The path that tells whether the service can do its work.
pub(crate) const READINESS_PATH: &str = "/readyz";
pub(super) const LIVENESS_PATH: &str = "/livez";

/// 200 as long as the process can answer at all.
pub(super) async fn live() -> HttpResponse {
    answer::json(StatusCode::OK, &json!({ "status": "ok" }))
}

/// 200 once the database was prepared and while it has a primary that answers, else 503. The body has the shape of
/// Rocket.Chat's own `/readyz`.
pub(super) async fn ready(state: web::Data<AppState>) -> HttpResponse {
    let database = Deadline::from_now().bound(state.repositories.connection.ping()).await.is_ok();
    let prepared = state.readiness.is_prepared();
    let word = |good| if good { "ok" } else { "unavailable" };
    let code = if database && prepared { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::json(
        code,
        &json!({
            "status": word(database && prepared),
            "checks": { "mongodb": { "status": word(database) }, "preparation": { "status": word(prepared) } },
        }),
    )
}
