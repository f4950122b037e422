//! Passwords as Rocket.Chat stores them.

use base64::{
    Engine as _, alphabet,
    engine::{GeneralPurpose, general_purpose::NO_PAD},
};
use bcrypt::{BcryptError, Version, hash_with_result, verify};
use rand::{Rng as _, random};
use sha2::{Digest as _, Sha256};

/// Rocket.Chat's cost: two to the power of this many rounds.
const COST: u32 = 10;
const SALT_BYTES: usize = 16;
const DIGEST_BYTES: usize = 23;
/// Without `0`, `1`, `I`, `O` and `l`.
const PASSWORD_CHARACTERS: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const GROUPS: usize = 4;
const GROUP_CHARACTERS: usize = 5;
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

/// The bcrypt text of a password. Takes tens of milliseconds of one core.
///
/// Rocket.Chat's clients never send a password, but the hexadecimal SHA-256 digest of it, so the digest is hashed.
/// Source: `UserConverter.hashPassword`, Meteor's `accounts-password`.
///
/// # Errors
/// When the system has no random numbers for the salt.
pub fn hash(password: &str) -> Result<String, BcryptError> {
    Ok(hash_with_result(digest(password), COST)?.format_for_version(Version::TwoB))
}

/// Whether the bcrypt text is that of the password. Takes tens of milliseconds of one core. A text of another form is
/// that of no password.
#[must_use]
pub fn is_hash_of(bcrypt: &str, password: &str) -> bool {
    verify(digest(password), bcrypt).unwrap_or(false)
}

/// The hexadecimal SHA-256 digest, which clients send in the place of the password.
#[must_use]
pub fn digest(password: &str) -> String {
    format!("{:x}", Sha256::digest(password))
}

/// A new password of 20 letters and digits in four groups: 116 random bits. It has a letter of each case, a digit and a sign, as
/// password policies ask for, and none of the letters and digits that people take for each other.
#[must_use]
pub fn generate() -> String {
    let mut random = rand::rng();
    loop {
        let characters: Vec<u8> = (0..GROUPS * GROUP_CHARACTERS)
            .map(|_| PASSWORD_CHARACTERS[random.random_range(0..PASSWORD_CHARACTERS.len())])
            .collect();
        let has = |is_of_kind: fn(&u8) -> bool| characters.iter().any(is_of_kind);
        if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit) {
            let groups: Vec<String> =
                characters.chunks(GROUP_CHARACTERS).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
            return groups.join("-");
        }
    }
}

/// A bcrypt text that no password matches, at no cost.
///
/// Salt and digest are random, so a password for it cannot be found but by trying, and there very likely is none. The
/// text must be well-formed all the same: Rocket.Chat takes a user without one for somebody who logs in elsewhere, and
/// would not let the password be reset.
#[must_use]
pub fn unusable() -> String {
    let salt = BCRYPT_BASE64.encode(random::<[u8; SALT_BYTES]>());
    let digest = BCRYPT_BASE64.encode(random::<[u8; DIGEST_BYTES]>());
    format!("$2b${COST}${salt}{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_verified_through_its_sha_256_digest() {
        let hashed = hash("s3cret").unwrap();
        let digest = format!("{:x}", Sha256::digest("s3cret"));
        assert!(hashed.starts_with("$2b$10$") && hashed.len() == 60, "{hashed}");
        assert!(bcrypt::verify(digest, &hashed).unwrap());
        assert!(is_hash_of(&hashed, "s3cret") && !is_hash_of(&hashed, "S3cret") && !is_hash_of("s3cret", "s3cret"));
    }

    #[test]
    fn made_passwords_are_long_of_every_kind_and_each_another() {
        let made: std::collections::HashSet<String> = (0..200).map(|_| generate()).collect();
        assert_eq!(made.len(), 200);
        for password in made {
            assert_eq!((password.len(), password.matches('-').count()), (23, 3), "{password}");
            for is_of_kind in [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit] {
                assert!(password.bytes().any(|byte| is_of_kind(&byte)), "{password}");
            }
        }
    }

    #[test]
    fn an_unusable_password_is_well_formed_and_matches_nothing() {
        let unusable = unusable();
        assert_eq!(unusable.len(), 60);
        for attempt in ["", "password", &unusable] {
            assert!(!bcrypt::verify(format!("{:x}", Sha256::digest(attempt)), &unusable).unwrap());
        }
    }
}
