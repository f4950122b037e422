//! Answers that are written while the database is read, so that their length costs no memory.
//!
//! A task of its own reads. A client that does not take what was read is waited for, and in the end given up: then the
//! task, what it holds in the database and its place among the streams are gone, and the connection breaks.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{CONTENT_TYPE, HeaderValue},
    },
    web::Bytes,
};
use futures::{Stream, StreamExt as _, stream};
use serde::Serialize;
use thiserror::Error;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};

use super::{answer, error::ApiError};
use crate::repository::RepositoryError;

/// Streams that are read at once.
const STREAMS: usize = 16;
/// When to try again if there are more.
const RETRY: Duration = Duration::from_secs(5);
/// About the length of a piece; one record more may be in it.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that wait to be sent.
const PIECES: usize = 2;
/// How long a client may take for one piece.
const CLIENT_PATIENCE: Duration = Duration::from_secs(60);
/// How long the database may take for one piece. Before the first one nothing is sent, so that a failure is answered as
/// such.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);

/// The places for streams of an instance.
#[derive(Debug, Clone)]
pub(super) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS)))
    }
}

/// Why an answer ends before it is whole. The connection is closed then, which tells the client.
#[derive(Debug, Clone, Copy, Error)]
enum Broken {
    #[error("the database did not give the rest")]
    Database,
    #[error("the client did not take it")]
    Client,
}

/// What a stream is sent as.
#[derive(Debug)]
pub(super) struct Format {
    pub(super) content_type: &'static str,
    /// The name of the file for those who save it.
    pub(super) file_name: Option<String>,
}

pub(super) const JSON: Format = Format { content_type: "application/json", file_name: None };

impl Streams {
    /// Takes a place before the first query.
    pub(super) fn take_place(&self) -> Result<Place, ApiError> {
        let place = Arc::clone(&self.0).try_acquire_owned();
        place.map(|permit| Place { _permit: permit }).map_err(|_| ApiError::Overloaded { retry_after: RETRY })
    }
}

/// A place for one stream, until it ends.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Answers with `texts`, one after the other.
    pub(super) async fn answer(
        self,
        request: &HttpRequest,
        format: Format,
        texts: impl Stream<Item = Result<String, RepositoryError>> + Send + 'static,
    ) -> Result<HttpResponse, ApiError> {
        let mut pieces = Box::pin(pieces_of(texts));
        let first = next(&mut pieces).await.transpose()?;
        let mut response = HttpResponse::Ok();
        response.insert_header((CONTENT_TYPE, format.content_type));
        if let Some(disposition) = format.file_name.and_then(|name| disposition(&name)) {
            response.insert_header(("content-disposition", disposition));
        }
        if request.method() == Method::HEAD {
            return Ok(answer::not_to_be_kept(response.finish()));
        }
        let body = body_of(first, pieces, self);
        Ok(answer::not_to_be_kept(response.streaming(body)))
    }
}

/// Only letters and digits go into the header, so that an operation's id cannot end it.
fn disposition(name: &str) -> Option<HeaderValue> {
    let name: String =
        name.chars().filter(|character| character.is_ascii_alphanumeric() || "-.".contains(*character)).collect();
    HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).ok()
}

async fn next(
    pieces: &mut (impl Stream<Item = Result<Bytes, RepositoryError>> + Unpin),
) -> Option<Result<Bytes, RepositoryError>> {
    timeout(DATABASE_PATIENCE, pieces.next()).await.unwrap_or(Some(Err(RepositoryError::TimedOut)))
}

/// Reads in a task of its own. The answer ends with an error unless the last piece was sent.
fn body_of(
    first: Option<Bytes>,
    mut pieces: impl Stream<Item = Result<Bytes, RepositoryError>> + Send + Unpin + 'static,
    place: Place,
) -> impl Stream<Item = Result<Bytes, Broken>> {
    let (sender, receiver) = mpsc::channel::<Result<Option<Bytes>, Broken>>(PIECES);
    tokio::spawn(async move {
        let _place = place;
        let mut piece = first.map(Ok);
        loop {
            let (message, is_last) = match piece {
                Some(Ok(piece)) => (Ok(Some(piece)), false),
                Some(Err(error)) => {
                    log::warn!("an answer is cut off: {error}");
                    (Err(Broken::Database), true)
                }
                None => (Ok(None), true),
            };
            let is_taken = timeout(CLIENT_PATIENCE, sender.send(message)).await.is_ok_and(|sent| sent.is_ok());
            if is_last || !is_taken {
                return;
            }
            piece = next(&mut pieces).await;
        }
    });
    stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Ok(Some(piece))) => Some((Ok(piece), Some(receiver))),
            Some(Ok(None)) => None,
            Some(Err(broken)) => Some((Err(broken), None)),
            None => Some((Err(Broken::Client), None)),
        }
    })
}

/// Joins short texts to pieces.
fn pieces_of(
    texts: impl Stream<Item = Result<String, RepositoryError>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, RepositoryError>> + Send + 'static {
    // It is polled once more after its end, which not every stream bears.
    stream::unfold((Box::pin(texts.fuse()), None), |(mut texts, failure)| async move {
        if let Some(error) = failure {
            return Some((Err(error), (texts, None)));
        }
        let mut piece = String::new();
        while piece.len() < PIECE_BYTES {
            match texts.next().await {
                Some(Ok(text)) => piece.push_str(&text),
                Some(Err(error)) if piece.is_empty() => return Some((Err(error), (texts, None))),
                Some(Err(error)) => return Some((Ok(Bytes::from(piece)), (texts, Some(error)))),
                None => break,
            }
        }
        (!piece.is_empty()).then(|| (Ok(Bytes::from(piece)), (texts, None)))
    })
}

/// A JSON object with one long list: `open`, the items, and what `close` makes of their number.
pub(super) fn list<T: Serialize>(
    open: String,
    items: impl Stream<Item = Result<T, RepositoryError>> + Send + 'static,
    close: impl FnOnce(u64) -> String + Send + 'static,
) -> impl Stream<Item = Result<String, RepositoryError>> + Send + 'static {
    let items = Box::pin(items);
    let end = Some(close);
    stream::once(async { Ok(open) }).chain(stream::try_unfold((items, 0, end), |(mut items, count, end)| async move {
        let Some(close) = end else { return Ok(None) };
        Ok(Some(match items.next().await.transpose()? {
            Some(item) => {
                let separator = if count == 0 { "" } else { "," };
                (format!("{separator}{}", json(&item)), (items, count + 1, Some(close)))
            }
            None => (close(count), (items, count, None)),
        }))
    }))
}

/// `value` as JSON on one line.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        log::error!("a part of an answer could not be written as JSON: {error}");
        "null".to_owned()
    })
}
