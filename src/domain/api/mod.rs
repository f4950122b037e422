//! The rules of Rocket.Chat's REST API that are not about imports: rate limit, CORS, the client's
//! address, what may be fetched from, and who resolves names for that.

pub mod call_window;
pub mod client_address;
pub mod name_servers;
pub mod outgoing;
pub mod policy;
