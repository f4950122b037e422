//! Header values as texts.

use actix_web::http::header::HeaderMap;

/// The header's value as Node reads it: each byte a Latin-1 character, repeated headers joined. `None` when it is
/// missing or empty.
pub(in crate::http) fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<String> =
        headers.get_all(name).map(|value| value.as_bytes().iter().copied().map(char::from).collect()).collect();
    Some(values.join(", ")).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const NAME: &str = "x-user-id";

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static(NAME), HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn headers_are_read_as_node_reads_them() {
        assert_eq!(text_of(&headers(&[b"abc"]), NAME).as_deref(), Some("abc"));
        assert_eq!(text_of(&headers(&[b"a", b"b"]), NAME).as_deref(), Some("a, b"));
        assert_eq!(text_of(&headers(&[b"\xe9"]), NAME).as_deref(), Some("é"));
        assert_eq!(text_of(&headers(&[b""]), NAME), None);
        assert_eq!(text_of(&headers(&[]), NAME), None);
    }
}
