use serde_json::{Value, json};

use super::WrongBody;

const ADD_USERS: &str = "/api/v1/import.addUsers";
const RUN: &str = "/api/v1/import.run";
const MISSING_DATA: &str = "Users are missing required data.";

fn body(what: &'static str, body: impl Into<String>, error: &'static str, says: &'static str) -> WrongBody {
    WrongBody { what, endpoint: ADD_USERS, body: body.into().into_bytes(), error, says }
}

/// A good user, and one with this instead.
fn second_with(field: &str, value: Value) -> String {
    let good = json!({ "username": "ann", "emails": ["ann@corp.example"], "importIds": ["1"] });
    let mut bad = json!({ "username": "bea", "emails": ["bea@corp.example"], "importIds": ["2"] });
    bad[field] = value;
    json!({ "users": [good, bad] }).to_string()
}

pub fn rows() -> Vec<WrongBody> {
    let mut rows = vec![
        body(
            "no JSON",
            "{\"users\": [",
            "the body is not valid JSON: EOF while parsing a list at line 1 column 11",
            "the body ends within its JSON, at line 1, column 11: send the whole of it",
        ),
        body(
            "no users",
            "{}",
            "must have required property 'users'",
            "users missing: give a list, as in {\"users\": [{\"emails\": [\"ann@example.com\"], \"importIds\": [\"1\"]}]}",
        ),
        body(
            "users that are no list",
            json!({ "users": {} }).to_string(),
            "must be array",
            "at /users: users is an object: give a list, as in {\"users\": [{\"emails\": [\"ann@example.com\"], \
             \"importIds\": [\"1\"]}]}",
        ),
        body(
            "something beside the users",
            json!({ "users": [], "run": true }).to_string(),
            "must NOT have additional properties",
            "\"run\" is no field of this body, which has users alone: leave it out",
        ),
        body(
            "a text in place of a user",
            json!({ "users": ["ann"] }).to_string(),
            "must be object",
            "user 0: a user must be an object, as in {\"emails\": [\"ann@example.com\"], \"importIds\": [\"1\"]}, not \"ann\"",
        ),
        body(
            "no emails at all",
            json!({ "users": [{ "importIds": [7] }] }).to_string(),
            "must have required property 'emails'",
            "user 0: emails missing: give a list of texts (import id 7)",
        ),
        body(
            "an address of blanks",
            second_with("emails", json!([" "])),
            MISSING_DATA,
            "user 1: emails hold no address: give one (import id 2)",
        ),
        body(
            "a list of no ids",
            second_with("importIds", json!([])),
            MISSING_DATA,
            "user 1: importIds hold no id: give the id of the system that the user comes from",
        ),
        body(
            "own fields that are none",
            second_with("customFields", json!("sales")),
            "must be object,null",
            "user 1: customFields is \"sales\": give an object (import id 2)",
        ),
        body(
            "neither yes nor no",
            second_with("deleted", json!("maybe")),
            "must be boolean,null",
            "user 1: deleted is \"maybe\": give true or false (import id 2)",
        ),
        body(
            "a name that is a list",
            second_with("name", json!(["Bea"])),
            "must be string,null",
            "user 1: name is [\"Bea\"]: give a text (import id 2)",
        ),
        body(
            "a role that nobody knows",
            second_with("roles", json!(["ghost"])),
            "One or more of the users have been assigned invalid roles.",
            "user 1: there is no role ghost: give the id of one that is there (import id 2)",
        ),
        body(
            "a field that no database takes",
            second_with("a\0b", json!(1)),
            "a name must NOT have a NUL character",
            "user 1: the name \"a\\u{0}b\" holds a NUL character: leave it out (import id 2)",
        ),
    ];
    rows.extend(of_runs());
    rows
}

fn of_runs() -> [WrongBody; 2] {
    [
        WrongBody {
            endpoint: RUN,
            ..body(
                "a rule that is none",
                json!({ "onExisting": "merge" }).to_string(),
                "must be one of fail, skip, link, update /onExisting",
                "at /onExisting: onExisting is \"merge\": give one of fail, skip, link and update",
            )
        },
        WrongBody {
            endpoint: RUN,
            ..body(
                "an import that is another one",
                json!({ "operationId": "another" }).to_string(),
                "The newest import operation is not the one in operationId.",
                "operationId is \"another\", and the newest operation is \"THE NEWEST\": give that one, or leave operationId out",
            )
        },
    ]
}
