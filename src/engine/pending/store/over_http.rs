//! What all stores have in common that are reached over HTTP.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::timeout;

use super::StoreError;
use crate::domain::upload::content::{Content, ContentReader};

pub(super) const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a store may take for one piece, and for its answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the answer if it says that all went well.
pub(super) fn checked(store: &str, answer: Response) -> Result<Response, StoreError> {
    let status = answer.status();
    if status.is_success() {
        Ok(answer)
    } else {
        Err(away(store, &format!("answered with status {}", status.as_u16())))
    }
}

/// Returns the bytes of an answer that has no more than `most`.
pub(super) async fn bytes_of(store: &str, mut answer: Response, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let mut bytes = Vec::new();
    while let Some(piece) = piece_of(store, &mut answer).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > most {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

/// Reads an answer to its end. One piece at a time is in memory.
pub(super) async fn content_of(store: &str, mut answer: Response) -> Result<Content, StoreError> {
    let mut content = ContentReader::default();
    while let Some(piece) = piece_of(store, &mut answer).await? {
        content.add(&piece);
    }
    Ok(content.end())
}

async fn piece_of(store: &str, answer: &mut Response) -> Result<Option<Bytes>, StoreError> {
    let piece = timeout(PATIENCE, answer.chunk()).await.map_err(|_| away(store, "does not answer"))?;
    piece.map_err(|_| away(store, "broke off"))
}

/// The error of a store that cannot be used now, with the words that follow its name in the sentence.
pub(super) fn away(store: &str, what: &str) -> StoreError {
    StoreError::Away(format!("The store {store} {what}."))
}
