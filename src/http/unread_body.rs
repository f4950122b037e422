//! What becomes of a body that nobody has read when the request is answered.
//!
//! Many clients send everything before they read the answer. With a body of known length the server reads on and throws
//! away until the client has got the answer. With a chunked one it does not once the handler has let go of it: it neither
//! reads on nor closes, and the client is stuck in sending. So a chunked body is held, and read on, until the server
//! itself is through with the connection.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage as _,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::header::TRANSFER_ENCODING,
    middleware::Next,
    web::Bytes,
};
use futures::{Stream, StreamExt as _};

/// A body that its reader may let go of while somebody else still holds it.
#[derive(Clone)]
struct Held(Rc<RefCell<Payload>>);

impl Stream for Held {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}

/// Reads on after the answer, if the body is chunked.
pub(super) async fn read_on<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if !request.headers().contains_key(TRANSFER_ENCODING) {
        return next.call(request).await;
    }
    let mut held = Held(Rc::new(RefCell::new(request.take_payload())));
    request.set_payload(Payload::Stream { payload: Box::pin(held.clone()) });
    let answer = next.call(request).await;
    // Ends with the body, or with an error when the server has closed the connection.
    actix_web::rt::spawn(async move { while let Some(Ok(_)) = held.next().await {} });
    answer
}
