//! The caller of an endpoint: login token, roles and permissions.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

/// The user that a valid login token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user's `_id`.
    pub id: String,
    /// The `_id`s of the roles the user holds in the whole workspace.
    pub roles: Vec<String>,
}

impl Caller {
    /// Returns whether one of the caller's roles is among `holders`, the roles that have a permission.
    ///
    /// Source: `apps/meteor/server/services/authorization/service.ts`.
    #[must_use]
    pub fn has_one_of(&self, holders: &[String]) -> bool {
        self.roles.iter().any(|role| holders.contains(role))
    }
}

/// A permission of Rocket.Chat that an endpoint needs.
///
/// Source: `apps/meteor/app/authorization/server/constant/permissions.ts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Calls without a rate limit.
    BypassRateLimit,
    /// Deactivating accounts.
    EditOtherUserActiveStatus,
    /// Giving people other passwords.
    EditOtherUserPassword,
    /// Running and following imports.
    RunImport,
    /// Reading the history of imports.
    ViewImportOperations,
}

impl Permission {
    /// The `_id` of the permission.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::BypassRateLimit => "api-bypass-rate-limit",
            Self::EditOtherUserActiveStatus => "edit-other-user-active-status",
            Self::EditOtherUserPassword => "edit-other-user-password",
            Self::RunImport => "run-import",
            Self::ViewImportOperations => "view-import-operations",
        }
    }
}

/// The stored form of a login token or a personal access token: the Base64 text of the SHA-256 digest of its bytes.
///
/// Source: `packages/account-utils` (`hashLoginToken`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HashedLoginToken(String);

impl HashedLoginToken {
    /// Hashes the token a client sent.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(BASE64_STANDARD.encode(Sha256::digest(token.as_bytes())))
    }

    /// The stored text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Never shows the hash: it must not reach a log.
impl fmt::Debug for HashedLoginToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HashedLoginToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_hashed_as_rocket_chat_stores_them() {
        for (token, expected) in [
            ("abc", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
            ("", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ] {
            assert_eq!(HashedLoginToken::of(token).as_str(), expected);
        }
    }
}
