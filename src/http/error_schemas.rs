//! The answers without success in the description of the API, made from the errors themselves, so that both say the same.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};
use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Response},
};

use crate::engine::UploadRefusal;

use super::{
    error::{
        ApiError, CodedFailure, Failure, InvalidParameters, NewestOperation, OperationFailure, PlaceInBody,
        ServiceFailure, UsersFailure,
    },
    refused_users::{RefusedUser, RefusedUsers},
};

/// The refusals that every endpoint of the API may answer with.
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

/// The refusals of an endpoint that reads its body, besides those of all.
pub(in crate::http) struct BodyRefusals;

impl IntoResponses for BodyRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named(&[("408", "BodyTooSlow"), ("413", "BodyTooLarge")])
    }
}

/// The refusals of an endpoint that takes a file, besides those of all.
pub(in crate::http) struct RoomRefusals;

impl IntoResponses for RoomRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named(&[("413", "FileTooLarge"), ("507", "NoRoom")])
    }
}

/// The refusals of resumable uploads, besides those of all.
pub(in crate::http) struct UploadRefusals;

impl IntoResponses for UploadRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named(&[
            ("404", "NoSuchUpload"),
            ("408", "BodyTooSlow"),
            ("409", "UploadConflict"),
            ("412", "OtherProtocol"),
            ("415", "UnsupportedBody"),
            ("422", "OtherContent"),
        ])
    }
}

/// The refusals of a check that reads an upload, besides those of all.
pub(in crate::http) struct CheckedUploadRefusals;

impl IntoResponses for CheckedUploadRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named(&[("404", "NoUploadToCheck")])
    }
}

/// The refusals of an endpoint that takes an idempotency key, besides those of all.
pub(in crate::http) struct KeyRefusals;

impl IntoResponses for KeyRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named(&[("409", "KeyInWork"), ("422", "KeyReused")])
    }
}

fn named(responses: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let reference = |name: &str| Ref::from_response_name(name).into();
    responses.iter().map(|(status, name)| ((*status).to_owned(), reference(name))).collect()
}

const OVERLOADED: ApiError = ApiError::Overloaded { retry_after: Duration::from_secs(1) };
const TOO_MANY_REQUESTS: ApiError = ApiError::TooManyRequests { wait_seconds: 42 };

/// The schemas of all bodies without success, by name.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let mut too_many_requests = of_type::<Failure>("The address has called this endpoint too often");
    too_many_requests["properties"]["error"]["pattern"] =
        json!("You must wait [0-9]+ seconds before trying this endpoint again\\. \\[error-too-many-requests\\]$");
    let mut invalid = of_type::<InvalidParameters>(
        "The problem of the query or the body, and its place in the body as a JSON pointer",
    );
    invalid["properties"]["errorType"]["enum"] = json!(["invalid-params", "error-invalid-params"]);
    invalid["properties"]["details"] =
        of_type::<PlaceInBody>("The place in the body, with a sentence or the users who are wrong");
    invalid["properties"]["details"]["properties"]["users"]["items"] =
        inner(json!(<RefusedUser as PartialSchema>::schema()));
    let mut missing_privileges = of_type::<ServiceFailure>("The database user of the service lacks a privilege");
    missing_privileges["properties"]["errorType"]["const"] = json!("error-database-privileges");
    vec![
        (
            "NotLoggedIn",
            of_error(&ApiError::NotLoggedIn, "Holds the fields of the bodies that Rocket.Chat's releases send"),
        ),
        ("Forbidden", of_error(&ApiError::Unauthorized, "The caller lacks the permission")),
        ("TooManyRequests", too_many_requests),
        ("Failure", of_type::<Failure>("The reason")),
        ("RefusedUsers", refused_users()),
        ("OtherOperation", other_operation()),
        ("CodedFailure", of_type::<CodedFailure>("The reason, with a code and the name of the endpoint")),
        ("InvalidParameters", invalid),
        (
            "DatabaseUnavailable",
            of_error(&ApiError::DatabaseUnavailable, "The database did not answer in time, or has no primary"),
        ),
        ("Overloaded", of_error(&OVERLOADED, "The service is overloaded")),
        ("MissingPrivileges", missing_privileges),
        ("KeyInWork", of_error(&ApiError::KeyInWork, "The same call has not ended yet")),
        ("KeyReused", of_error(&ApiError::KeyReused, "The key belongs to another call")),
    ]
}

/// The schema of an object within a body, which has no other properties either.
fn inner(mut schema: Value) -> Value {
    schema["additionalProperties"] = false.into();
    schema
}

fn refused_users() -> Value {
    let mut details = inner(json!(<RefusedUsers as PartialSchema>::schema()));
    details["properties"]["users"]["items"] = inner(json!(<RefusedUser as PartialSchema>::schema()));
    details["description"] = "The users for whom the call is refused, or the setting that is wrong".into();
    let mut schema = of_type::<UsersFailure>("The reason, with the users to blame");
    schema["properties"]["details"] = details;
    schema
}

fn other_operation() -> Value {
    let mut schema = of_type::<OperationFailure>("The reason, with the newest operation");
    schema["properties"]["details"] = of_type::<NewestOperation>("The newest operation");
    schema
}

/// The schema of a body: these fields, and no success.
fn of_type<T: ToSchema>(description: &str) -> Value {
    let mut schema = json!(<T as PartialSchema>::schema());
    schema["description"] = description.into();
    schema["additionalProperties"] = false.into();
    if let Some(success) = schema["properties"].get_mut("success") {
        *success = json!({ "type": "boolean", "const": false });
    }
    schema
}

/// The schema of the one body that this error has.
fn of_error(error: &ApiError, description: &str) -> Value {
    let body = json!(error.body());
    let fields = body.as_object().into_iter().flatten();
    let types = |value: &Value| if value.is_boolean() { "boolean" } else { "string" };
    let properties: Map<_, _> =
        fields.map(|(name, value)| (name.clone(), json!({ "type": types(value), "const": value }))).collect();
    let names: Vec<&String> = properties.keys().collect();
    json!({
        "type": "object",
        "description": description,
        "required": names,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// The headers of every answer to a call that counts for the rate limit, described where they matter most.
fn rate_limit_headers() -> Value {
    let header =
        |description: &str| json!({ "description": description, "schema": { "type": "integer", "minimum": 0 } });
    json!({
        "X-RateLimit-Limit": header("Calls of this endpoint that an address has in a window"),
        "X-RateLimit-Remaining": header("Calls that are left in this window"),
        "X-RateLimit-Reset": header("The end of the window, in milliseconds since 1970"),
    })
}

/// The answers themselves, by name.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn responses() -> Vec<(&'static str, Value)> {
    let answer = |description: &str, schemas: &[&str], example: &ApiError| {
        let mut refs = schemas.iter().map(|name| json!({ "$ref": format!("#/components/schemas/{name}") }));
        let schema = if schemas.len() == 1 { refs.next() } else { Some(json!({ "oneOf": refs.collect::<Vec<_>>() })) };
        let content = json!({ "schema": schema, "example": example.body() });
        json!({ "description": description, "content": { "application/json": content } })
    };
    let mut too_many_requests = answer(
        "The caller's address has called this endpoint too often. Callers with the permission \
         `api-bypass-rate-limit` are not counted",
        &["TooManyRequests"],
        &TOO_MANY_REQUESTS,
    );
    too_many_requests["headers"] = rate_limit_headers();
    let mut unavailable = answer(
        "The database cannot be reached, which is answered within five seconds; or the service is overloaded, and the \
         header says when to try again",
        &["DatabaseUnavailable", "Overloaded"],
        &ApiError::DatabaseUnavailable,
    );
    unavailable["headers"] = json!({
        "Retry-After": {
            "description": "Seconds, if the service is overloaded",
            "schema": { "type": "integer", "minimum": 1 },
        },
    });
    vec![
        (
            "Refused",
            answer(
                "It cannot be done now, or the query or the body is not what the endpoint takes",
                &[
                    "Failure",
                    "RefusedUsers",
                    "OtherOperation",
                    "CodedFailure",
                    "InvalidParameters",
                    "MissingPrivileges",
                ],
                &ApiError::Rejected("error-invalid-operation-status"),
            ),
        ),
        ("NotLoggedIn", answer("Nobody holds the token that was sent", &["NotLoggedIn"], &ApiError::NotLoggedIn)),
        ("Forbidden", answer("The caller lacks the permission", &["Forbidden"], &ApiError::Unauthorized)),
        ("TooManyRequests", too_many_requests),
        (
            "BodyTooLarge",
            answer(
                "The body is larger than this service takes",
                &["Failure"],
                &ApiError::BodyTooLarge { limit_bytes: 50 * 1024 * 1024 },
            ),
        ),
        (
            "FileTooLarge",
            answer(
                "The file is larger than is taken in this way, or than the quota leaves; the reason holds the numbers",
                &["Failure"],
                &ApiError::Upload(UploadRefusal::TooLarge { limit: 4 * 1024 * 1024 * 1024 }),
            ),
        ),
        (
            "NoRoom",
            answer(
                "The database has no room for the file; the reason holds the numbers",
                &["Failure"],
                &ApiError::Upload(UploadRefusal::NoRoom { needed: 1_100_000, free: 1_000_000 }),
            ),
        ),
        (
            "NoSuchUpload",
            answer(
                "It is not there, is over, or is another user's",
                &["Failure"],
                &ApiError::Upload(UploadRefusal::NoSuchUpload),
            ),
        ),
        (
            "NoUploadToCheck",
            answer(
                "The upload is not there, is over, is another user's or for an import, or is not complete",
                &["Failure"],
                &ApiError::Upload(UploadRefusal::NotForCheck),
            ),
        ),
        (
            "UploadConflict",
            answer(
                "It goes on elsewhere, or an import is in the way; the bytes stay",
                &["Failure"],
                &ApiError::Upload(UploadRefusal::OtherOffset { offset: 1_044_480 }),
            ),
        ),
        ("OtherProtocol", answer("The client speaks another version of tus", &["Failure"], &ApiError::OtherProtocol)),
        (
            "UnsupportedBody",
            answer(
                "The body has another content type",
                &["Failure"],
                &ApiError::UnsupportedBody("The body must be sent as application/offset+octet-stream"),
            ),
        ),
        (
            "OtherContent",
            answer(
                "The file is not the announced one, and was removed",
                &["Failure"],
                &ApiError::Upload(UploadRefusal::OtherContent),
            ),
        ),
        ("BodyTooSlow", answer("The body did not come in time", &["Failure"], &ApiError::BodyTooSlow)),
        (
            "KeyInWork",
            answer("A call with this `Idempotency-Key` is still in work", &["KeyInWork"], &ApiError::KeyInWork),
        ),
        (
            "KeyReused",
            answer("This `Idempotency-Key` was used with another body", &["KeyReused"], &ApiError::KeyReused),
        ),
        ("Unavailable", unavailable),
    ]
}
