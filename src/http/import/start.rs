//! `POST startImport`: what of a file is imported.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};

use super::{
    body_faults::{additional, unfit},
    lifecycle::start,
    run_body::WantedRun,
};
use crate::{
    domain::selection::{Choice, Selection},
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        answer::{self, SUCCESS, Success},
        error::ApiError,
        error_schemas::Refusals,
        overload::{Body, Overload},
    },
};

/// More than the selection of 50,000 users has in the form of 6.x.
const BODY_BYTES: usize = 32 * 1024 * 1024;
/// A body, for sentences.
const EXAMPLE: &str = r#"{"input": {"users": {"all": true}}}"#;
/// The lists of the input, and the field that names an entry in the form of 6.x.
const LISTS: [(&str, &str); 3] = [("users", "user_id"), ("channels", "channel_id"), ("contacts", "id")];

/// Starts the run of the newest operation with the chosen records, and answers at once.
///
/// Source: `apps/meteor/server/api/v1/import.ts`, `packages/rest-typings/src/v1/import/StartImportParamsPOST.ts`.
#[utoipa::path(
    post,
    path = "/api/v1/startImport",
    tag = "import",
    operation_id = "startImport",
    summary = "Run the import with a selection",
    description = "Starts the newest operation, which must be `ready`, and answers at once. Each of `users`, `channels` and `contacts` in `input` is `{all, list}`, where `list` holds import ids and `__directMessages__` in the list of channels stands for all direct messages, or a list of entries with `do_import` as in Rocket.Chat 6. A part that is missing is left out. Beside `input` (ours) stand the fields of the body of `import.run`: the operation, and the rules for people who are there. Permission `run-import`; where `alsoUpdate` names passwords also `edit-other-user-password`.",
    security(("userId" = [], "authToken" = [])),
    request_body(
        content = Value,
        content_type = "application/json",
        example = json!({ "input": { "users": { "all": true }, "channels": { "list": ["C012AB3CD"] } } })
    ),
    responses(
        (
            status = 200,
            description = "It runs",
            body = Success,
            content_type = "application/json",
            example = json!({ "success": true })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn start_import(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<AppState>,
    overload: web::Data<Overload>,
) -> Result<HttpResponse, ApiError> {
    let Body { bytes, room: _room } = overload.read_body(&request, body, BODY_BYTES).await?;
    let read = web::block(move || wanted_start(&bytes)).await;
    let (wanted, selection) = read.unwrap_or_else(|_| Err(wrong("the body could not be read", None)))?;
    start(&caller, &app, wanted.start(Some(&selection))).await?;
    Ok(answer::action(&SUCCESS))
}

fn wrong(problem: &str, path: Option<&str>) -> ApiError {
    ApiError::InvalidBody { problem: problem.to_owned(), path: path.map(str::to_owned) }
}

fn wanted_start(body: &[u8]) -> Result<(WantedRun, Selection), ApiError> {
    let no_object = || unfit("must be object", "", format!("the body is no object in JSON: give one, as in {EXAMPLE}"));
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Err(no_object()) };
    let is_other = |name: &&str| *name != "input" && !WantedRun::FIELDS.contains(name);
    let mut others = body.keys().map(String::as_str).filter(is_other).peekable();
    if others.peek().is_some() {
        return Err(additional(others, &format!("input, {} alone", WantedRun::FIELDS.join(", "))));
    }
    Ok((WantedRun::of(&body)?, selection_in(&body)?))
}

fn selection_in(body: &Map<String, Value>) -> Result<Selection, ApiError> {
    let no_input =
        || unfit("must have required property 'input'", "", format!("input missing: give an object, as in {EXAMPLE}"));
    let input = body.get("input").ok_or_else(no_input)?;
    let Value::Object(input) = input else { return Err(wrong("must be object", Some("/input"))) };
    let [users, channels, contacts] = LISTS.map(|(list, id)| choice(input, list, id));
    Ok(Selection { users: users?, channels: channels?, contacts: contacts? })
}

fn choice(input: &Map<String, Value>, list: &str, id: &str) -> Result<Choice, ApiError> {
    let path = format!("/input/{list}");
    match input.get(list) {
        None => Ok(Choice::None),
        Some(Value::Object(chosen)) => {
            let all = match chosen.get("all") {
                None => false,
                Some(Value::Bool(all)) => *all,
                Some(_) => return Err(wrong("must be boolean", Some(&format!("{path}/all")))),
            };
            let ids = match chosen.get("list") {
                None => &[],
                Some(Value::Array(ids)) => ids.as_slice(),
                Some(_) => return Err(wrong("must be array", Some(&format!("{path}/list")))),
            };
            let text = |(place, id): (usize, &Value)| {
                let text = id.as_str().map(str::to_owned);
                text.ok_or_else(|| wrong("must be string", Some(&format!("{path}/list/{place}"))))
            };
            let ids: Vec<String> = ids.iter().enumerate().map(text).collect::<Result<_, _>>()?;
            Ok(Choice::new(all, ids))
        }
        Some(Value::Array(entries)) => {
            let flag = |(place, entry): (usize, &Value)| {
                let id_of = entry.get(id).and_then(Value::as_str).map(str::to_owned);
                let missing =
                    || wrong(&format!("must have required property '{id}'"), Some(&format!("{path}/{place}")));
                let is_chosen = entry.get("do_import").and_then(Value::as_bool).unwrap_or_default();
                Ok((id_of.ok_or_else(missing)?, is_chosen))
            };
            let flags: Vec<(String, bool)> = entries.iter().enumerate().map(flag).collect::<Result<_, ApiError>>()?;
            Ok(Choice::from_flags(flags))
        }
        Some(_) => Err(wrong("must be object", Some(&path))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::matching::OnExisting;

    fn ids(ids: &[&str]) -> Choice {
        Choice::new(false, ids.iter().map(|id| (*id).to_owned()))
    }

    #[test]
    fn both_forms_of_a_selection_are_read_and_what_is_missing_is_left_out() {
        let new = br#"{"input":{"users":{"all":true,"list":["U1"]},"channels":{"list":["C1"]}}}"#;
        let expected = Selection { users: Choice::All, channels: ids(&["C1"]), contacts: Choice::None };
        assert_eq!(wanted_start(new).unwrap().1, expected);
        let old = br#"{"input":{"users":[{"user_id":"U1","do_import":true},{"user_id":"U2","do_import":false}],"channels":[]}}"#;
        let expected = Selection { users: ids(&["U1"]), channels: Choice::None, contacts: Choice::None };
        assert_eq!(wanted_start(old).unwrap().1, expected);
    }

    #[test]
    fn the_operation_and_the_rules_stand_beside_the_input() {
        let body = br#"{"operationId":"one","input":{"users":{"all":true}},"onExisting":"update"}"#;
        let (wanted, selection) = wanted_start(body).unwrap();
        assert_eq!(wanted.operation.as_deref(), Some("one"));
        assert_eq!(wanted.rules.on_existing, Some(OnExisting::Update));
        assert_eq!(selection.users, Choice::All);
    }

    #[test]
    fn another_body_is_refused_with_its_place() {
        for (body, problem) in [
            ("[]", "must be object"),
            ("{}", "must have required property 'input'"),
            (r#"{"input":{},"onExisting":"merge"}"#, "must be one of fail, skip, link, update /onExisting"),
            (r#"{"input":{},"more":1}"#, "must NOT have additional properties"),
            (r#"{"input":{"users":{"list":[1]}}}"#, "must be string"),
            (r#"{"input":{"users":[{}]}}"#, "must have required property 'user_id'"),
        ] {
            assert_eq!(wanted_start(body.as_bytes()).map(drop).unwrap_err().to_string(), problem, "{body}");
        }
    }
}
