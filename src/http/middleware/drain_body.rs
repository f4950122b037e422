//! What becomes of a body that no handler has read when the request is answered.
//!
//! Many clients send everything before they read the answer. With a body of known length the server reads on and throws
//! away until the client has got the answer. With a chunked one it does not once the handler has let go of it: it neither
//! reads on nor closes, and the client is stuck in sending. So a chunked body is held and read on, within bounds, and the
//! connection is closed after that.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    Error, HttpMessage as _,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::{ConnectionType, header::TRANSFER_ENCODING},
    middleware::Next,
    web::Bytes,
};
use futures::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout, timeout_at};

use crate::http::overload::Activity;

/// How long the rest of a body is read. A client of a slow line has read its answer by then.
const DRAIN_PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for the next piece of it.
const PIECE_PATIENCE: Duration = Duration::from_secs(5);
/// As much of it as is read: somewhat more than the largest body that the API takes.
const DRAIN_BYTES: usize = 64 * 1024 * 1024;

/// A body that its reader may let go of while somebody else still holds it.
#[derive(Clone)]
struct Held {
    payload: Rc<RefCell<Payload>>,
    is_over: Rc<Cell<bool>>,
}

impl Stream for Held {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = Pin::new(&mut *self.payload.borrow_mut()).poll_next(context);
        if let Poll::Ready(None | Some(Err(_))) = &piece {
            self.is_over.set(true);
        }
        piece
    }
}

/// Reads on after the answer, if the body is chunked and was not read, and closes the connection.
pub(in crate::http) async fn drain_unread_body<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if !request.headers().contains_key(TRANSFER_ENCODING) {
        return next.call(request).await;
    }
    let activity = Activity::of(request.request());
    let held = Held { payload: Rc::new(RefCell::new(request.take_payload())), is_over: Rc::default() };
    request.set_payload(Payload::Stream { payload: Box::pin(held.clone()) });
    let mut answer = next.call(request).await;
    if held.is_over.get() {
        return answer;
    }
    if let Ok(answer) = &mut answer {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    actix_web::rt::spawn(async move {
        let is_over = Rc::clone(&held.is_over);
        drain(held).await;
        if let Some(activity) = activity.filter(|_| !is_over.get()) {
            activity.cut();
        }
    });
    answer
}

/// Ends with the body, with an error when the server has closed the connection, or when there was enough of it.
async fn drain(mut body: Held) {
    let mut left = DRAIN_BYTES;
    let end = Instant::now() + DRAIN_PATIENCE;
    while let Ok(Ok(Some(Ok(piece)))) = timeout_at(end, timeout(PIECE_PATIENCE, body.next())).await {
        left = left.saturating_sub(piece.len());
        if left == 0 {
            return;
        }
    }
}
