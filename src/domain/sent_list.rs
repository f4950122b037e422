//! The list of users that a new import is begun for.

/// What a program says of its list of users when it begins an import, so that it knows its own import again when it was cut
/// off. The service keeps it, and compares nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentList {
    /// Tells these users, in this order, from all others.
    pub fingerprint: String,
    /// Tells the file that they are from; `None` where there is none, as with standard input.
    pub file: Option<String>,
    /// All users of the list.
    pub users: u64,
}

impl SentList {
    /// The most characters of a fingerprint: as many as a SHA-512 has in hexadecimal digits.
    pub const FINGERPRINT_CHARACTERS: usize = 128;

    /// Whether the text can be a fingerprint: ASCII letters and digits, not too many.
    #[must_use]
    pub fn is_fingerprint(text: &str) -> bool {
        (1..=Self::FINGERPRINT_CHARACTERS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }
}
