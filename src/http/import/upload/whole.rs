//! `POST uploadImportFile`: a file as Base64 in JSON.
//!
//! Source: `apps/meteor/server/meteor-methods/import/uploadImportFile.ts`.

use actix_web::{HttpRequest, HttpResponse, http::header::CONTENT_LENGTH, web};
use tokio::{runtime::Handle, sync::mpsc, task::spawn_blocking};
use utoipa::ToSchema;

use super::{
    body::{self, Reading, Sent},
    intake::{Broken, Intake},
};
use crate::{
    engine::{Arrived, UploadRefusal, known_importer},
    http::{
        AppState,
        access::{
            authentication::{Authorized, RunImport},
            rechecked::RecheckedAccess,
        },
        answer::{self, SUCCESS, Success},
        error::ApiError,
        error_schemas::{BodyRefusals, Refusals, RoomRefusals},
        overload::leave_place,
    },
};

const ENDPOINT: &str = "uploadImportFile";
/// Pieces of the body that wait to be read.
const PIECES: usize = 4;

/// A file, and the importer that reads it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) struct UploadBody {
    /// The file as Base64.
    binary_content: String,
    /// The file's media type; may be empty.
    content_type: String,
    /// The file's name.
    file_name: String,
    /// One of those that `importers.list` tells.
    importer_key: String,
}

/// Takes a file and begins the import with it.
#[utoipa::path(
    post,
    path = "/api/v1/uploadImportFile",
    tag = "files",
    operation_id = "uploadImportFile",
    summary = "Upload a file as Base64",
    description = "Stores the file, ends whatever is going on, and makes a new operation whose data are loaded from the file. Nothing changes before the file is complete. The body is read as it comes, in any order of its fields, up to `UPLOAD_LIMIT_MB` of file. For large files there is `import.upload`. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    request_body(content = UploadBody, content_type = "application/json"),
    responses(
        (
            status = 200,
            description = "The file is there, and loading begins",
            body = Success,
            content_type = "application/json",
            example = json!({ "success": true })
        ),
        BodyRefusals,
        RoomRefusals,
        Refusals
    )
)]
pub(in crate::http) async fn upload_import_file(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let told = request.headers().get(CONTENT_LENGTH).and_then(|told| told.to_str().ok()?.parse::<u64>().ok());
    // Four letters stand for three bytes.
    let expected = told.map(|told| told / 4 * 3);
    app.uploads.within_limit(expected.unwrap_or_default())?;
    let user_id = caller.caller.id;
    let reading =
        Reading { uploads: app.uploads.clone(), owner: user_id.clone(), expected, runtime: Handle::current() };
    let intake = Intake::new(payload, RecheckedAccess::of::<RunImport>(&request)?);
    leave_place(&request);
    let Sent { content_type, file_name, importer_key, file } =
        receive(intake, reading, &app).await.map_err(at_this_endpoint)?;
    let importer = known_importer(&importer_key).map_err(ApiError::from).map_err(at_this_endpoint)?;
    let arrived = Arrived { user_id: &user_id, importer, name: &file_name, content_type: Some(content_type.as_str()) };
    app.uploads.begin_with(file, &arrived).await?;
    Ok(answer::action(&SUCCESS))
}

/// Hands the pieces of the body to the thread that reads it.
async fn receive(mut intake: Intake, reading: Reading, app: &AppState) -> Result<Sent, ApiError> {
    let (sender, pieces) = mpsc::channel(PIECES);
    let read = spawn_blocking(move || body::read(pieces, &reading));
    let broken = loop {
        match intake.next(&app.repositories).await {
            // It has read enough to refuse the body.
            Ok(Some(piece)) => {
                if sender.send(piece).await.is_err() {
                    break None;
                }
            }
            Ok(None) => break None,
            Err(broken) => break Some(broken),
        }
    };
    // What was read so far is no JSON then, so the file is removed.
    drop(sender);
    let read = read.await.unwrap_or_else(|_| Err(ApiError::Rejected("The body could not be read")));
    match (read, broken) {
        (_, Some(Broken::Refused(refusal))) => Err(refusal),
        (Err(_), Some(Broken::Off)) => Err(ApiError::BodyTooSlow),
        (read, _) => read,
    }
}

/// Rocket.Chat tells an importer that is not known with the name of the endpoint.
pub(super) fn at_this_endpoint(error: ApiError) -> ApiError {
    at(ENDPOINT, error)
}

/// The same for another endpoint.
pub(super) fn at(endpoint: &'static str, error: ApiError) -> ApiError {
    match error {
        ApiError::Upload(refusal @ UploadRefusal::UnknownImporter(_)) => {
            ApiError::Coded { reason: refusal.to_string(), code: "error-importer-not-defined", endpoint }
        }
        error => error,
    }
}
