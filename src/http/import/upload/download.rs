//! `POST downloadPublicImportFile`: a file from a URL, or of the server.
//!
//! Source: `apps/meteor/server/meteor-methods/import/downloadPublicImportFile.ts`. Rocket.Chat answers before the file is
//! there; here the answer is what says that it is.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;
use utoipa::ToSchema;

use super::{super::body_faults::additional, whole::at};
use crate::{
    engine::{Arrived, UploadRefusal, known_importer},
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        answer::{self, SUCCESS, Success},
        error::ApiError,
        error_schemas::{BodyRefusals, Refusals, RoomRefusals},
        overload::{Body, Overload},
    },
};

/// Rocket.Chat's name in errors about importers; those about paths have the endpoint's.
const ENDPOINT: &str = "downloadImportFile";
const PATH_ENDPOINT: &str = "downloadPublicImportFile";
/// More than a URL and a key have.
const BODY_BYTES: usize = 64 * 1024;
const FIELDS: [&str; 2] = ["fileUrl", "importerKey"];

/// The place of a file, and the importer that reads it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) struct DownloadBody {
    /// An `http` or `https` URL, or the path of a file of the server below `IMPORT_FOLDER`.
    file_url: String,
    /// One of those that `importers.list` tells.
    importer_key: String,
}

/// Fetches a file, or takes one of the server, and begins the import with it.
#[utoipa::path(
    post,
    path = "/api/v1/downloadPublicImportFile",
    tag = "files",
    operation_id = "downloadPublicImportFile",
    summary = "Take a file from a URL or the server",
    description = "A URL is fetched, up to five redirects and `UPLOAD_LIMIT_MB`; private and link-local addresses only where Rocket.Chat's setting `SSRF_Allowlist` names them. Anything that does not begin with `http` is the path of a file below `IMPORT_FOLDER`, which is read where it is. The answer comes when the file is there; nothing changes before. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    request_body(content = DownloadBody, content_type = "application/json"),
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
pub(in crate::http) async fn download_public_import_file(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<AppState>,
    overload: web::Data<Overload>,
) -> Result<HttpResponse, ApiError> {
    let Body { bytes, room: _room } = overload.read_body(&request, body, BODY_BYTES).await?;
    let [file_url, importer_key] = fields_of(&bytes)?;
    let importer = known_importer(&importer_key).map_err(|refusal| at(ENDPOINT, refusal.into()))?;
    let name = last_segment(&file_url);
    let arrived = Arrived { user_id: &caller.caller.id, importer, name, content_type: None };
    let begun = if file_url.starts_with("http") {
        app.uploads.begin_with_url(&file_url, &arrived).await
    } else {
        app.uploads.begin_with_path(&file_url, &arrived).await
    };
    match begun {
        Ok(_) => Ok(answer::action(&SUCCESS)),
        Err(UploadRefusal::NoSuchPath(path)) => {
            Err(ApiError::Coded { reason: path, code: "error-import-file-missing", endpoint: PATH_ENDPOINT })
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// What follows the last slash, without a query.
fn last_segment(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

fn fields_of(body: &[u8]) -> Result<[String; 2], ApiError> {
    let wrong = |problem: String, path: Option<&str>| ApiError::InvalidBody { problem, path: path.map(str::to_owned) };
    let body: Value =
        serde_json::from_slice(body).map_err(|error| wrong(format!("the body is not valid JSON: {error}"), None))?;
    let Value::Object(body) = body else { return Err(wrong("must be object".to_owned(), Some(""))) };
    if let Some(absent) = FIELDS.iter().find(|field| !body.contains_key(**field)) {
        return Err(wrong(format!("must have required property '{absent}'"), Some("")));
    }
    let mut others = body.keys().map(String::as_str).filter(|name| !FIELDS.contains(name)).peekable();
    if others.peek().is_some() {
        return Err(additional(others, &format!("{} alone", FIELDS.join(" and "))));
    }
    let text = |name: &str| match body.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err(wrong("must be string".to_owned(), Some(&format!("/{name}")))),
    };
    Ok([text(FIELDS[0])?, text(FIELDS[1])?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_the_last_part_of_its_place() {
        for (url, name) in [
            ("https://files.example/a/export.zip?token=x/y", "export.zip"),
            ("/srv/imports/export.zip", "export.zip"),
            ("export.zip", "export.zip"),
            ("https://files.example/", ""),
        ] {
            assert_eq!(last_segment(url), name, "{url}");
        }
    }
}
