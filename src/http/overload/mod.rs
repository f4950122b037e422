//! What this service takes on at once. What is beyond that is refused at once, and told when to come back.
//!
//! A service that queues without end answers nobody in time and grows until it is killed. Four bounds keep it from that:
//!
//! - requests of the API that are in work, and the line of those that wait for their turn ([`places`]);
//! - the bytes of the bodies that are held, and how slowly one may come ([`bodies`]);
//! - open connections ([`connections`]);
//! - how long the head of a request may take to come.
//!
//! A number of requests, and not a measured delay, is what decides: the database is the bottleneck, it says nothing while it
//! is frozen, and a number bounds memory, too. The health checks and the files of the pages take no place, so they are
//! answered while everything else is refused.

mod bodies;
pub(super) mod connections;
mod places;

use std::{num::NonZeroU16, time::Duration};

use actix_web::{
    Error, HttpMessage as _, HttpRequest, ResponseError as _,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};

pub(super) use self::bodies::Body;
use self::{
    bodies::BodyRoom,
    places::{Place, Places},
};
use super::error::ApiError;
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
    places: Places,
    bodies: BodyRoom,
    metrics: OverloadMetrics,
}

impl Overload {
    pub(super) fn new(max_requests_in_work: NonZeroU16, metrics: OverloadMetrics) -> Self {
        let places = Places::new(max_requests_in_work.get().into(), metrics.clone());
        Self { places, bodies: BodyRoom::new(metrics.clone()), metrics }
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
        let in_room = || drop(request.extensions_mut().remove::<Place>());
        let body = self.bodies.read(request, payload, limit, in_room).await;
        if matches!(body, Err(ApiError::Overloaded { .. })) {
            self.metrics.shed(Shed::Body);
        }
        body
    }
}

/// Lets the request pass once it has a place, or refuses it. The place is given up when the head of the answer is made: an
/// answer that is sent for hours, as a stream of events is, keeps nobody out.
pub(super) async fn admit<B: MessageBody>(
    overload: web::Data<Overload>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(place) = overload.places.enter().await else {
        overload.metrics.shed(Shed::Request);
        let refusal = ApiError::Overloaded { retry_after: PLACE_RETRY };
        return Ok(request.into_response(refusal.error_response()).map_into_right_body());
    };
    request.extensions_mut().insert(place);
    let answer = next.call(request).await?;
    answer.request().extensions_mut().remove::<Place>();
    Ok(answer.map_into_left_body())
}
