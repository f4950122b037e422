//! Answers that are held in memory until their clients have taken them.
//!
//! A client takes an answer as slowly as it likes. So a large one is handed to the HTTP library piece by piece, counts in a room
//! that all large answers share until its last piece is handed over, and has to be taken with some speed.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    web::Bytes,
};
use thiserror::Error as ThisError;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::client_stream::{Activity, Exchange};

/// The room for all large answers together.
const ROOM_BYTES: usize = 64 * 1024 * 1024;
/// What room is counted in.
const UNIT_BYTES: usize = 64 * 1024;
/// As much as is handed over at once. Smaller answers take no room: what the system keeps for a connection is more.
const PIECE_BYTES: usize = 64 * 1024;

/// How long an answer may take to be taken, besides what its length gives it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How fast it has to be taken at least. As slow as a body may come.
const LEAST_BYTES_PER_SECOND: usize = 16 * 1024;

/// The room for large answers.
pub(super) struct AnswerRoom {
    free: Arc<Semaphore>,
}

/// The part of the room that one answer takes, until it is dropped.
#[derive(Debug)]
pub(super) struct HeldRoom {
    _permit: OwnedSemaphorePermit,
}

/// The body of an answer on its way to the client.
pub(in crate::http) struct AnswerBody {
    content: Content,
    size: BodySize,
    started: Instant,
    handed_over: usize,
    _room: Option<HeldRoom>,
    _exchange: Option<Exchange>,
}

enum Content {
    Whole(Bytes),
    /// A stream makes its pieces as they are taken.
    Stream(BoxBody),
}

/// The client takes less than [`LEAST_BYTES_PER_SECOND`].
#[derive(Debug, ThisError)]
#[error("the client takes the answer too slowly")]
struct TooSlow;

impl AnswerRoom {
    pub(super) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(ROOM_BYTES / UNIT_BYTES)) }
    }

    /// Room for an answer of this size: `Ok(None)` for one that takes none, and `Err` when there is none.
    pub(super) fn take(&self, size: BodySize) -> Result<Option<HeldRoom>, ()> {
        let BodySize::Sized(bytes) = size else { return Ok(None) };
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes <= PIECE_BYTES {
            return Ok(None);
        }
        // One that is larger than all of the room is served while no other is.
        let units = bytes.div_ceil(UNIT_BYTES).min(ROOM_BYTES / UNIT_BYTES);
        let units = u32::try_from(units).map_err(drop)?;
        let permit = Arc::clone(&self.free).try_acquire_many_owned(units).map_err(drop)?;
        Ok(Some(HeldRoom { _permit: permit }))
    }
}

impl fmt::Debug for AnswerRoom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AnswerRoom").field("free", &self.free.available_permits()).finish()
    }
}

impl AnswerBody {
    pub(super) fn new(body: impl MessageBody + 'static, room: Option<HeldRoom>, exchange: Option<Exchange>) -> Self {
        let size = body.size();
        let content = match body.try_into_bytes() {
            Ok(bytes) => Content::Whole(bytes),
            Err(body) => Content::Stream(body.boxed()),
        };
        Self { content, size, started: Instant::now(), handed_over: 0, _room: room, _exchange: exchange }
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AnswerBody").field("size", &self.size).finish_non_exhaustive()
    }
}

impl MessageBody for AnswerBody {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        match &mut this.content {
            Content::Stream(body) => Pin::new(body).poll_next(context),
            Content::Whole(rest) if rest.is_empty() => Poll::Ready(None),
            Content::Whole(rest) => {
                let given = Duration::from_secs((this.handed_over / LEAST_BYTES_PER_SECOND) as u64);
                if this.started.elapsed() > PATIENCE + given {
                    return Poll::Ready(Some(Err(Box::new(TooSlow))));
                }
                let piece = rest.split_to(rest.len().min(PIECE_BYTES));
                this.handed_over += piece.len();
                Poll::Ready(Some(Ok(piece)))
            }
        }
    }
}

/// The exchange on the connection with this activity.
pub(super) fn exchange(activity: Option<Rc<Activity>>) -> Option<Exchange> {
    activity.map(Exchange::begin)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn large_answers_share_the_room_and_small_ones_take_none() {
        let room = AnswerRoom::new();
        assert!(room.take(BodySize::Sized(PIECE_BYTES as u64)).unwrap().is_none());
        assert!(room.take(BodySize::Stream).unwrap().is_none());
        let half = room.take(BodySize::Sized(ROOM_BYTES as u64 / 2)).unwrap();
        assert!(half.is_some());
        assert!(room.take(BodySize::Sized(u64::MAX)).is_err(), "all of it is not free");
        drop(half);
        assert!(room.take(BodySize::Sized(u64::MAX)).unwrap().is_some());
    }

    #[tokio::test]
    async fn an_answer_is_handed_over_in_pieces_and_given_up_when_they_are_taken_too_slowly() {
        let mut body = AnswerBody::new(Bytes::from(vec![b'x'; 30 * PIECE_BYTES]), None, None);
        assert_eq!(body.size(), BodySize::Sized(30 * PIECE_BYTES as u64));
        let since = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        for taken in 0..20 {
            body.started = since(20 + taken * 4 - 1);
            let piece = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await.unwrap().unwrap();
            assert_eq!(piece.len(), PIECE_BYTES);
        }
        body.started = since(20 + 20 * 4 + 1);
        assert!(poll_fn(|context| Pin::new(&mut body).poll_next(context)).await.unwrap().is_err());
    }
}
