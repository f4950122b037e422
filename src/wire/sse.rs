//! The framing of server-sent events.
//!
//! The format: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use bytes::Bytes;

/// A comment line, for proxies that give up silent connections.
pub(crate) const KEEP_ALIVE: &[u8] = b": still here\n\n";

/// One event with an id. `data` is a single line.
pub(crate) fn event(name: &str, id: &impl std::fmt::Display, data: &str) -> Bytes {
    Bytes::from(format!("event: {name}\nid: {id}\ndata: {data}\n\n"))
}

/// The last event of a stream. `data` is a single line.
pub(crate) fn end_event(data: &[u8]) -> Bytes {
    Bytes::from([b"event: end\ndata: ", data, b"\n\n"].concat())
}
