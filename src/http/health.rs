//! Is the process alive, and can it do its work?

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{AppState, answer};

/// The path that tells whether the service can do its work.
pub(crate) const READINESS_PATH: &str = "/readyz";
pub(super) const LIVENESS_PATH: &str = "/livez";

/// What the endpoints say of themselves.
#[derive(OpenApi)]
#[openapi(paths(live, ready))]
pub(super) struct HealthApi;

#[derive(Serialize, ToSchema)]
struct Health {
    status: Word,
}

#[derive(Serialize, ToSchema)]
struct Ready {
    status: Word,
    checks: Checks,
}

#[derive(Serialize, ToSchema)]
struct Checks {
    mongodb: Health,
    preparation: Health,
    privileges: Privileges,
}

/// Whether the database user has all privileges. Endpoints that lack one are refused; the others work.
#[derive(Serialize, ToSchema)]
struct Privileges {
    status: Word,
    /// Actions and the collection they are missing on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Word {
    Ok,
    Unavailable,
    Incomplete,
}

impl Word {
    fn of(good: bool) -> Self {
        if good { Self::Ok } else { Self::Unavailable }
    }
}

/// 200 as long as the process can answer at all.
#[utoipa::path(
    get,
    path = LIVENESS_PATH,
    tag = "health",
    operation_id = "live",
    summary = "Is the process alive?",
    responses((status = 200, description = "It is", body = Health, content_type = "application/json"))
)]
pub(super) async fn live() -> HttpResponse {
    answer::json(StatusCode::OK, &Health { status: Word::Ok })
}

/// 200 once the database was prepared and while it has a primary that answers within two seconds, else 503. The body has the shape of
/// Rocket.Chat's own `/readyz`.
#[utoipa::path(
    get,
    path = READINESS_PATH,
    tag = "health",
    operation_id = "ready",
    summary = "Can it do its work?",
    responses(
        (status = 200, description = "The database answers and is prepared", body = Ready, content_type = "application/json"),
        (status = 503, description = "One of both is not so", body = Ready, content_type = "application/json"),
    )
)]
pub(super) async fn ready(state: web::Data<AppState>) -> HttpResponse {
    let database = state.repositories.connection.ping().await.is_ok();
    let prepared = state.readiness.is_prepared();
    let missing: Vec<String> = state.readiness.missing().iter().map(ToString::to_string).collect();
    let status = if missing.is_empty() { Word::Ok } else { Word::Incomplete };
    let privileges = Privileges { status, missing };
    let health = |good| Health { status: Word::of(good) };
    let code = if database && prepared { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::json(
        code,
        &Ready {
            status: Word::of(database && prepared),
            checks: Checks { mongodb: health(database), preparation: health(prepared), privileges },
        },
    )
}
