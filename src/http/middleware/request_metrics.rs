//! Counts each request in the metrics, if there are any.

use std::time::Instant;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};

use crate::http::app;

/// Tells method, route, status and duration of the request once it is answered.
pub(in crate::http) async fn measure<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let Some(metrics) = app(request.request()).requests.clone() else {
        return next.call(request).await;
    };
    let started = Instant::now();
    let method = request.method().clone();
    let pattern = request.match_pattern();
    let _waiting = metrics.begin();
    let result = next.call(request).await;
    let status = match &result {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    metrics.with_default_timeout(method.as_str(), pattern.as_deref(), status.as_u16(), started.elapsed());
    result
}
