//! `GET getCurrentImportOperation`, `getLatestImportOperations`, `importers.list`: what there is and was.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::importer::Importer,
    http::{
        AppState,
        access::authentication::{Authorized, RunImport, ViewImportOperations},
        answer,
        error::ApiError,
        error_schemas::Refusals,
        import::require_empty_query,
    },
    wire::{
        json::JsonObject,
        schemas::{StoredOperation, example_operation},
    },
};

#[derive(Serialize, ToSchema)]
pub(super) struct Current<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StoredOperation>, nullable = false)]
    operation: Option<JsonObject<'a>>,
    success: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ListedImporter {
    key: &'static str,
    name: &'static str,
}

/// The newest operation as it is stored.
#[utoipa::path(
    get,
    path = "/api/v1/getCurrentImportOperation",
    tag = "history",
    operation_id = "getCurrentImportOperation",
    summary = "The newest operation",
    description = "Takes no query parameter: one is a 400. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "The operation; missing if there never was one",
            body = Current,
            content_type = "application/json",
            example = json!({ "operation": example_operation(), "success": true })
        ),
        Refusals
    )
)]
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
#[utoipa::path(
    get,
    path = "/api/v1/getLatestImportOperations",
    tag = "history",
    operation_id = "getLatestImportOperations",
    summary = "The twenty operations that changed last",
    description = "A bare array, the latest first. Takes no query parameter: one is a 400. Permission `view-import-operations`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "The operations",
            body = Vec<StoredOperation>,
            content_type = "application/json",
            example = json!([])
        ),
        Refusals
    )
)]
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
#[utoipa::path(
    get,
    path = "/api/v1/importers.list",
    tag = "history",
    operation_id = "listImporters",
    summary = "The importers that read files",
    description = "Those of Rocket.Chat, and `records`, which is ours. A bare array. Takes no query parameter: one is a 400. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "The importers",
            body = Vec<ListedImporter>,
            content_type = "application/json",
            example = json!([
                { "key": "csv", "name": "CSV" },
                { "key": "slack", "name": "Slack" },
                { "key": "slack-users", "name": "Slack_Users" },
                { "key": "omnichannel_contact", "name": "omnichannel_contacts_importer" },
                { "key": "records", "name": "Records" }
            ])
        ),
        Refusals
    )
)]
pub(in crate::http) async fn list_importers(
    _: Authorized<RunImport>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    require_empty_query(&request)?;
    let listed = Importer::ALL.into_iter().filter(|importer| importer.reads_files());
    let importers: Vec<_> =
        listed.map(|importer| ListedImporter { key: importer.key(), name: importer.name() }).collect();
    Ok(answer::action(&importers))
}
