//! `GET getCurrentImportOperation`, `getLatestImportOperations`, `importers.list`: what there is and was.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;

use super::{
    super::{
        AppState, answer,
        authentication::{Authorized, RunImport, ViewImportOperations},
        error::ApiError,
        json::JsonObject,
    },
    require_empty_query,
};
use crate::domain::importer::Importer;

#[derive(Serialize)]
struct Current<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<JsonObject<'a>>,
    success: bool,
}

/// The newest operation as it is stored.
pub(in crate::http) async fn current_operation(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    require_empty_query(&request)?;
    let newest = caller.deadline.bound(app.repositories.imports.newest()).await?;
    let operation = newest.as_ref().map(|operation| JsonObject(&operation.fields));
    Ok(answer::action(&Current { operation, success: true }))
}

/// The operations that changed last: a bare array, as in Rocket.Chat.
pub(in crate::http) async fn latest_operations(
    caller: Authorized<ViewImportOperations>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    require_empty_query(&request)?;
    let history = caller.deadline.bound(app.repositories.imports.history()).await?;
    let operations: Vec<_> = history.iter().map(|operation| JsonObject(&operation.fields)).collect();
    Ok(answer::action(&operations))
}

/// The importers a person can choose from: a bare array, as in Rocket.Chat.
pub(in crate::http) async fn list_importers(
    _: Authorized<RunImport>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    require_empty_query(&request)?;
    let listed = Importer::ALL.into_iter().filter(|importer| importer.is_listed());
    let importers: Vec<_> = listed.map(|importer| json!({ "key": importer.key(), "name": importer.name() })).collect();
    Ok(answer::action(&importers))
}
