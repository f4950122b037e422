//! `import.upload`: uploads after the protocol tus 1.0 (core, creation, termination, expiration), so that its clients work
//! as they are.
//!
//! Another user's upload is answered like one that is not there. While bytes come the caller is looked at
//! again and again. What was answered is stored by a majority.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HttpDate, LOCATION},
    },
    web,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    intake::{Broken, Intake},
    metadata::Metadata,
};
use crate::{
    domain::field_value::Date,
    engine::{Announced, FileWriter, UploadRefusal},
    http::{
        AppState,
        access::{
            authentication::{Authorized, RunImport},
            headers::text_of,
            rechecked::RecheckedAccess,
        },
        answer,
        error::ApiError,
        error_schemas::{Refusals, RoomRefusals, UploadRefusals},
        overload::leave_place,
    },
    repository::{StoredFile, Upload},
};

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,termination,expiration";
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
/// The operation that was begun with the upload. Ours.
const IMPORT_OPERATION: HeaderName = HeaderName::from_static("import-operation");
const METHOD_OVERRIDE: &str = "x-http-method-override";
const PIECE_TYPE: &str = "application/offset+octet-stream";
/// Bytes that an upload may have in memory without taking a place among the large buffers.
const SMALL_BUFFER_BYTES: usize = 64 * 1024;
/// How long bytes are gathered before they are stored, however few.
const GATHERING: Duration = Duration::from_secs(2);

/// An upload of the caller.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct UploadEntry {
    /// The last part of the upload's URL.
    id: String,
    file_name: String,
    importer_key: String,
    /// Bytes of the whole file.
    size: u64,
    /// Bytes that are stored.
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sha256: Option<String>,
    /// When it is removed if it is not complete by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expires_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Listed {
    uploads: Vec<UploadEntry>,
    success: bool,
}

/// Says what this service can do. It is there for everybody, as tus has it.
pub(in crate::http) async fn rules() -> HttpResponse {
    let mut response = tus(StatusCode::NO_CONTENT);
    response.insert_header(("tus-version", VERSION)).insert_header(("tus-extension", EXTENSIONS));
    response.finish()
}

/// Makes an upload.
#[utoipa::path(
    post,
    path = "/api/v1/import.upload",
    tag = "files",
    operation_id = "createUpload",
    summary = "Begin a resumable upload",
    description = "Ours, after tus 1.0. The header `Upload-Length` says how many bytes come, `Upload-Metadata` what they are: `filename`, `importerKey`, and if wanted `filetype`, `sha256` (hex digits of the whole file's) and `replace` (`true` ends an import that is in the way). With `purpose` `check` in place of `importerKey` it is for `import.check?upload=`: 50 MiB at most, and removed after an hour. The query may say the same. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(
        ("Tus-Resumable" = String, Header, description = "`1.0.0`"),
        ("Upload-Length" = u64, Header, description = "Bytes of the file"),
        ("Upload-Metadata" = Option<String>, Header, description = "Keys and Base64 texts")
    ),
    responses((status = 201, description = "`Location` is where its bytes go"), UploadRefusals, RoomRefusals, Refusals)
)]
pub(in crate::http) async fn announce(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let header = |name: &HeaderName| text_of(request.headers(), name.as_str());
    require_version(&request)?;
    let size = header(&UPLOAD_LENGTH).and_then(|length| length.parse().ok());
    let size = size.ok_or(ApiError::InvalidHeader("Upload-Length must say how many bytes the file has"))?;
    let text = header(&UPLOAD_METADATA).unwrap_or_default();
    let metadata = Metadata::read(&text, request.query_string())?;
    let announced = Announced {
        owner: &caller.caller.id,
        name: metadata.file_name.as_deref().unwrap_or_default(),
        content_type: metadata.content_type.as_deref(),
        size,
        purpose: metadata.purpose()?,
        sha256: metadata.sha256,
        metadata: &text,
    };
    let file = app.uploads.announce(&announced).await?;
    let mut response = tus(StatusCode::CREATED);
    response.insert_header((LOCATION, format!("/api/v1/import.upload/{}", file.id.0)));
    tell_expiry(&mut response, &file);
    Ok(response.finish())
}

/// Tells how much of an upload is there.
pub(in crate::http) async fn look_at(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    id: web::Path<String>,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    require_version(&request)?;
    let (file, upload) = app.uploads.upload_of(&caller.caller.id, &id).await?;
    let operation = app.uploads.operation_with(&file.id).await?;
    let mut response = tus(StatusCode::OK);
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((UPLOAD_OFFSET, file.length))
        .insert_header((UPLOAD_LENGTH, upload.size));
    if !upload.metadata.is_empty() {
        response.insert_header((UPLOAD_METADATA, upload.metadata.as_str()));
    }
    if let Some(id) = operation.as_ref().and_then(|operation| operation.id()) {
        response.insert_header((IMPORT_OPERATION, id));
    }
    tell_expiry(&mut response, &file);
    Ok(response.finish())
}

/// Adds bytes to an upload, and begins the import when they are the last.
#[utoipa::path(
    patch,
    path = "/api/v1/import.upload/{id}",
    tag = "files",
    operation_id = "addToUpload",
    summary = "Send bytes of an upload",
    description = "Ours, after tus 1.0. What comes is stored also if the connection breaks. With the last byte the file is checked, whatever is going on is ended, and loading begins; while an import is in the way (loading, ready, running, or over with failed users) that is refused with 409 and the bytes stay, unless the upload or the query says `replace=true`. An upload for a check begins nothing: it is checked, and can be read by `import.check?upload=`. A request without bytes at the end tries again. `HEAD` tells `Upload-Offset`. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(
        ("id" = String, Path, description = "The last part of the upload's URL"),
        ("Tus-Resumable" = String, Header, description = "`1.0.0`"),
        ("Upload-Offset" = u64, Header, description = "Where the bytes belong")
    ),
    request_body(content = String, content_type = "application/offset+octet-stream"),
    responses((status = 204, description = "`Upload-Offset` is where it goes on"), UploadRefusals, RoomRefusals, Refusals)
)]
pub(in crate::http) async fn add(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    require_version(&request)?;
    if text_of(request.headers(), CONTENT_TYPE.as_str()).is_none_or(|kind| !kind.eq_ignore_ascii_case(PIECE_TYPE)) {
        return Err(ApiError::UnsupportedBody("The body must be sent as application/offset+octet-stream"));
    }
    let offset = text_of(request.headers(), UPLOAD_OFFSET.as_str()).and_then(|offset| offset.parse().ok());
    let offset = offset.ok_or(ApiError::InvalidHeader("Upload-Offset must say where the bytes belong"))?;
    let user_id = &caller.caller.id;
    let (file, upload) = app.uploads.upload_of(user_id, &id).await?;
    let mut writer = app.uploads.go_on(&file, offset)?;
    let intake = Intake::new(payload, RecheckedAccess::of::<RunImport>(&request)?);
    leave_place(&request);
    let received = receive(intake, &mut writer, &upload, &app).await;
    // What came is kept, however the rest ended.
    let flushed = writer.flush().await;
    received?;
    flushed?;
    let length = writer.length();
    let mut response = tus(StatusCode::NO_CONTENT);
    if length == upload.size {
        let replaces = Metadata::read("", request.query_string())?.replaces;
        if let Some(operation) = app.uploads.finish(user_id, &id, replaces).await? {
            response.insert_header((IMPORT_OPERATION, operation));
        }
    }
    response.insert_header((UPLOAD_OFFSET, length));
    tell_expiry(&mut response, &file);
    Ok(response.finish())
}

async fn receive(mut intake: Intake, writer: &mut FileWriter, upload: &Upload, app: &AppState) -> Result<(), ApiError> {
    let mut buffer = None;
    loop {
        let next = if writer.waiting() == 0 {
            Some(intake.next(&app.repositories).await)
        } else {
            intake.next_within(GATHERING, &app.repositories).await
        };
        let piece = match next {
            None => {
                writer.flush().await?;
                buffer = None;
                continue;
            }
            Some(Ok(Some(piece))) => piece,
            Some(Ok(None)) => return Ok(()),
            Some(Err(Broken::Refused(refusal))) => return Err(refusal),
            Some(Err(Broken::Off)) => return Err(ApiError::BodyTooSlow),
        };
        if writer.length() + piece.len() as u64 > upload.size {
            return Err(UploadRefusal::BeyondTheEnd { size: upload.size }.into());
        }
        if buffer.is_none() && writer.waiting() + piece.len() > SMALL_BUFFER_BYTES {
            buffer = app.uploads.large_buffer().await;
        }
        writer.write(&piece).await?;
        if writer.waiting() == 0 {
            buffer = None;
        }
    }
}

/// Removes an upload.
#[utoipa::path(
    delete,
    path = "/api/v1/import.upload/{id}",
    tag = "files",
    operation_id = "removeUpload",
    summary = "Remove an upload",
    description = "Ours, after tus 1.0. An upload that an import reads is not removed (409). Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(("id" = String, Path, description = "The last part of the upload's URL")),
    responses((status = 204, description = "It is gone"), UploadRefusals, Refusals)
)]
pub(in crate::http) async fn remove(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    id: web::Path<String>,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    require_version(&request)?;
    let (file, _) = app.uploads.upload_of(&caller.caller.id, &id).await?;
    app.uploads.terminate(&file).await?;
    Ok(tus(StatusCode::NO_CONTENT).finish())
}

/// Does what the header `X-HTTP-Method-Override` says, for clients that can only send `POST`.
pub(in crate::http) async fn overridden(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    match text_of(request.headers(), METHOD_OVERRIDE).as_deref() {
        Some("PATCH") => add(caller, request, id, payload, app).await,
        Some("DELETE") => remove(caller, request, id, app).await,
        Some("HEAD") => look_at(caller, request, id, app).await,
        _ => Ok(answer::not_found()),
    }
}

/// Lists the caller's uploads.
#[utoipa::path(
    get,
    path = "/api/v1/import.upload",
    tag = "files",
    operation_id = "listUploads",
    summary = "The caller's uploads",
    description = "Ours. Those for imports that can be gone on with, and those whose file is kept. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "The uploads, the oldest first",
            body = Listed,
            content_type = "application/json",
            example = json!({ "uploads": [], "success": true })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn uploads(
    caller: Authorized<RunImport>,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let found = app.uploads.uploads_of(&caller.caller.id).await?;
    let uploads = found.into_iter().map(|(file, upload, importer_key)| UploadEntry {
        expires_at: file.expires_at().and_then(Date::to_iso_8601),
        id: file.id.0,
        file_name: file.name,
        importer_key,
        size: upload.size,
        offset: file.length,
        sha256: upload.sha256,
    });
    Ok(answer::action(&Listed { uploads: uploads.collect(), success: true }))
}

fn tus(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((RESUMABLE, VERSION));
    response
}

fn require_version(request: &HttpRequest) -> Result<(), ApiError> {
    match text_of(request.headers(), RESUMABLE.as_str()).as_deref() {
        Some(VERSION) => Ok(()),
        _ => Err(ApiError::OtherProtocol),
    }
}

fn tell_expiry(response: &mut HttpResponseBuilder, file: &StoredFile) {
    if let Some(expires_at) = file.expires_at() {
        response.insert_header((UPLOAD_EXPIRES, http_date(expires_at).to_string()));
    }
}

fn http_date(date: Date) -> HttpDate {
    let millis = u64::try_from(date.epoch_millis()).unwrap_or_default();
    HttpDate::from(std::time::UNIX_EPOCH + Duration::from_millis(millis))
}
