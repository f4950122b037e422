//! The body of `import.run`: which operation, and what happens with people who are there.

use actix_web::{HttpRequest, http::header::CONTENT_TYPE, web};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::body_faults::wrong_value;
use crate::{
    domain::{
        matching::{Column, Columns, MatchBy, OnExisting, OnUsernameTaken, WantedRules},
        pace::Pace,
        selection::Selection,
    },
    engine::WantedStart,
    http::{
        error::ApiError,
        overload::{Body, Overload},
    },
};

/// More than such a body has.
const BODY_BYTES: usize = 1024 * 1024;

/// The operation to run, and the rules of the run.
#[derive(Debug, Default)]
pub(super) struct WantedRun {
    /// The `_id` of the operation; the newest if it is missing.
    pub(super) operation: Option<String>,
    pub(super) rules: WantedRules,
    /// Whether messages may be imported that the workspace removes soon.
    pub(super) accepts_retention: bool,
    /// Whether files and pictures are fetched by themselves afterwards; the setting unless it is given.
    pub(super) fetches: Option<bool>,
    /// The most records that the run writes in a second.
    pub(super) pace: Option<Pace>,
}

/// The body, to be described.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) struct RunBody {
    /// The operation that is to be run: another one is refused, and a run of it that was begun before is a success.
    #[schema(nullable = false)]
    operation_id: Option<String>,
    /// What happens with a user whose account is there. `fail`, as in Rocket.Chat, unless it is given.
    #[schema(nullable = false)]
    on_existing: Option<OnExistingRule>,
    /// The fields that accounts may be found by; all three unless it is given. By user name only if the account or the
    /// record has no address.
    #[schema(nullable = false)]
    match_by: Option<Vec<MatchField>>,
    /// What happens with a new user whose user name somebody else has. `fail` unless it is given.
    #[schema(nullable = false)]
    on_username_taken: Option<OnUsernameTakenRule>,
    /// Columns that `update` also takes although they are protected.
    #[schema(nullable = false)]
    also_update: Option<Vec<ProtectedColumn>>,
    /// Whether new accounts join the default channels; unless it is given, those of files do, those of `import.addUsers` do not.
    #[schema(nullable = false)]
    join_default_channels: Option<bool>,
    /// Whether messages of a file are imported although the workspace's retention policy removes some of them soon.
    #[schema(nullable = false)]
    accept_retention: Option<bool>,
    /// Whether the files of messages and the pictures of people are fetched by themselves after the import of a file; the
    /// setting `FETCH_AFTER_IMPORT` unless it is given.
    #[schema(nullable = false)]
    fetch_files: Option<bool>,
    /// Records that the run writes in a second, at most; the setting `IMPORT_PACE` unless it is given.
    #[schema(nullable = false, minimum = 1)]
    pace: Option<u32>,
}

/// `fail`: the user fails; `skip`: the account stays as it is; `link`: it gains import ids and what it lacks; `update`: the
/// user's values win.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) enum OnExistingRule {
    Fail,
    Skip,
    Link,
    Update,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) enum MatchField {
    ImportId,
    Email,
    Username,
}

/// `fail`: the user fails; `suffix`: the account gets the next free name.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) enum OnUsernameTakenRule {
    Fail,
    Suffix,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) enum ProtectedColumn {
    Roles,
    Type,
    Password,
    Deleted,
}

impl WantedRun {
    /// Returns what a run of these records is started with.
    pub(super) fn start<'a>(&'a self, selection: Option<&'a Selection>) -> WantedStart<'a> {
        WantedStart {
            operation: self.operation.as_deref(),
            rules: self.rules,
            selection,
            accepts_retention: self.accepts_retention,
            fetches: self.fetches,
            pace: self.pace,
        }
    }

    /// The fields of the body.
    pub(super) const FIELDS: [&str; 9] = [
        "operationId",
        "onExisting",
        "matchBy",
        "onUsernameTaken",
        "alsoUpdate",
        "joinDefaultChannels",
        "acceptRetention",
        "fetchFiles",
        "pace",
    ];

    /// Reads a JSON body. Rocket.Chat does not look at the body, so anything else is passed over.
    ///
    /// # Errors
    /// With the path of a value that cannot be used.
    pub(super) async fn read(request: &HttpRequest, body: web::Payload, overload: &Overload) -> Result<Self, ApiError> {
        let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
        if !content_type.is_some_and(|value| value.starts_with(b"application/json")) {
            return Ok(Self::default());
        }
        let Body { bytes, .. } = overload.read_body(request, body, BODY_BYTES).await?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(body)) => Self::of(&body),
            _ => Ok(Self::default()),
        }
    }

    /// Reads these fields of an object.
    ///
    /// # Errors
    /// With the path of a value that cannot be used.
    pub(super) fn of(body: &Map<String, Value>) -> Result<Self, ApiError> {
        let operation = match body.get("operationId") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(found) => return Err(wrong("must be string", "/operationId", found, "the _id of an operation")),
        };
        let rules = WantedRules {
            on_existing: word(body, "onExisting", OnExisting::from_word, &OnExisting::ALL.map(OnExisting::as_str))?,
            on_username_taken: word(
                body,
                "onUsernameTaken",
                OnUsernameTaken::from_word,
                &OnUsernameTaken::ALL.map(OnUsernameTaken::as_str),
            )?,
            match_by: words(body, "matchBy", MatchBy::NOTHING, MatchBy::with, &MatchBy::WORDS)?,
            named: words(
                body,
                "alsoUpdate",
                Columns::default(),
                |columns, word| Some(columns.with(Column::from_word(word)?)),
                &Column::NAMEABLE.map(Column::as_str),
            )?,
            joins_default_channels: yes_or_no(body, "joinDefaultChannels")?,
        };
        if rules.match_by == Some(MatchBy::NOTHING) {
            let wanted = format!("one of {} or several, or leave matchBy out", MatchBy::WORDS.join(", "));
            return Err(wrong("must NOT have fewer than 1 items", "/matchBy", &Value::Array(Vec::new()), &wanted));
        }
        let accepts_retention = yes_or_no(body, "acceptRetention")?.unwrap_or_default();
        let fetches = yes_or_no(body, "fetchFiles")?;
        let pace = match body.get("pace") {
            None => None,
            Some(value) => {
                let records = value.as_u64().and_then(|records| u32::try_from(records).ok());
                let range = format!("an integer from 1 to {}", u32::MAX);
                let wrong = || wrong(&format!("must be {range}"), "/pace", value, &range);
                Some(records.and_then(Pace::new).ok_or_else(wrong)?)
            }
        };
        Ok(Self { operation, rules, accepts_retention, fetches, pace })
    }
}

fn yes_or_no(body: &Map<String, Value>, field: &str) -> Result<Option<bool>, ApiError> {
    match body.get(field) {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(found) => Err(wrong("must be boolean", &format!("/{field}"), found, "true or false")),
    }
}

fn word<T>(
    body: &Map<String, Value>,
    field: &str,
    read: impl Fn(&str) -> Option<T>,
    allowed: &[&str],
) -> Result<Option<T>, ApiError> {
    let Some(value) = body.get(field) else { return Ok(None) };
    let read = value.as_str().and_then(read);
    read.map(Some).ok_or_else(|| not_allowed(allowed, &format!("/{field}"), value))
}

fn words<T: Copy>(
    body: &Map<String, Value>,
    field: &str,
    nothing: T,
    add: impl Fn(T, &str) -> Option<T>,
    allowed: &[&str],
) -> Result<Option<T>, ApiError> {
    let Some(value) = body.get(field) else { return Ok(None) };
    let Value::Array(list) = value else {
        let wanted = format!("a list of {}", allowed.join(", "));
        return Err(wrong("must be array", &format!("/{field}"), value, &wanted));
    };
    let mut read = nothing;
    for (position, value) in list.iter().enumerate() {
        let added = value.as_str().and_then(|word| add(read, word));
        read = added.ok_or_else(|| not_allowed(allowed, &format!("/{field}/{position}"), value))?;
    }
    Ok(Some(read))
}

fn not_allowed(allowed: &[&str], path: &str, found: &Value) -> ApiError {
    let (last, others) = allowed.split_last().unwrap_or((&"", &[]));
    let wanted = format!("one of {} and {last}", others.join(", "));
    wrong(&format!("must be one of {}", allowed.join(", ")), path, found, &wanted)
}

fn wrong(problem: &str, path: &str, found: &Value, wanted: &str) -> ApiError {
    wrong_value(&format!("{problem} {path}"), path, found, wanted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::PartialSchema;

    use super::*;

    fn read(body: &Value) -> Result<WantedRun, ApiError> {
        WantedRun::of(body.as_object().unwrap())
    }

    #[test]
    fn every_word_that_is_taken_is_described() {
        assert_eq!(json!(OnExistingRule::schema())["enum"], json!(OnExisting::ALL.map(OnExisting::as_str)));
        assert_eq!(json!(MatchField::schema())["enum"], json!(MatchBy::WORDS));
        let taken = json!(OnUsernameTaken::ALL.map(OnUsernameTaken::as_str));
        assert_eq!(json!(OnUsernameTakenRule::schema())["enum"], taken);
        assert_eq!(json!(ProtectedColumn::schema())["enum"], json!(Column::NAMEABLE.map(Column::as_str)));
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_path() {
        for (body, expected) in [
            (json!({ "onExisting": "merge" }), "must be one of fail, skip, link, update /onExisting"),
            (json!({ "onExisting": null }), "must be one of fail, skip, link, update /onExisting"),
            (json!({ "matchBy": "email" }), "must be array /matchBy"),
            (json!({ "matchBy": [] }), "must NOT have fewer than 1 items /matchBy"),
            (json!({ "matchBy": ["email", "phone"] }), "must be one of importId, email, username /matchBy/1"),
            (json!({ "alsoUpdate": ["emails"] }), "must be one of roles, type, password, deleted /alsoUpdate/0"),
            (json!({ "joinDefaultChannels": 1 }), "must be boolean /joinDefaultChannels"),
            (json!({ "pace": 0 }), "must be an integer from 1 to 4294967295 /pace"),
            (json!({ "onUsernameTaken": true }), "must be one of fail, suffix /onUsernameTaken"),
        ] {
            assert_eq!(read(&body).unwrap_err().to_string(), expected);
        }
        let wanted =
            read(&json!({ "onExisting": "update", "alsoUpdate": ["roles"], "matchBy": ["importId"] })).unwrap();
        assert_eq!(wanted.rules.on_existing, Some(OnExisting::Update));
        assert_eq!(wanted.rules.match_by.unwrap().words().collect::<Vec<_>>(), ["importId"]);
        assert_eq!(read(&json!({})).unwrap().rules, WantedRules::default());
    }
}
