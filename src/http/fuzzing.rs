//! What the service reads out of requests, and how it writes stored fields.

use actix_web::{
    ResponseError as _,
    body::MessageBody as _,
    http::{StatusCode, header::HeaderMap},
};
use serde_json::Value;

use crate::{
    domain::{caller::HashedLoginToken, field_value::Fields},
    http::{access::authentication::Credentials, error::ApiError, import},
    wire::json::JsonObject,
};

/// The answer to a request that is not taken.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    /// The body, as it is sent.
    pub body: Vec<u8>,
}

impl Refusal {
    /// Where in the request's body the problem is, as a JSON pointer.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("details")?.get("path")?.as_str()?.to_owned())
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let response = error.error_response();
        let status = response.status();
        let body = response.into_body().try_into_bytes().map(|body| body.to_vec()).unwrap_or_default();
        Self { status, body }
    }
}

/// The user id and the hashed token that a request's headers hold.
///
/// # Errors
/// When one of them is missing.
pub fn credentials(headers: &HeaderMap) -> Result<(String, HashedLoginToken), Refusal> {
    let Credentials { user_id, token } = Credentials::of(headers)?;
    Ok((user_id, token))
}

/// Count and offset in a query of `import.errors`.
///
/// # Errors
/// When they are no numbers that a list can be cut by.
pub fn part_of_list(query: &str) -> Result<(Option<u64>, u64), Refusal> {
    let part = import::part_of_list(query)?;
    Ok((part.count, part.offset))
}

/// The query of an endpoint without parameters.
///
/// # Errors
/// When there are some.
pub fn takes_no_parameters(query: &str) -> Result<(), Refusal> {
    Ok(import::takes_no_parameters(query)?)
}

/// The users in a body of `import.addUsers`.
///
/// # Errors
/// With the first thing that is wrong.
pub fn users_in_body(body: &[u8]) -> Result<Vec<Fields>, Refusal> {
    Ok(import::users_in_body(body)?)
}

/// Stored fields as they are answered.
///
/// # Errors
/// Never, as far as anybody knows.
pub fn json_of(fields: &Fields) -> serde_json::Result<String> {
    serde_json::to_string(&JsonObject(fields))
}
