//! The caller of a request: address, headers, authentication, and how long a request may wait for the database.

pub(in crate::http) mod authentication;
pub(in crate::http) mod client_address;
pub(in crate::http) mod deadline;
pub(in crate::http) mod headers;
pub(in crate::http) mod rechecked;
