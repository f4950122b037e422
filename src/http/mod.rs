//! The REST API: Rocket.Chat's paths, headers and bodies over the repositories.

mod access;
mod answer;
mod error;
mod error_schemas;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod health;
mod import;
mod middleware;
mod openapi;
mod overload;
mod page;
mod refused_users;
mod routes;
pub(crate) mod startup;
mod streamed;

pub(crate) use health::READINESS_PATH;

use actix_web::{HttpRequest, web};

use crate::{
    domain::api::client_address::Proxies,
    engine::{Engine, Uploads},
    live::StatusFeed,
    metrics::RequestMetrics,
    repository::{Repositories, setup::Readiness},
};

/// What every request handler shares.
#[derive(Debug)]
struct AppState {
    repositories: Repositories,
    engine: Engine,
    uploads: Uploads,
    live: StatusFeed,
    readiness: Readiness,
    proxies: Proxies,
    rate_limiter: middleware::rate_limit::RateLimiter,
    unknown_statuses: import::UnknownStatusLog,
    streams: streamed::Streams,
    checks: import::Checks,
    overload: web::Data<overload::Overload>,
    /// `None` where no metrics are served.
    requests: Option<RequestMetrics>,
}

/// The state that [`startup`] gives to every request.
///
/// # Panics
/// When it was not given: a mistake of this program, and no outage that a caller could wait for.
#[allow(clippy::expect_used, reason = "no input leads there")]
fn app(request: &HttpRequest) -> &AppState {
    request.app_data::<web::Data<AppState>>().expect("startup puts the state into the application")
}
