//! The endpoints about imports.

mod add_users;
mod errors;
mod history;
mod lifecycle;
mod progress;
mod selection;
mod status;
mod status_body;
mod status_stream;

use std::sync::Arc;

use actix_web::HttpRequest;
use utoipa::OpenApi;

use super::{
    AppState,
    authentication::{Authorized, RunImport},
    error::ApiError,
};
use crate::domain::{importer::Importer, operation::Operation};

pub(super) use add_users::add_users;
pub(super) use errors::errors;
pub(super) use history::{current_operation, latest_operations, list_importers};
pub(super) use lifecycle::{clear, new, resume, run};
pub(super) use progress::progress;
pub(super) use selection::selection;
pub(super) use status::{UnknownStatusLog, status};
pub(super) use status_body::live_status;
pub(crate) use status_body::status_body;
pub(super) use status_stream::status_stream;
#[cfg(feature = "fuzzing")]
pub(super) use {add_users::users_in as users_in_body, errors::part_of_list};

/// What the endpoints say of themselves.
#[derive(OpenApi)]
#[openapi(
    components(schemas(status_body::LiveStatus)),
    paths(
        status::status,
        status_stream::status_stream,
        lifecycle::new,
        add_users::add_users,
        lifecycle::run,
        lifecycle::clear,
        lifecycle::resume,
        errors::errors,
        progress::progress,
        selection::selection,
        history::current_operation,
        history::latest_operations,
        history::list_importers,
    )
)]
pub(super) struct ImportApi;

/// For the endpoints whose query schema allows no parameter.
fn require_empty_query(request: &HttpRequest) -> Result<(), ApiError> {
    takes_no_parameters(request.query_string())
}

pub(super) fn takes_no_parameters(query: &str) -> Result<(), ApiError> {
    if query.is_empty() {
        return Ok(());
    }
    Err(ApiError::InvalidQuery("must NOT have additional properties"))
}

/// The newest operation and the importer that fills it, for the endpoints that want both.
async fn newest_with_importer(
    caller: &Authorized<RunImport>,
    app: &AppState,
    endpoint: &'static str,
) -> Result<(Arc<Operation>, Importer), ApiError> {
    let coded = |reason, code| ApiError::Coded { reason, code, endpoint };
    let newest = caller.deadline.bound(app.repositories.imports.newest()).await?;
    let operation =
        newest.ok_or_else(|| coded("Import Operation Not Found".to_owned(), "error-operation-not-found"))?;
    let importer = operation.importer().ok_or_else(|| {
        let reason = format!("The importer ({}) has no import class defined.", operation.importer_key());
        coded(reason, "error-importer-not-defined")
    })?;
    Ok((operation, importer))
}
