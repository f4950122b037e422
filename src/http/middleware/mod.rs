//! Everything that wraps all requests: log, metrics, CORS, rate limit, and request bodies that no handler read.

pub(in crate::http) mod access_log;
pub(in crate::http) mod cross_origin;
pub(in crate::http) mod drain_body;
pub(in crate::http) mod rate_limit;
pub(in crate::http) mod request_metrics;
