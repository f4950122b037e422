//! One log line for each request, and the request's id on every line written on its behalf.

use std::time::Instant;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};

use crate::{http::access::client_address::client_address, request_id::RequestId};

/// Logs method, path, status, duration and client of the request once it is answered. The query is left out: it may hold a
/// token.
pub(in crate::http) async fn log_request<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.path().to_owned();
    let client = client_address(request.request());
    RequestId::random()
        .scope(async move {
            let result = next.call(request).await;
            let status = match &result {
                Ok(response) => response.status(),
                Err(error) => error.as_response_error().status_code(),
            };
            let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
            log::info!(
                target: "access",
                "method={method} path={path} status={} ms={milliseconds:.1} client={client}",
                status.as_u16(),
            );
            result
        })
        .await
}
