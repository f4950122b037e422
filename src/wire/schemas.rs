//! Schemas of Rocket.Chat's own documents, and of the bodies that Rocket.Chat takes, for the description of the API.

use crate::domain::{operation::State, progress_step::ProgressStep};
use serde_json::{Value, json};

/// Types that stand in the handlers' descriptions for a schema of this file.
macro_rules! stands_for {
    ($($(#[$doc:meta])* $name:ident => $schema:literal,)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    // The schema of that name takes its place.
                    utoipa::openapi::ObjectBuilder::new().into()
                }
            }

            impl utoipa::ToSchema for $name {
                fn name() -> std::borrow::Cow<'static, str> {
                    std::borrow::Cow::Borrowed($schema)
                }
            }
        )+
    };
}

stands_for! {
    /// An import operation as it is stored.
    StoredOperation => "Operation",
    /// The condition of an import, as `import.status` calls it.
    StateWord => "State",
    /// The body of `import.addUsers`.
    AddUsersBody => "AddUsers",
}

/// The schema `Operation`.
pub(crate) fn operation() -> Value {
    let steps: Vec<&str> = ProgressStep::ALL.iter().map(|step| step.as_str()).collect();
    json!({
        "type": "object",
        "description":
            "An import operation with every field that is stored of it, in stored order. Rocket.Chat's releases store \
             different fields, so there may be others.",
        "properties": {
            "_id": { "type": "string" },
            "type": { "type": "string", "description": "The name of the importer; `api` for imports of this API" },
            "importerKey": { "type": "string" },
            "ts": {
                "type": ["string", "number"],
                "format": "date-time",
                "description": "When it was made. Old operations may hold milliseconds since 1970",
            },
            "status": { "type": "string", "description": "The step it is at", "examples": steps },
            "valid": { "type": "boolean", "description": "Whether it may still be worked on" },
            "user": { "type": "string", "description": "The `_id` of whoever made it" },
            "_updatedAt": { "type": "string", "format": "date-time" },
            "import": {
                "type": "object",
                "description": "What this service adds",
                "properties": {
                    "stalled": {
                        "type": "object",
                        "description":
                            "Added to answers of `import.status` and its stream while the operation should move and did \
                             not for five minutes; not stored",
                        "properties": {
                            "since": { "type": ["string", "null"], "format": "date-time" },
                            "runBy": { "enum": ["rocketchat", "service"] },
                            "words": { "type": "string", "description": "How long, who runs it, and what to do" },
                        },
                        "required": ["since", "runBy", "words"],
                    },
                },
                "additionalProperties": true,
            },
            "count": {
                "type": "object",
                "description": "Missing until something is staged",
                "properties": {
                    "total": { "type": "number" },
                    "users": { "type": "number" },
                    "completed": { "type": "number", "description": "Moves in steps of 50 until the end" },
                    "error": { "type": "number" },
                },
                "additionalProperties": true,
            },
        },
        "additionalProperties": true,
        "examples": [example_operation()],
    })
}

/// The operation of Rocket.Chat's documentation, which the example workspace holds.
pub(crate) fn example_operation() -> Value {
    json!({
        "_id": "64d51ea91558939980aab371",
        "type": "api",
        "importerKey": "api",
        "ts": "2023-08-10T17:30:17.519Z",
        "status": "importer_user_selection",
        "valid": true,
        "user": "7TY57bBj3xQXvf2i2",
        "_updatedAt": "2023-08-10T17:41:20.052Z",
        "count": { "total": 2, "users": 2 },
    })
}

/// The schema `State`.
pub(crate) fn state() -> Value {
    let words: Vec<&str> = ["none"].into_iter().chain(State::ALL.map(State::as_str)).collect();
    json!({
        "type": "string",
        "enum": words,
        "description":
            "`none`: there never was an import. Missing for an operation at a step that no release of Rocket.Chat writes.",
    })
}

/// The schema `AddUsers`.
pub(crate) fn add_users() -> Value {
    json!({
        "type": "object",
        "properties": { "users": { "type": "array", "items": { "$ref": "#/components/schemas/StagedUser" } } },
        "required": ["users"],
        "additionalProperties": false,
        "examples": [{
            "users": [{
                "username": "jane",
                "emails": ["jane@example.com"],
                "importIds": ["old-system-17"],
                "name": "Jane Doe",
                "roles": ["user"],
            }],
        }],
    })
}

/// The schema `StagedUser`. Rocket.Chat's own turns one kind of value into another where it can, and so does this one.
pub(crate) fn staged_user() -> Value {
    let text =
        |description: &str| json!({ "type": ["string", "number", "boolean", "null"], "description": description });
    let texts = |description: &str| {
        let items = json!({ "type": ["string", "number", "boolean", "null"] });
        json!({ "type": "array", "items": items, "description": description })
    };
    json!({
        "type": "object",
        "description":
            "At least one address and one import id must not be empty. A number, a yes or a no where a text belongs is \
             stored as a text.",
        "properties": {
            "username": text("Not validated, but no two users may have the same"),
            "emails": texts("Not validated, but no two users may have the same"),
            "importIds": texts("What the user was called where it comes from; `users.info` finds it by these"),
            "name": text("The name shown to people"),
            "utcOffset": {
                "anyOf": [
                    { "type": ["number", "boolean", "null"] },
                    {
                        "type": "string",
                        "pattern": "^ *([+-]?[0-9]{1,9}(\\.[0-9]{0,9})?([eE][+-]?[0-9]{1,2})?|0[xX][0-9a-fA-F]{1,9})? *$",
                    },
                ],
                "description": "Hours; a text that is a number is taken for one",
            },
            "avatarUrl": text("Fetched when an administrator asks for pending avatars"),
            "deleted": {
                "enum": [true, false, null, "true", "false", "", 0, 1],
                "description": "Whether the account is created deactivated",
            },
            "statusText": text("What the user says of itself"),
            "roles": {
                "anyOf": [
                    { "type": "array", "items": { "type": ["string", "number", "boolean", "null"] } },
                    { "enum": [null, false, "", 0] },
                ],
                "description": "Ids of roles that exist. The default roles come on top",
            },
            "type": text("`user` or `bot`"),
            "bio": text("About the user"),
            "password": text("In clear text. Without one nobody can log in until it is set"),
            "requirePasswordChange": {
                "enum": [true, false, null, "true", "false", "", 0, 1],
                "description": "Whether the person must choose another password at the first log-in. Rocket.Chat passes it over",
            },
            "channels": {
                "anyOf": [
                    { "type": "array", "items": { "type": ["string", "number", "boolean", "null"] } },
                    { "enum": [null, false, "", 0] },
                ],
                "description": "Names of channels and private groups that the new account joins. Rocket.Chat passes it over",
            },
            "line": { "description": "The line of the source, a whole number from 1 on: failed users are told with it. Rocket.Chat passes it over" },
            "customFields": { "type": ["object", "null"], "description": "The workspace's own fields" },
            "services": { "type": ["object", "null"], "description": "How the user logs in, as Rocket.Chat stores it" },
            "federated": { "type": ["boolean", "null"], "description": "Whether the user is one of another server" },
        },
        "required": ["emails", "importIds"],
        "additionalProperties": true,
    })
}
