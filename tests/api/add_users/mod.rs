//! `import.addUsers`: which users it takes, which it refuses, and the staging area afterwards.

mod bad_bodies;
mod large_bodies;
mod refusals;
mod staging;

use serde_json::json;

const ADD_USERS: &str = "/api/v1/import.addUsers";
const JSON: Option<&str> = Some("application/json");

/// The answer to a body that the schema does not allow.
fn schema_error(problem: &str, path: &str) -> String {
    let (problem, path) = (json!(problem), json!(path));
    format!(r#"{{"success":false,"errorType":"invalid-params","error":{problem},"details":{{"path":{path}}}}}"#)
}

/// The answer to a call that cannot be done now.
fn refusal(reason: &str) -> String {
    format!(r#"{{"success":false,"error":"{reason}"}}"#)
}
