//! Bodies that are held in memory.

use std::{fmt, sync::Arc, time::Duration};

use actix_web::{HttpRequest, http::header::CONTENT_LENGTH, web};
use futures::StreamExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::BODY_RETRY;
use crate::{
    http::error::ApiError,
    metrics::{GaugeGuard, OverloadMetrics},
};

/// The room for all bodies together. What becomes of a body while it is read takes several times as much.
const ROOM_BYTES: usize = 256 * 1024 * 1024;
/// What room is counted in, and the least that a body takes: so it bounds the number of bodies, too.
const UNIT_BYTES: usize = 1024 * 1024;

/// How long a body may take to come, besides what its length gives it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How fast it has to come at least. Slower than any line over which somebody would send one.
const LEAST_BYTES_PER_SECOND: usize = 16 * 1024;

/// The room for the bodies that are held at once.
pub(super) struct BodyRoom {
    free: Arc<Semaphore>,
    metrics: OverloadMetrics,
}

/// A body, and the room it takes.
#[derive(Debug)]
pub(in crate::http) struct Body {
    pub(in crate::http) bytes: web::BytesMut,
    /// To be kept for as long as anything of that size is made of the body.
    pub(in crate::http) room: Room,
}

/// A part of the room, until it is dropped.
#[derive(Debug)]
pub(in crate::http) struct Room {
    permit: OwnedSemaphorePermit,
    held: GaugeGuard,
}

impl BodyRoom {
    pub(super) fn new(metrics: OverloadMetrics) -> Self {
        Self { free: Arc::new(Semaphore::new(ROOM_BYTES / UNIT_BYTES)), metrics }
    }

    /// Reads the body. `in_room` is called once there is room for it: for all of it if its length is known, else for its
    /// beginning.
    pub(super) async fn read(
        &self,
        request: &HttpRequest,
        mut payload: web::Payload,
        limit: usize,
        in_room: impl FnOnce(),
    ) -> Result<Body, ApiError> {
        let told = told_length(request).unwrap_or(0);
        if told > limit {
            return Err(ApiError::BodyTooLarge { limit_bytes: limit });
        }
        let mut room = self.take(units(told))?;
        in_room();
        let started = Instant::now();
        let mut bytes = web::BytesMut::with_capacity(told);
        loop {
            let patience = PATIENCE + Duration::from_secs((bytes.len() / LEAST_BYTES_PER_SECOND) as u64);
            let Ok(piece) = timeout_at(started + patience, payload.next()).await else {
                return Err(ApiError::BodyTooSlow);
            };
            let Some(piece) = piece else { break };
            let piece = piece.map_err(|error| ApiError::InvalidBody {
                problem: format!("the body could not be read: {error}"),
                path: None,
            })?;
            let length = bytes.len() + piece.len();
            if length > limit {
                return Err(ApiError::BodyTooLarge { limit_bytes: limit });
            }
            self.enlarge(&mut room, length)?;
            bytes.extend_from_slice(&piece);
        }
        Ok(Body { bytes, room })
    }

    /// Makes room for `length` bytes in the body.
    pub(super) fn grow(&self, Body { mut bytes, mut room }: Body, length: usize) -> Result<Body, ApiError> {
        self.enlarge(&mut room, length)?;
        bytes.reserve(length);
        Ok(Body { bytes, room })
    }

    fn enlarge(&self, room: &mut Room, length: usize) -> Result<(), ApiError> {
        if let more @ 1.. = units(length).saturating_sub(room.permit.num_permits()) {
            room.add(self.take(more)?);
        }
        Ok(())
    }

    fn take(&self, units: usize) -> Result<Room, ApiError> {
        let permit =
            u32::try_from(units).ok().and_then(|units| Arc::clone(&self.free).try_acquire_many_owned(units).ok());
        let permit = permit.ok_or(ApiError::Overloaded { retry_after: BODY_RETRY })?;
        Ok(Room { permit, held: self.metrics.body_room(units * UNIT_BYTES) })
    }
}

impl Room {
    fn add(&mut self, more: Self) {
        self.permit.merge(more.permit);
        self.held.add(more.held);
    }
}

/// What the head says the body's length is; `None` for a chunked one.
fn told_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The room that so many bytes take.
fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES).max(1)
}

impl fmt::Debug for BodyRoom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BodyRoom").field("free", &self.free.available_permits()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_comes_from_elsewhere_takes_room_as_one_that_is_sent() {
        let room = BodyRoom::new(OverloadMetrics::default());
        let empty = || Body { bytes: web::BytesMut::new(), room: room.take(1).unwrap() };
        let held = room.grow(empty(), ROOM_BYTES - 2 * UNIT_BYTES).unwrap();
        assert!(matches!(room.grow(empty(), 3 * UNIT_BYTES), Err(ApiError::Overloaded { .. })));
        assert!(room.grow(empty(), 2 * UNIT_BYTES).is_ok(), "what was refused takes none");
        drop(held);
        assert!(room.grow(empty(), ROOM_BYTES).is_ok());
    }
}
