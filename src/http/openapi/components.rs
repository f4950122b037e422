//! The components of the description that no type of this program stands for.

use serde_json::{Value, json};

use super::{AUTH_TOKEN, USER_ID};
use crate::{
    http::error_schemas,
    wire::schemas::{add_users, operation, staged_user, state},
};

/// Every component, by kind and by name.
pub(super) fn all() -> [(&'static str, Vec<(&'static str, Value)>); 3] {
    let mut schemas =
        vec![("Operation", operation()), ("State", state()), ("AddUsers", add_users()), ("StagedUser", staged_user())];
    schemas.extend(error_schemas::schemas());
    let header = |name: &str, description: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": description });
    let security = vec![
        (USER_ID, header("X-User-Id", "The caller's `_id`")),
        (AUTH_TOKEN, header("X-Auth-Token", "A login token or a personal access token of the caller")),
    ];
    [("schemas", schemas), ("responses", error_schemas::responses()), ("securitySchemes", security)]
}
