//! Proof that a delivery comes from somebody who knows the secret.

use std::fmt::Write as _;

use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// `sha256=` and the HMAC-SHA256 of the timestamp, a point and the body, in hexadecimal digits. The timestamp is in it so that
/// an old delivery cannot be sent again as a new one.
pub(super) fn signature(secret: &SecretString, timestamp: i64, body: &str) -> Option<String> {
    // Keys of any length are taken.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let mut signature = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        // Writing to a string cannot fail.
        let _ = write!(signature, "{byte:02x}");
    }
    Some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `printf '1691689280.{"a":1}' | openssl dgst -sha256 -hmac secret`.
    #[test]
    fn it_is_what_openssl_computes() {
        let signature = signature(&SecretString::from("secret"), 1_691_689_280, r#"{"a":1}"#);
        assert_eq!(
            signature.as_deref(),
            Some("sha256=3c4cb46fc3817f49463bbc2111963f516af5624b23baef014928eba26454a7b4")
        );
    }
}
