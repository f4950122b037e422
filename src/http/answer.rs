//! Successful answers of the API.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ContentType, HeaderValue, PRAGMA},
    },
};
use serde::Serialize;
use utoipa::ToSchema;

/// Rocket.Chat's clients compare this to the letter: no charset.
const JSON: &str = "application/json";

/// An answer that says nothing but success.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Success {
    success: bool,
}

pub(super) const SUCCESS: Success = Success { success: true };

/// `body` as JSON, with the headers Rocket.Chat puts on what its actions answer.
pub(super) fn action(body: &impl Serialize) -> HttpResponse {
    not_to_be_kept(json(StatusCode::OK, body))
}

/// `response` with the headers Rocket.Chat puts on what its actions answer.
pub(super) fn not_to_be_kept(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// An unknown path, or a known one with another method: the default of the router Rocket.Chat 8 is built on (Hono).
pub(super) fn not_found() -> HttpResponse {
    HttpResponse::NotFound().insert_header(ContentType::plaintext()).body("404 Not Found")
}

/// `body` as JSON and nothing else.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    match serde_json::to_vec(body) {
        Ok(body) => HttpResponse::build(status).insert_header((CONTENT_TYPE, JSON)).body(body),
        Err(error) => {
            log::error!("an answer could not be written as JSON: {error}");
            HttpResponse::InternalServerError().finish()
        }
    }
}
