//! Sentences for a person about a body that is not what an endpoint takes, beside Rocket.Chat's own words.

use serde_json::{Value, value::RawValue};

use crate::{domain::shown_value::shown, http::error::ApiError};

/// As many names are in a sentence.
const NAMED: usize = 20;

/// The refusal of a body for a fault at this place, with the sentence.
pub(super) fn unfit(problem: &str, path: &str, reason: impl Into<String>) -> ApiError {
    ApiError::UnfitBody { problem: problem.to_owned(), path: path.to_owned(), reason: reason.into() }
}

/// The refusal of a body that is no JSON.
pub(super) fn not_json(error: &serde_json::Error) -> ApiError {
    let place = format!("line {}, column {}", error.line(), error.column());
    let reason = if error.is_eof() {
        format!("the body ends within its JSON, at {place}: send the whole of it")
    } else {
        format!("the JSON of the body breaks at {place}: send it mended")
    };
    unfit(&format!("the body is not valid JSON: {error}"), "", reason)
}

/// The refusal of a body with other fields than `own`.
pub(super) fn additional<'a>(names: impl Iterator<Item = &'a str>, own: &str) -> ApiError {
    let mut names: Vec<String> = names.map(|name| format!("\"{}\"", shown(name))).collect();
    let rest = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let (are, them) = if names.len() == 1 { ("is no field", "it") } else { ("are no fields", "them") };
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    let reason = format!("{}{more} {are} of this body, which has {own}: leave {them} out", names.join(", "));
    unfit("must NOT have additional properties", "", reason)
}

/// The refusal of a value for which another one is wanted. No secret may be in it.
pub(super) fn wrong_value(problem: &str, path: &str, found: &Value, wanted: &str) -> ApiError {
    let field = path.trim_start_matches('/');
    unfit(problem, path, format!("{field} is {}: give {wanted}", shown(&found.to_string())))
}

/// The words for a value of which no more than its type may be shown.
pub(super) fn type_of(value: &RawValue) -> &'static str {
    match value.get().bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't') => "true",
        Some(b'f') => "false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_names_the_first_are_said() {
        let names: Vec<String> = (0..25).map(|number| format!("n{number}\n")).collect();
        let ApiError::UnfitBody { reason, .. } = additional(names.iter().map(String::as_str), "users alone") else {
            panic!()
        };
        assert!(reason.starts_with(r#""n0\u{a}", "n1\u{a}""#), "{reason}");
        assert!(reason.ends_with("and 5 more are no fields of this body, which has users alone: leave them out"));
    }
}
