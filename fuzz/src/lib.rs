//! What several fuzzers use.

mod any_document;
mod refusal;
mod stored_json;

pub use any_document::any_document;
pub use refusal::assert_is_a_refusal;
pub use stored_json::assert_shows;
