//! `GET getImportProgress`: the numbers alone.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{
    AppState,
    access::authentication::{Authorized, RunImport},
    answer,
    error::ApiError,
    error_schemas::Refusals,
    import::{newest_with_importer, require_empty_query},
};

const ENDPOINT: &str = "getImportProgress";

#[derive(Serialize, ToSchema)]
pub(super) struct Progress<'a> {
    key: &'static str,
    name: &'static str,
    step: &'a str,
    count: ProgressCount,
    success: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ProgressCount {
    completed: u64,
    total: u64,
    error: u64,
}

/// Importer, step and counts of the newest operation.
#[utoipa::path(
    get,
    path = "/api/v1/getImportProgress",
    tag = "import",
    operation_id = "getImportProgress",
    summary = "The numbers of the newest import",
    description = "What is not stored reads 0. Takes no query parameter: one is a 400. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "Importer, step and counts",
            body = Progress,
            content_type = "application/json",
            example = json!({
                "key": "api",
                "name": "API",
                "step": "importer_user_selection",
                "count": { "completed": 0, "total": 2, "error": 0 },
                "success": true
            })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn progress(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    require_empty_query(&request)?;
    let (operation, importer) = newest_with_importer(&caller, &app, ENDPOINT).await?;
    let counts = operation.counts();
    Ok(answer::action(&Progress {
        key: importer.key(),
        name: importer.name(),
        step: operation.status(),
        count: ProgressCount { completed: counts.completed, total: operation.count("total"), error: counts.error },
        success: true,
    }))
}
