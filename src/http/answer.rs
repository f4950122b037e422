//! Successful answers of the API.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA},
    },
};
use serde::Serialize;

/// Rocket.Chat's clients compare this to the letter: no charset.
const JSON: &str = "application/json";

/// What there is to say when nothing but success is to be told.
#[derive(Debug, Serialize)]
pub(super) struct Success {
    success: bool,
}

pub(super) const SUCCESS: Success = Success { success: true };

/// `body` as JSON, with the headers Rocket.Chat puts on what its actions answer.
pub(super) fn action(body: &impl Serialize) -> HttpResponse {
    let mut response = json(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, actix_web::http::header::HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, actix_web::http::header::HeaderValue::from_static("no-cache"));
    response
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
