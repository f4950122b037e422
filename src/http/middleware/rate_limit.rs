//! Rocket.Chat's rate limit: so many calls of a route by an address in a window of time.

use std::time::Instant;

use actix_web::{
    Error, HttpMessage as _, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
    middleware::Next,
};
use chrono::Utc;
use parking_lot::Mutex;

use crate::{
    domain::api::call_window::{CallLimit, CallVerdict, CallWindows},
    http::{access::client_address::client_address, error::ApiError},
};

const LIMIT_HEADER: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING_HEADER: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// Milliseconds since 1970.
const RESET_HEADER: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Counts the calls of everybody who is not exempt.
#[derive(Debug, Default)]
pub(in crate::http) struct RateLimiter {
    windows: Mutex<CallWindows<Route>>,
}

/// Method and path pattern. `HEAD` does the work of `GET` and counts as it.
type Route = (Method, Option<String>);

impl RateLimiter {
    /// Counts this call, for [`tell_rate_limit`] to tell about.
    ///
    /// # Errors
    /// When it is one too many.
    pub(in crate::http) fn count(&self, request: &HttpRequest, limit: CallLimit) -> Result<(), ApiError> {
        let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        let (route, address) = ((method, request.match_pattern()), client_address(request));
        let mut windows = self.windows.lock();
        let verdict = windows.count(route, address, limit, Instant::now());
        drop(windows);
        request.extensions_mut().insert(verdict);
        if verdict.allowed {
            return Ok(());
        }
        Err(ApiError::TooManyRequests { wait_seconds: millis_to_reset(verdict).div_ceil(1000) })
    }
}

/// Puts the headers on the answer to a call that was counted.
pub(in crate::http) async fn tell_rate_limit<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    let verdict = response.request().extensions().get::<CallVerdict>().copied();
    if let Some(verdict) = verdict {
        let now = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(LIMIT_HEADER, HeaderValue::from(verdict.limit));
        headers.insert(REMAINING_HEADER, HeaderValue::from(verdict.remaining));
        headers.insert(RESET_HEADER, HeaderValue::from(now.saturating_add(millis_to_reset(verdict))));
    }
    Ok(response)
}

fn millis_to_reset(verdict: CallVerdict) -> u64 {
    let micros = verdict.resets_in.as_micros();
    u64::try_from(micros.div_ceil(1000)).unwrap_or(u64::MAX)
}
