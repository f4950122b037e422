//! The endpoints about imports.

mod add_users;
mod errors;
mod history;
mod lifecycle;
mod progress;
mod selection;
mod status;

use actix_web::HttpRequest;

use super::error::ApiError;

pub(super) use add_users::add_users;
pub(super) use errors::errors;
pub(super) use history::{current_operation, latest_operations, list_importers};
pub(super) use lifecycle::{clear, new, resume, run};
pub(super) use progress::progress;
pub(super) use selection::selection;
pub(super) use status::{UnknownStatusLog, status};

/// For the endpoints whose query schema allows no parameter.
fn require_empty_query(request: &HttpRequest) -> Result<(), ApiError> {
    if request.query_string().is_empty() {
        return Ok(());
    }
    Err(ApiError::InvalidQuery("must NOT have additional properties"))
}

fn operation_not_found(endpoint: &'static str) -> ApiError {
    ApiError::Coded { reason: "Import Operation Not Found".to_owned(), code: "error-operation-not-found", endpoint }
}

fn importer_not_defined(key: &str, endpoint: &'static str) -> ApiError {
    let reason = format!("The importer ({key}) has no import class defined.");
    ApiError::Coded { reason, code: "error-importer-not-defined", endpoint }
}
