//! The sentence for a person about a user who is not what `import.addUsers` takes, beside Rocket.Chat's own words.

use serde_json::{Value, value::RawValue};

use super::super::body_faults::{type_of, unfit};
use crate::{domain::shown_value::shown, http::error::ApiError};

/// The values that Rocket.Chat's words ask for.
const WANTED: [(&str, &str); 8] = [
    ("must be string,null", "a text"),
    ("must be string", "a text"),
    ("must be number,null", "a number"),
    ("must be boolean,null", "true or false"),
    ("must be array,null", "a list of texts"),
    ("must be array", "a list of texts"),
    ("must be object,null", "an object"),
    ("must be object", "an object"),
];
/// Fields whose values are secrets, or hold some.
const SECRETS: [&str; 2] = ["password", "services"];

/// A body with a user, for sentences.
const EXAMPLE: &str = r#"{"users": [{"emails": ["ann@example.com"], "importIds": ["1"]}]}"#;

/// The refusal of a body without the list of users.
pub(super) fn no_users() -> ApiError {
    let reason = format!("users missing: give a list, as in {EXAMPLE}");
    unfit("must have required property 'users'", "", reason)
}

/// The refusal of a body that is no object.
pub(super) fn no_object(body: &RawValue) -> ApiError {
    unfit("must be object", "", format!("the body is {}: give an object, as in {EXAMPLE}", type_of(body)))
}

/// The refusal of users that are no list.
pub(super) fn no_list(users: &RawValue, path: &str) -> ApiError {
    unfit("must be array", path, format!("users is {}: give a list, as in {EXAMPLE}", type_of(users)))
}

/// Returns the sentence about `problem` at `place`, a JSON pointer within the user.
pub(super) fn reason_of(problem: &str, place: &str, user: &Value) -> String {
    let field = place.trim_start_matches('/');
    if let Some(missing) = problem.strip_prefix("must have required property '") {
        return format!("{} missing: give a list of texts", missing.trim_end_matches('\''));
    }
    if problem.contains("NUL") {
        let name = field.rsplit('/').next().unwrap_or_default();
        return format!("the name \"{}\" holds a NUL character: leave it out", shown(name));
    }
    let found = user.pointer(place);
    if field.is_empty() {
        let found = shown(&user.to_string());
        let example = r#"{"emails": ["ann@example.com"], "importIds": ["1"]}"#;
        return format!("a user must be an object, as in {example}, not {found}");
    }
    let wanted = WANTED.iter().find(|(words, _)| *words == problem).map(|(_, wanted)| *wanted);
    let is_secret = SECRETS.iter().any(|secret| field.split('/').next() == Some(secret));
    match (wanted, found) {
        (Some(wanted), Some(found)) if !is_secret => format!("{field} is {}: give {wanted}", shown(&found.to_string())),
        (Some(wanted), _) => format!("{field} must be {wanted}"),
        (None, _) => format!("{field} {problem}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        for (field, value) in [("password", json!(["hunter2"])), ("services", json!("hunter2"))] {
            let reason = reason_of("must be string,null", &format!("/{field}"), &json!({ field: value }));
            assert_eq!(reason, format!("{field} must be a text"));
        }
        assert_eq!(reason_of("must be string", "/emails/0", &json!({ "emails": [[]] })), "emails/0 is []: give a text");
    }
}
