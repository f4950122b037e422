//! The description of the API for programs, and the page that shows it to people.
//!
//! What the handlers say of themselves (`#[utoipa::path]`) and of their answers (`ToSchema`) is put together here with
//! what no type of ours stands for: stored operations, refusals (`error_schemas`), and the two headers of a login.

mod components;
mod page;

use std::sync::LazyLock;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
};
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::{health, import};

pub(super) use page::{PAGE_FILES, PAGE_PATH, page, to_page};

/// Where the description is.
pub(super) const DOCUMENT_PATH: &str = "/api-docs/json";

/// Both headers of a login, together.
pub(super) const USER_ID: &str = "userId";
pub(super) const AUTH_TOKEN: &str = "authToken";

const DESCRIPTION: &str = "Rocket.Chat's import API on Rocket.Chat's MongoDB.\n\n\
    Every `GET` also answers `HEAD`, without a body. An unknown path, and any other method, is a 404 with the plain text \
    `404 Not Found`, as in Rocket.Chat. What a request is refused for is looked at in this order: login (401), permission \
    (403), rate limit (429), query and body (400, 413), and then whether the import is at a point where it can be done (400).";

#[derive(OpenApi)]
#[openapi(
    info(title = "rocketchat-import", description = DESCRIPTION, license(name = "MIT", identifier = "MIT")),
    servers((url = "/", description = "This service")),
    tags(
        (name = "import", description = "An import from its creation to its end"),
        (name = "files", description = "Files that imports read, on their way here"),
        (name = "history", description = "What there is and was"),
        (name = "health", description = "For whoever watches over the process"),
    )
)]
struct Api;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| document_of_the_api().to_string());

/// The description of the API, an `OpenAPI` 3.1 document.
pub(super) async fn document() -> HttpResponse {
    HttpResponse::build(StatusCode::OK).insert_header((CONTENT_TYPE, "application/json")).body(DOCUMENT.as_str())
}

fn document_of_the_api() -> Value {
    let mut api = Api::openapi();
    api.merge(import::ImportApi::openapi());
    api.merge(health::HealthApi::openapi());
    let mut document = json!(api);
    let components = &mut document["components"];
    if let Some(schemas) = components["schemas"].as_object_mut() {
        schemas.values_mut().for_each(close);
    }
    for (kind, described) in components::all() {
        let kind = components.as_object_mut().map(|components| components.entry(kind).or_insert_with(|| json!({})));
        if let Some(Value::Object(kind)) = kind {
            kind.extend(described.into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
    }
    document
}

/// What types of ours describe holds nothing else, and is only sent on success.
fn close(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    if !schema.contains_key("properties") {
        return;
    }
    schema.entry("additionalProperties").or_insert(Value::Bool(false));
    let success = schema.get_mut("properties").and_then(|properties| properties.get_mut("success"));
    if let Some(success) = success.and_then(Value::as_object_mut) {
        success.insert("const".to_owned(), Value::Bool(true));
    }
}
