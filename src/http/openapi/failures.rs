//! Answers without success, as `error.rs` in the room above writes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::{
    IntoResponses,
    openapi::{Ref, RefOr, Response},
};

use super::object;

/// What every endpoint of the API may answer instead of what it was asked for.
pub(in crate::http) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named(&[
            ("400", "Refused"),
            ("401", "NotLoggedIn"),
            ("403", "Forbidden"),
            ("429", "TooManyRequests"),
            ("503", "Unavailable"),
        ])
    }
}

/// What an endpoint that reads its body may answer besides.
pub(in crate::http) struct BodyRefusals;

impl IntoResponses for BodyRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named(&[("408", "BodyTooSlow"), ("413", "BodyTooLarge")])
    }
}

fn named(responses: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let reference = |name: &str| Ref::from_response_name(name).into();
    responses.iter().map(|(status, name)| ((*status).to_owned(), reference(name))).collect()
}

const NOT_LOGGED_IN: &str = "You must be logged in to do this.";
const FORBIDDEN: &str = "User does not have the permissions required for this action [error-unauthorized]";
const TOO_MANY_REQUESTS: &str = "Error, too many requests. Please slow down. You must wait 42 seconds before trying this \
    endpoint again. [error-too-many-requests]";
const UNAVAILABLE: &str = "The database cannot be reached, please try again [error-database-unavailable]";
const OVERLOADED: &str = "The service has too much to do, please try again [error-service-overloaded]";

/// An object that holds these fields, `optional` or not, and no others, and tells of no success.
fn failure(description: &str, required: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let success = ("success", json!({ "type": "boolean", "const": false }));
    let required: Vec<_> = [success].into_iter().chain(required.iter().cloned()).collect();
    let names: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    let properties = required.iter().chain(optional).map(|(name, schema)| ((*name).to_owned(), schema.clone()));
    json!({
        "type": "object",
        "description": description,
        "properties": Value::Object(properties.collect()),
        "required": names,
        "additionalProperties": false,
    })
}

pub(super) fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    let word = |word: &str| json!({ "type": "string", "const": word });
    object([
        (
            "NotLoggedIn",
            failure(
                "Holds the fields of the bodies that Rocket.Chat's releases send",
                &[("error", word(NOT_LOGGED_IN)), ("status", word("error")), ("message", word(NOT_LOGGED_IN))],
                &[],
            ),
        ),
        ("Forbidden", failure("The caller lacks the permission", &[("error", word(FORBIDDEN))], &[])),
        (
            "TooManyRequests",
            failure(
                "The address has called this endpoint too often",
                &[(
                    "error",
                    json!({
                        "type": "string",
                        "pattern": "You must wait [0-9]+ seconds before trying this endpoint again\\. \\[error-too-many-requests\\]$",
                    }),
                )],
                &[],
            ),
        ),
        ("Failure", failure("Why it was not done", &[("error", text())], &[])),
        (
            "CodedFailure",
            failure(
                "Why it was not done, with a code and the name of the endpoint",
                &[("error", text()), ("errorType", text()), ("details", text())],
                &[],
            ),
        ),
        (
            "InvalidParameters",
            failure(
                "What is wrong with the query or the body, and where in the body, as a JSON pointer",
                &[
                    ("error", text()),
                    ("errorType", json!({ "type": "string", "enum": ["invalid-params", "error-invalid-params"] })),
                ],
                &[(
                    "details",
                    json!({
                        "type": "object",
                        "properties": { "path": { "type": "string" } },
                        "required": ["path"],
                        "additionalProperties": false,
                    }),
                )],
            ),
        ),
        (
            "DatabaseUnavailable",
            failure(
                "The database did not answer in time, or has no primary",
                &[("error", word(UNAVAILABLE)), ("errorType", word("error-database-unavailable"))],
                &[],
            ),
        ),
        (
            "Overloaded",
            failure(
                "There is more to do than can be done",
                &[("error", word(OVERLOADED)), ("errorType", word("error-service-overloaded"))],
                &[],
            ),
        ),
    ])
}

/// The headers of every answer to a call that counts for the rate limit; told where they matter most.
fn rate_limit_headers() -> Value {
    let header =
        |description: &str| json!({ "description": description, "schema": { "type": "integer", "minimum": 0 } });
    object([
        ("X-RateLimit-Limit", header("Calls of this endpoint that an address has in a window")),
        ("X-RateLimit-Remaining", header("Calls that are left in this window")),
        ("X-RateLimit-Reset", header("When the window ends, in milliseconds since 1970")),
    ])
}

pub(super) fn responses() -> Value {
    let answer = |description: &str, schemas: &[&str], example: Value| {
        let mut refs = schemas.iter().map(|name| json!({ "$ref": format!("#/components/schemas/{name}") }));
        let schema = if schemas.len() == 1 { refs.next() } else { Some(json!({ "oneOf": refs.collect::<Vec<_>>() })) };
        let content = json!({ "schema": schema, "example": example });
        json!({ "description": description, "content": { "application/json": content } })
    };
    let mut unavailable = answer(
        "The database cannot be reached, which is told within five seconds; or there is more to do than can be done, and the \
         header says when to try again",
        &["DatabaseUnavailable", "Overloaded"],
        json!({ "success": false, "error": UNAVAILABLE, "errorType": "error-database-unavailable" }),
    );
    unavailable["headers"] = json!({
        "Retry-After": {
            "description": "Seconds, if there is more to do than can be done",
            "schema": { "type": "integer", "minimum": 1 },
        },
    });
    object([
        (
            "Refused",
            answer(
                "It cannot be done now, or the query or the body is not what the endpoint takes",
                &["Failure", "CodedFailure", "InvalidParameters"],
                json!({ "success": false, "error": "error-invalid-operation-status" }),
            ),
        ),
        (
            "NotLoggedIn",
            answer(
                "Nobody holds the token that was sent",
                &["NotLoggedIn"],
                json!({
                    "success": false, "error": NOT_LOGGED_IN, "status": "error", "message": NOT_LOGGED_IN,
                }),
            ),
        ),
        (
            "Forbidden",
            answer("The caller lacks the permission", &["Forbidden"], json!({ "success": false, "error": FORBIDDEN })),
        ),
        ("TooManyRequests", {
            let mut answer = answer(
                "The caller's address has called this endpoint too often. Callers with the permission \
                 `api-bypass-rate-limit` are not counted",
                &["TooManyRequests"],
                json!({ "success": false, "error": TOO_MANY_REQUESTS }),
            );
            answer["headers"] = rate_limit_headers();
            answer
        }),
        (
            "BodyTooLarge",
            answer(
                "The body is larger than this service takes",
                &["Failure"],
                json!({ "success": false, "error": "The body is larger than 52428800 bytes" }),
            ),
        ),
        (
            "BodyTooSlow",
            answer(
                "The body did not come in time",
                &["Failure"],
                json!({ "success": false, "error": "The body did not come in time" }),
            ),
        ),
        ("Unavailable", unavailable),
    ])
}
