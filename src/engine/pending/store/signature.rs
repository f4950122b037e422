//! Signatures of requests to Amazon's stores, version 4.
//!
//! Source: Amazon S3 API reference, "Authenticating Requests: Using the Authorization Header".

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use crate::domain::stable_hash::hex;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "s3";
/// The signs that are escaped in a path or a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The keys of an account, and the region that they sign for.
#[derive(Clone, Copy)]
pub(super) struct Signer<'a> {
    pub(super) access_key: &'a str,
    pub(super) secret_key: &'a str,
    pub(super) region: &'a str,
}

/// A request as it is signed.
#[derive(Debug)]
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    /// Escaped.
    pub(super) path: &'a str,
    /// Escaped, and in the order of the names.
    pub(super) query: &'a str,
    /// Names in small letters, in their order.
    pub(super) headers: &'a [(&'a str, String)],
    /// The SHA-256 of the body, in hex digits.
    pub(super) body_hash: &'a str,
}

impl Signer<'_> {
    /// The value of the header `Authorization`.
    pub(super) fn authorization(&self, request: &Unsigned<'_>, now: DateTime<Utc>) -> String {
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let headers: Vec<String> =
            request.headers.iter().map(|(name, value)| format!("{name}:{}", value.trim())).collect();
        let headers = headers.join("\n");
        let Unsigned { method, path, query, body_hash, .. } = request;
        let canonical = format!("{method}\n{path}\n{query}\n{headers}\n\n{names}\n{body_hash}");
        let day = now.format("%Y%m%d").to_string();
        let scope = format!("{day}/{}/{SERVICE}/aws4_request", self.region);
        let signed = format!("{ALGORITHM}\n{}\n{scope}\n{}", moment(now), hash_of(canonical.as_bytes()));
        let mut key = format!("AWS4{}", self.secret_key).into_bytes();
        for part in [day.as_str(), self.region, SERVICE, "aws4_request", &signed] {
            key = keyed(&key, part);
        }
        let (access_key, signature) = (self.access_key, hex(&key));
        format!("{ALGORITHM} Credential={access_key}/{scope},SignedHeaders={names},Signature={signature}")
    }
}

/// The value of the header `x-amz-date`.
pub(super) fn moment(now: DateTime<Utc>) -> String {
    now.format("%Y%m%dT%H%M%SZ").to_string()
}

/// The SHA-256 in hex digits.
pub(super) fn hash_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A part of a path or a query, escaped as the signature wants it.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length does.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn the_signature_is_that_of_amazons_own_example() {
        let signer = Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
        };
        let now = Utc.with_ymd_and_hms(2013, 5, 24, 0, 0, 0).unwrap();
        let body_hash = hash_of(b"");
        let headers = [
            ("host", "examplebucket.s3.amazonaws.com".to_owned()),
            ("range", "bytes=0-9".to_owned()),
            ("x-amz-content-sha256", body_hash.clone()),
            ("x-amz-date", moment(now)),
        ];
        let request =
            Unsigned { method: "GET", path: "/test.txt", query: "", headers: &headers, body_hash: &body_hash };
        let authorization = signer.authorization(&request, now);
        let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
    }

    #[test]
    fn everything_but_letters_digits_and_four_signs_is_escaped() {
        assert_eq!(escaped("a b/ä~_-.+"), "a%20b%2F%C3%A4~_-.%2B");
    }
}
