//! The work that this service takes on at once. More is refused at once, with the time to come back.
//!
//! A service that queues without end answers nobody in time and grows until it is killed. Four bounds keep it from that:
//!
//! - requests of the API that are in work, and the line of those that wait for their turn (`places`);
//! - the bytes of the bodies that are held, and how slowly one may come ([`bodies`]);
//! - open connections ([`connections`]), and how long one may say nothing or take nothing ([`client_stream`]);
//! - the bytes of large answers that wait for their clients ([`answers`]).
//!
//! A number of requests, and not a measured delay, is what decides: the database is the bottleneck, it says nothing while it
//! is frozen, and a number bounds memory, too. The health checks and the files of the pages take no place, so they are
//! answered while everything else is refused.

mod answers;
mod bodies;
mod client_stream;
pub(super) mod connections;
mod slots;

use std::{num::NonZeroU16, time::Duration};

use actix_web::{
    Error, HttpMessage as _, HttpRequest, ResponseError as _,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};

pub(super) use self::{
    answers::AnswerBody,
    bodies::Body,
    client_stream::{Activity, ClientStream, OpenConnections},
};
use self::{
    answers::{AnswerRoom, HeldRoom, exchange},
    bodies::BodyRoom,
    slots::{Slot, Slots},
};
use super::{app, error::ApiError};
use crate::metrics::{OverloadMetrics, Shed};

/// How long the head of the first request on a connection may take to come. A connection that waits for its next request is
/// closed by the server's keep-alive.
pub(super) const HEAD_PATIENCE: Duration = Duration::from_secs(5);

/// In which a request that got no place may well get one.
const PLACE_RETRY: Duration = Duration::from_secs(1);
/// The same for a body: it takes longer to be sent and to be staged.
const BODY_RETRY: Duration = Duration::from_secs(5);

/// The bounds of this process. All its workers share them.
#[derive(Debug)]
pub(super) struct Overload {
    places: Slots,
    bodies: BodyRoom,
    answers: AnswerRoom,
    metrics: OverloadMetrics,
}

impl Overload {
    pub(super) fn new(max_requests_in_work: NonZeroU16, metrics: OverloadMetrics) -> Self {
        let places = Slots::new(max_requests_in_work.get().into(), metrics.clone());
        Self { places, bodies: BodyRoom::new(metrics.clone()), answers: AnswerRoom::new(), metrics }
    }

    /// Reads the body of `request`, `limit` bytes at most, into memory that is counted until what this returns is dropped.
    /// The request gives up its place: from here on the room for bodies bounds it, and a slow sender keeps nobody out.
    ///
    /// # Errors
    /// When there is no room, the body is too large, comes too slowly or breaks off.
    pub(super) async fn read_body(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        limit: usize,
    ) -> Result<Body, ApiError> {
        let in_room = || drop(request.extensions_mut().remove::<Slot>());
        self.counted(self.bodies.read(request, payload, limit, in_room).await)
    }

    /// The same for a body that has to be empty, because so many bytes come from elsewhere. There is room for them in what this
    /// returns.
    pub(super) async fn read_empty_body(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        length: usize,
    ) -> Result<Body, ApiError> {
        let body = self.read_body(request, payload, 0).await?;
        self.counted(self.bodies.grow(body, length))
    }

    fn counted(&self, body: Result<Body, ApiError>) -> Result<Body, ApiError> {
        if matches!(body, Err(ApiError::Overloaded { .. })) {
            self.metrics.shed(Shed::Body);
        }
        body
    }
}

/// Gives up the place of a request whose body is stored while it comes, for hours perhaps.
pub(super) fn leave_place(request: &HttpRequest) {
    drop(request.extensions_mut().remove::<Slot>());
}

/// Lets the request pass once it has a place, or refuses it. The place is given up when the head of the answer is made: an
/// answer that is sent for hours, as a stream of events is, keeps nobody out. A large answer that finds no room is refused, too.
pub(super) async fn admit<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let overload = app(request.request()).overload.clone();
    let Some(place) = overload.places.enter().await else {
        overload.metrics.shed(Shed::Request);
        let refusal = ApiError::Overloaded { retry_after: PLACE_RETRY };
        return Ok(request.into_response(refusal.error_response()).map_into_right_body());
    };
    request.extensions_mut().insert(place);
    let answer = next.call(request).await?;
    answer.request().extensions_mut().remove::<Slot>();
    match overload.answers.take(answer.response().body().size()) {
        Ok(None) => {}
        Ok(Some(room)) => drop(answer.request().extensions_mut().insert(room)),
        Err(()) => {
            overload.metrics.shed(Shed::Answer);
            let refusal = ApiError::Overloaded { retry_after: BODY_RETRY };
            return Ok(answer.into_response(refusal.error_response()).map_into_right_body());
        }
    }
    Ok(answer.map_into_left_body())
}

/// Keeps the time of every exchange: a client that has got its answer is silent again, and one that takes it too slowly is
/// given up.
pub(super) async fn bound_exchange<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<AnswerBody>, Error> {
    let exchange = exchange(Activity::of(request.request()));
    let answer = next.call(request).await?;
    let room = answer.request().extensions_mut().remove::<HeldRoom>();
    Ok(answer.map_body(|_, body| AnswerBody::new(body, room, exchange)))
}
