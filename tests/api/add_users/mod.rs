//! `import.addUsers`: what is taken, what is refused, and what is then in the staging area.

mod bad_bodies;
mod large_bodies;
mod refusals;
mod staging;

use serde_json::json;

const ADD_USERS: &str = "/api/v1/import.addUsers";
const JSON: Option<&str> = Some("application/json");

/// What is answered to a body that the schema does not allow.
fn schema_error(problem: &str, path: &str) -> String {
    let (problem, path) = (json!(problem), json!(path));
    format!(r#"{{"success":false,"errorType":"invalid-params","error":{problem},"details":{{"path":{path}}}}}"#)
}

/// What is answered to a call that cannot be done now.
fn refusal(reason: &str) -> String {
    format!(r#"{{"success":false,"error":"{reason}"}}"#)
}
