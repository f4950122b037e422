//! `GET getImportProgress`: the numbers alone.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::{
    super::{
        AppState, answer,
        authentication::{Authorized, RunImport},
        error::ApiError,
    },
    newest_with_importer, require_empty_query,
};

const ENDPOINT: &str = "getImportProgress";

/// Importer, step and counts of the newest operation.
pub(in crate::http) async fn progress(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    require_empty_query(&request)?;
    let (operation, importer) = newest_with_importer(&caller, &app, ENDPOINT).await?;
    let counts = operation.counts();
    Ok(answer::action(&json!({
        "key": importer.key(),
        "name": importer.name(),
        "step": operation.status(),
        "count": { "completed": counts.completed, "total": operation.count("total"), "error": counts.error },
        "success": true,
    })))
}
