//! The endpoints about imports.

mod add_users;
mod body_faults;
mod check;
mod failed_users;
mod history;
mod leavers;
mod lifecycle;
mod list_part;
mod pending;
mod progress;
mod receipt;
mod receipt_messages;
mod report;
mod run_body;
mod source;
mod staged_data;
mod staged_origin;
mod start;
mod status;
mod status_stream;
mod template;
pub(in crate::http) mod upload;
mod verify;

use std::sync::Arc;

use actix_web::HttpRequest;
use utoipa::OpenApi;

use crate::{
    domain::{importer::Importer, operation::Operation},
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        error::ApiError,
    },
    wire::status::LiveStatus,
};

pub(super) use add_users::add_users;
pub(super) use check::{Checks, check};
pub(super) use failed_users::errors;
pub(super) use history::{current_operation, latest_operations, list_importers};
pub(super) use leavers::leavers;
pub(super) use lifecycle::{clear, new, resume, run};
pub(super) use pending::{download_avatars, download_files};
pub(super) use progress::progress;
pub(super) use receipt::receipt;
pub(super) use report::report;
pub(super) use source::{missing, source};
pub(super) use staged_data::selection;
pub(super) use start::start_import;
pub(super) use status::{UnknownStatusLog, status};
pub(super) use status_stream::status_stream;
pub(super) use template::users_template;
pub(super) use verify::verify_import;
#[cfg(feature = "fuzzing")]
pub(super) use {add_users::users_in as users_in_body, list_part::part_of_list};

/// What the endpoints say of themselves.
#[derive(OpenApi)]
#[openapi(
    components(schemas(
        LiveStatus,
        receipt_messages::MessagesReceipt,
        receipt_messages::ReceiptPlace,
        verify::DifferenceLine,
        verify::SummaryLine,
        check::CheckedLine,
        check::FileFormat,
        check::FileSource,
        check::ImportIdSource,
        receipt::Receipt,
        receipt::ReceiptContent,
        receipt_messages::ReceiptFormat,
        run_body::MatchField,
        run_body::OnExistingRule,
        run_body::OnUsernameTakenRule,
        run_body::ProtectedColumn,
        template::TemplateFormat,
        upload::UploadBody,
        upload::DownloadBody,
        upload::UploadEntry
    )),
    paths(
        status::status,
        status_stream::status_stream,
        lifecycle::new,
        template::users_template,
        check::check,
        add_users::add_users,
        lifecycle::run,
        start::start_import,
        source::source,
        source::missing,
        leavers::leavers,
        lifecycle::clear,
        lifecycle::resume,
        pending::download_files,
        pending::download_avatars,
        failed_users::errors,
        receipt::receipt,
        report::report,
        verify::verify_import,
        progress::progress,
        staged_data::selection,
        upload::upload_import_file,
        upload::download_public_import_file,
        upload::announce,
        upload::uploads,
        upload::add,
        upload::remove,
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
