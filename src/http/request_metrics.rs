//! Each request, told to the metrics if there are any.

use std::time::Instant;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};

use crate::metrics::RequestMetrics;

/// Tells method, route, status and duration of the request once it is answered.
pub(super) async fn measure<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let metrics = request.app_data::<web::Data<Option<RequestMetrics>>>();
    let Some(metrics) = metrics.and_then(|metrics| (***metrics).clone()) else {
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
    metrics.answered(method.as_str(), pattern.as_deref(), status.as_u16(), started.elapsed());
    result
}
