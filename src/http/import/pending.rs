//! `POST downloadPendingFiles` and `POST downloadPendingAvatars`: what an import left to be fetched.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body_faults::additional;
use crate::{
    domain::importer::Importer,
    http::{
        AppState,
        access::{
            authentication::{Authorized, RunImport},
            deadline::bound_write,
        },
        answer,
        error::ApiError,
        error_schemas::Refusals,
        overload::{Body, Overload},
    },
};

/// More than an empty object has.
const BODY_BYTES: usize = 64 * 1024;

#[derive(Serialize, ToSchema)]
#[schema(as = FetchBegun)]
pub(super) struct Begun {
    /// Messages that wait for files, or people who wait for pictures.
    count: u64,
    success: bool,
}

/// Begins to fetch the files of imported messages.
///
/// Source: `apps/meteor/server/meteor-methods/import/downloadPendingFiles.ts`.
#[utoipa::path(
    post,
    path = "/api/v1/downloadPendingFiles",
    tag = "import",
    operation_id = "downloadPendingFiles",
    summary = "Fetch the files of imported messages",
    description = "Begins an operation `Pending Files` that fetches every file that imported messages wait for, and answers at once with the number of messages. Nothing that is staged is removed. While such an operation goes on, the answer is its number. Refused while an import is under way. The body is an empty object. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    request_body(content = Option<Value>, content_type = "application/json", description = "Need not be there", example = json!({})),
    responses(
        (
            status = 200,
            description = "It goes on, unless the number is 0",
            body = Begun,
            content_type = "application/json",
            example = json!({ "count": 12, "success": true })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn download_files(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<AppState>,
    overload: web::Data<Overload>,
) -> Result<HttpResponse, ApiError> {
    require_empty_object(&request, body, &overload).await?;
    begin(&caller, &app, Importer::PendingFiles).await
}

/// Begins to fetch the pictures of imported people.
///
/// Source: `apps/meteor/server/meteor-methods/import/downloadPendingAvatars.ts`.
#[utoipa::path(
    post,
    path = "/api/v1/downloadPendingAvatars",
    tag = "import",
    operation_id = "downloadPendingAvatars",
    summary = "Fetch the pictures of imported people",
    description = "Begins an operation `Pending Avatars` that fetches the picture of every account that waits for one, and answers at once with their number. Somebody who has a picture keeps it. Otherwise as `downloadPendingFiles`. The body is an empty object. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    request_body(content = Option<Value>, content_type = "application/json", description = "Need not be there", example = json!({})),
    responses(
        (
            status = 200,
            description = "It goes on, unless the number is 0",
            body = Begun,
            content_type = "application/json",
            example = json!({ "count": 3, "success": true })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn download_avatars(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<AppState>,
    overload: web::Data<Overload>,
) -> Result<HttpResponse, ApiError> {
    require_empty_object(&request, body, &overload).await?;
    begin(&caller, &app, Importer::PendingAvatars).await
}

async fn begin(caller: &Authorized<RunImport>, app: &AppState, importer: Importer) -> Result<HttpResponse, ApiError> {
    let count = bound_write(app.engine.operations().fetch(&caller.caller.id, importer)).await?;
    Ok(answer::action(&Begun { count, success: true }))
}

/// A body that is missing counts as an empty object, as in Rocket.Chat.
async fn require_empty_object(
    request: &HttpRequest,
    body: web::Payload,
    overload: &web::Data<Overload>,
) -> Result<(), ApiError> {
    let Body { bytes, room: _room } = overload.read_body(request, body, BODY_BYTES).await?;
    let wrong = |problem: &str| ApiError::InvalidBody { problem: problem.to_owned(), path: None };
    if bytes.is_empty() {
        return Ok(());
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(fields)) if fields.is_empty() => Ok(()),
        Ok(Value::Object(fields)) => Err(additional(fields.keys().map(String::as_str), "none")),
        _ => Err(wrong("must be object")),
    }
}
