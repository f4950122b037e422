//! The documents tests are made of, as Rocket.Chat stores them.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::{Bson, DateTime, Document, doc};
use sha2::{Digest as _, Sha256};

/// A user under construction.
pub struct UserBuilder {
    document: Document,
    tokens: Vec<Document>,
}

/// A user without roles and tokens whose `_id` and username are `id`.
pub fn user(id: &str) -> UserBuilder {
    UserBuilder {
        document: doc! { "_id": id, "username": id, "type": "user", "active": true, "roles": [] },
        tokens: Vec::new(),
    }
}

impl UserBuilder {
    pub fn admin(self) -> Self {
        self.with_roles(&["admin"])
    }

    pub fn with_roles(self, roles: &[&str]) -> Self {
        self.with("roles", roles)
    }

    pub fn with_token(mut self, token: &str) -> Self {
        self.tokens.push(doc! { "when": DateTime::now(), "hashedToken": hashed(token) });
        self
    }

    pub fn with_personal_access_token(mut self, token: &str) -> Self {
        self.tokens.push(doc! {
            "hashedToken": hashed(token),
            "type": "personalAccessToken",
            "createdAt": DateTime::now(),
            "lastTokenPart": &token[token.len().saturating_sub(6)..],
            "name": "script",
            "bypassTwoFactor": true,
        });
        self
    }

    pub fn with(mut self, field: &str, value: impl Into<Bson>) -> Self {
        self.document.insert(field, value);
        self
    }

    pub fn without(mut self, field: &str) -> Self {
        self.document.remove(field);
        self
    }

    pub fn document(mut self) -> Document {
        self.document.insert("services", doc! { "resume": { "loginTokens": self.tokens } });
        self.document
    }
}

/// What a token is stored as.
pub fn hashed(token: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(token))
}

/// An operation under construction.
pub struct OperationBuilder {
    document: Document,
}

/// An operation as `import.new` makes it.
pub fn operation(id: &str) -> OperationBuilder {
    OperationBuilder {
        document: doc! {
            "_id": id,
            "type": "api",
            "importerKey": "api",
            "ts": DateTime::now(),
            "status": "importer_new",
            "valid": true,
            "user": "admin",
            "_updatedAt": DateTime::now(),
        },
    }
}

impl OperationBuilder {
    pub fn with(mut self, field: &str, value: impl Into<Bson>) -> Self {
        self.document.insert(field, value);
        self
    }

    pub fn without(mut self, field: &str) -> Self {
        self.document.remove(field);
        self
    }

    pub fn document(self) -> Document {
        self.document
    }
}
