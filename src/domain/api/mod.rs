//! The rules of Rocket.Chat's REST API that are not about imports: rate limit, CORS, the client's
//! address, and what may be fetched from.

pub mod call_window;
pub mod client_address;
pub mod outgoing;
pub mod policy;
