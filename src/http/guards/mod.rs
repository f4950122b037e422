//! What Rocket.Chat keeps between a request and its action: the rate limit, and what browsers are told about other
//! origins.

mod client_address;
mod cross_origin;
mod rate_limit;

pub(super) use client_address::client_address;
pub(super) use cross_origin::cross_origin;
pub(super) use rate_limit::{RateLimiter, tell_rate_limit};
