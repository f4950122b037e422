//! The header `Idempotency-Key`: a call that may be sent several times and is done once.
//!
//! Ours. The header: <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>.

use actix_web::http::header::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};

use super::super::super::error::ApiError;
use crate::repository::IdempotentCall;

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const KEY_LIMIT_CHARACTERS: usize = 255;
const INVALID_KEY: ApiError =
    ApiError::InvalidHeader("Idempotency-Key must be one header of 1 to 255 visible ASCII characters");

/// Returns the key that the client gave the call; `None` if it gave none.
///
/// # Errors
/// When it is none that can be kept.
pub(super) fn key_of(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY);
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.to_str().map_err(|_| INVALID_KEY)?;
    let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if keys.next().is_some() || key.is_empty() || key.len() > KEY_LIMIT_CHARACTERS || !is_visible {
        return Err(INVALID_KEY);
    }
    Ok(Some(key.to_owned()))
}

/// The call with this key and body.
pub(super) fn idempotent_call(key: String, body: &[u8]) -> IdempotentCall {
    IdempotentCall { key, body_hash: format!("{:x}", Sha256::digest(body)) }
}
