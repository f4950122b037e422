//! The REST API: Rocket.Chat's paths, headers and bodies over the repositories.

mod access_log;
mod answer;
mod authentication;
mod deadline;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod guards;
mod header_text;
mod health;
mod import;
mod json;
mod openapi;
mod overload;
mod page;
pub(crate) mod readiness;
mod request_metrics;
mod routes;
mod standing_access;
pub(crate) mod startup;
mod unread_body;

pub(crate) use health::READINESS_PATH;
pub(crate) use import::status_body;

use crate::{domain::client_address::Proxies, engine::Engine, live::Hub, repository::Repositories};

/// What every request handler shares.
#[derive(Debug)]
struct AppState {
    repositories: Repositories,
    engine: Engine,
    live: Hub,
    readiness: readiness::Readiness,
    proxies: Proxies,
    rate_limiter: guards::RateLimiter,
    unknown_statuses: import::UnknownStatusLog,
}
