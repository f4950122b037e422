//! Bodies that are refused, each with its reason, and after each the import is as it was.

use serde_json::{Value, json};

use super::{ADD_USERS, JSON, schema_error};
use crate::harness::{Answer, Service, Workspace, served, staged_users};

const MISSING_DATA: &str = "Users are missing required data.";
const INVALID_ROLES: &str = "One or more of the users have been assigned invalid roles.";

/// How a body is to be answered, with 400.
enum Expected {
    Body(String),
    /// With the parser's own words for the fault in the JSON.
    NotJson,
    /// With Rocket.Chat's sentence and the users to blame.
    Users(&'static str, Value),
}

struct Case {
    name: String,
    content_type: Option<&'static str>,
    body: Vec<u8>,
    expected: Expected,
}

/// The cases of one table over one import, in which nothing may ever change.
async fn assert_refused(cases: Vec<Case>) {
    let (workspace, service) = served().await;
    service.new_import().await;
    let before = workspace.operations().await;
    for case in cases {
        let answer = service.post_body(ADD_USERS, case.content_type, case.body).await;
        assert_bad_request(&answer, &case.expected, &case.name);
        assert_eq!(workspace.staged().await, [], "{}", case.name);
        assert_eq!(workspace.operations().await, before, "{}", case.name);
    }
    assert_still_takes_users(&workspace, &service).await;
}

fn assert_bad_request(answer: &Answer, expected: &Expected, case: &str) {
    assert_eq!(answer.status, 400, "{case}: {}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{case}");
    match expected {
        Expected::Body(body) => assert_eq!(&without_sentences(&answer.body), body, "{case}"),
        Expected::Users(reason, users) => {
            let body = answer.json();
            assert_eq!((&body["success"], &body["error"]), (&json!(false), &json!(reason)), "{case}");
            assert_eq!((&body["details"]["users"], &body["details"]["more"]), (users, &json!(0)), "{case}");
        }
        Expected::NotJson => {
            let start = r#"{"success":false,"errorType":"invalid-params","error":"the body is not valid JSON: "#;
            assert!(answer.body.starts_with(start), "{case}: {}", answer.body);
            assert!(answer.json()["error"].as_str().unwrap().contains(" at line "), "{case}: {}", answer.body);
            let reason = answer.json()["details"]["reason"].as_str().unwrap_or_default().to_owned();
            assert!(reason.contains(", column ") && reason.contains(": send "), "{case}: {}", answer.body);
        }
    }
}

/// The body without the sentence that its place in the body comes with, and that about a user.
fn without_sentences(body: &str) -> String {
    let start = body.split_once(r#","users":[{"index":"#).or_else(|| body.split_once(r#","reason":""#));
    match start {
        Some((start, _)) => format!("{start}}}}}"),
        None => body.to_owned(),
    }
}

async fn assert_still_takes_users(workspace: &Workspace, service: &Service) {
    service.add_users(&staged_users(0..1)).await;
    assert_eq!(workspace.staged().await.len(), 1);
}

fn not_json(name: &str, body: impl Into<Vec<u8>>) -> Case {
    Case { name: name.to_owned(), content_type: JSON, body: body.into(), expected: Expected::NotJson }
}

fn refused(name: &str, body: impl Into<Vec<u8>>, answer: String) -> Case {
    Case { name: name.to_owned(), content_type: JSON, body: body.into(), expected: Expected::Body(answer) }
}

/// The only user to blame stands at this place.
fn blamed(name: &str, body: String, reason: &'static str, user: &Value) -> Case {
    let expected = Expected::Users(reason, json!([user]));
    Case { name: name.to_owned(), content_type: JSON, body: body.into(), expected }
}

fn of_type(name: &str, content_type: Option<&'static str>, body: &str) -> Case {
    let answer = r#"{"success":false,"errorType":"invalid-params","error":"the body must be sent with the content type application/json"}"#;
    Case { name: name.to_owned(), content_type, body: body.into(), expected: Expected::Body(answer.to_owned()) }
}

const GOOD: &str = r#"{"users":[{"emails":["a@example.com"],"importIds":["1"]}]}"#;

/// A good body, but for these bytes as the user's name.
fn with_name(name: &[u8]) -> Vec<u8> {
    [br#"{"users":[{"emails":["a@example.com"],"importIds":["1"],"name":"#, name, b"}]}"].concat()
}

#[tokio::test]
async fn a_body_that_is_not_json_is_told_where_it_breaks_and_changes_nothing() {
    let deep = |opening: &str, closing: &str| [opening.repeat(100_000), closing.repeat(100_000)].concat();
    assert_refused(vec![
        not_json("white space", "  "),
        not_json("cut off at once", "{"),
        not_json("cut off in a user", &GOOD.as_bytes()[..GOOD.len() - 9]),
        not_json("a list that never ends", r#"{"users":[}"#),
        not_json("single quotes", "{'users':[]}"),
        not_json("names without quotes", "{users:[]}"),
        not_json("a comma too many", r#"{"users":[],}"#),
        not_json("something after the end", format!("{GOOD} x")),
        not_json("two bodies", format!("{GOOD}{GOOD}")),
        not_json("a bare word", "users"),
        not_json("a number that is none", r#"{"users":[NaN]}"#),
        not_json("a comment", r#"{"users":[]/* none */}"#),
        not_json("text that is not UTF-8", with_name(b"\"\xff\xfe\"")),
        not_json("half of a character", with_name(b"\"\xc3\"")),
        not_json("a lone surrogate", with_name(br#""\ud800""#)),
        not_json("a pair of surrogates the wrong way round", with_name(br#""\udc00\ud800""#)),
        not_json("a line break inside a text", with_name(b"\"a\nb\"")),
        not_json("an escape that does not exist", with_name(br#""\x41""#)),
        not_json("a number beyond all numbers", with_name(b"1e400")),
        not_json("a number with a leading zero", with_name(b"007")),
        not_json("lists within lists in a user", with_name(deep("[", "]").as_bytes())),
        not_json("objects within objects in a user", with_name(deep(r#"{"a":"#, "}").as_bytes())),
        not_json("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00".as_slice()),
        not_json("UTF-16", GOOD.bytes().flat_map(|byte| [byte, 0]).collect::<Vec<u8>>()),
    ])
    .await;
}

#[tokio::test]
async fn a_body_that_is_sent_as_something_else_than_json_is_refused_and_changes_nothing() {
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"users\"\r\n\r\n[]\r\n--x--\r\n";
    assert_refused(vec![
        of_type("good JSON as plain text", Some("text/plain"), GOOD),
        of_type("good JSON without a content type", None, GOOD),
        of_type("good JSON with an empty content type", Some(""), GOOD),
        of_type("good JSON as a form", Some("application/x-www-form-urlencoded"), GOOD),
        of_type("a form", Some("application/x-www-form-urlencoded"), "users[0][emails][]=a@example.com"),
        of_type("a multipart form", Some("multipart/form-data; boundary=x"), multipart),
        of_type("XML", Some("application/xml"), "<users/>"),
        of_type("JSON by another name", Some("text/json"), GOOD),
    ])
    .await;
}

#[tokio::test]
async fn a_body_without_a_list_of_users_is_told_so_and_changes_nothing() {
    let missing = || schema_error("must have required property 'users'", "");
    let no_object = || schema_error("must be object", "");
    let additional = || schema_error("must NOT have additional properties", "");
    let no_list = || schema_error("must be array", "/users");
    let user = &GOOD[9..GOOD.len() - 1];
    let mut no_body = refused("no body at all", "", missing());
    no_body.content_type = None;
    assert_refused(vec![
        no_body,
        refused("an empty body", "", missing()),
        refused("an empty object", "{}", missing()),
        refused("lists within lists", ["[".repeat(100_000), "]".repeat(100_000)].concat(), no_object()),
        refused("users with a capital", r#"{"Users":[]}"#, missing()),
        refused("the body as text in `payload`", format!(r#"{{"payload":{}}}"#, json!(GOOD)), missing()),
        refused("a list of nothing", "[]", no_object()),
        refused("a list of bodies", format!("[{GOOD}]"), no_object()),
        refused("the list alone", user, no_object()),
        refused("a text", r#""users""#, no_object()),
        refused("a number", "7", no_object()),
        refused("yes", "true", no_object()),
        refused("null", "null", no_object()),
        refused("something beside the users", format!(r#"{{"users":{user},"dryRun":true}}"#), additional()),
        refused("something before no users", r#"{"dryRun":true,"users":[]}"#, additional()),
        refused("an empty name beside the users", format!(r#"{{"users":{user},"":1}}"#), additional()),
        refused("a NUL beside the users", format!(r#"{{"users":{user},"\u0000":1}}"#), additional()),
        refused("users are null", r#"{"users":null}"#, no_list()),
        refused("users are an object", r#"{"users":{"0":{}}}"#, no_list()),
        refused("users are a text", r#"{"users":"[]"}"#, no_list()),
        refused("users are a number", r#"{"users":0}"#, no_list()),
        refused("users are a no", r#"{"users":false}"#, no_list()),
        refused("users twice, the second no list", format!(r#"{{"users":{user},"users":1}}"#), no_list()),
    ])
    .await;
}

/// The cases where `value` stands for a whole user.
fn user_is(name: &str, value: &Value, problem: &str, path: &str) -> Case {
    refused(name, json!({ "users": [value] }).to_string(), schema_error(problem, path))
}

#[tokio::test]
async fn something_that_is_no_user_is_told_with_its_place_and_changes_nothing() {
    let no_emails = "must have required property 'emails'";
    let no_import_ids = "must have required property 'importIds'";
    let good = json!({ "emails": ["a@example.com"], "importIds": ["1"] });
    assert_refused(vec![
        user_is("null", &Value::Null, "must be object", "/users/0"),
        user_is("a text", &json!("a@example.com"), "must be object", "/users/0"),
        user_is("a number", &json!(1), "must be object", "/users/0"),
        user_is("yes", &json!(true), "must be object", "/users/0"),
        user_is("a list", &json!([]), "must be object", "/users/0"),
        user_is("an empty user", &json!({}), no_emails, "/users/0"),
        user_is("no addresses", &json!({ "importIds": ["1"] }), no_emails, "/users/0"),
        user_is("one address", &json!({ "importIds": ["1"], "email": "a@example.com" }), no_emails, "/users/0"),
        user_is("no import ids", &json!({ "emails": ["a@example.com"] }), no_import_ids, "/users/0"),
        user_is("neither, and a wrong name", &json!({ "name": {} }), no_emails, "/users/0"),
        refused("the second of two", json!({ "users": [good, {}] }).to_string(), schema_error(no_emails, "/users/1")),
        refused(
            "the first of two bad ones",
            json!({ "users": [good, 5, null] }).to_string(),
            schema_error("must be object", "/users/1"),
        ),
    ])
    .await;
}

/// A good user, but for this field.
fn field_is(field: &str, value: &Value, problem: &str, path: &str) -> Case {
    let mut user = json!({ "emails": ["a@example.com"], "importIds": ["1"] });
    user[field] = value.clone();
    user_is(&format!("{field} is {value}"), &user, problem, &format!("/users/0/{path}"))
}

#[tokio::test]
async fn a_field_of_the_wrong_kind_is_told_with_its_place_and_changes_nothing() {
    let mut cases = Vec::new();
    for field in ["username", "name", "avatarUrl", "statusText", "type", "bio", "password"] {
        for value in [json!({}), json!({ "$ne": null }), json!([]), json!(["text"]), json!([[["text"]]])] {
            cases.push(field_is(field, &value, "must be string,null", field));
        }
    }
    for value in [json!("abc"), json!("1h"), json!("5,5"), json!("1 2"), json!("inf"), json!([]), json!([1]), json!({})]
    {
        cases.push(field_is("utcOffset", &value, "must be number,null", "utcOffset"));
    }
    for value in [json!("yes"), json!("TRUE"), json!("1"), json!(2), json!(-1), json!(0.5), json!([]), json!({})] {
        cases.push(field_is("deleted", &value, "must be boolean,null", "deleted"));
    }
    for field in ["emails", "importIds", "roles"] {
        for value in [json!("user"), json!("a,b"), json!(1), json!(true), json!({}), json!({ "0": "user" })] {
            let problem = if field == "roles" { "must be array,null" } else { "must be array" };
            cases.push(field_is(field, &value, problem, field));
        }
        for value in [json!([{}]), json!([[]]), json!([["user"]]), json!([{ "address": "a@example.com" }])] {
            cases.push(field_is(field, &value, "must be string", &format!("{field}/0")));
        }
        cases.push(field_is(field, &json!(["user", "user", [1]]), "must be string", &format!("{field}/2")));
    }
    for field in ["emails", "importIds"] {
        for value in [Value::Null, json!(""), json!(0), json!(false)] {
            cases.push(field_is(field, &value, "must be array", field));
        }
    }
    for field in ["customFields", "services"] {
        for value in [json!("{}"), json!([]), json!(1), json!(true)] {
            cases.push(field_is(field, &value, "must be object,null", field));
        }
    }
    for value in [json!("true"), json!(1), json!({})] {
        cases.push(field_is("federated", &value, "must be boolean,null", "federated"));
    }
    assert!(cases.len() >= 60, "{}", cases.len());
    assert_refused(cases).await;
}

#[tokio::test]
async fn the_first_wrong_field_is_told_in_the_order_of_the_schema() {
    let user = json!({ "password": {}, "roles": 5, "importIds": 1, "emails": [], "username": "a" });
    let cases = vec![user_is("several", &user, "must be array", "/users/0/importIds")];
    assert_refused(cases).await;
}

#[tokio::test]
async fn a_name_that_the_database_would_cut_off_is_refused_and_changes_nothing() {
    let problem = "a name must NOT have a NUL character";
    assert_refused(vec![
        field_is("a\0b", &json!(1), problem, "a\0b"),
        field_is("\0", &Value::Null, problem, "\0"),
        field_is("customFields", &json!({ "a\0": 1 }), problem, "customFields/a\0"),
        field_is("extra", &json!([1, { "deep": { "\0a": 1 } }]), problem, "extra/1/deep/\0a"),
        // A pointer's own signs are written as RFC 6901 has it.
        field_is("a/b~c", &json!({ "\0": 1 }), problem, "a~1b~0c/\0"),
    ])
    .await;
}

#[tokio::test]
async fn users_without_an_address_or_an_import_id_are_refused_and_change_nothing() {
    let user = |emails: Value, import_ids: Value| json!({ "emails": emails, "importIds": import_ids });
    let address = json!({ "index": 0, "importId": "1", "reason": "emails hold no address: give one" });
    let import_id =
        json!({ "index": 0, "reason": "importIds hold no id: give the id of the system that the user comes from" });
    let both = json!({ "index": 0, "reason": "emails hold no address: give one; importIds hold no id: give the id of the system that the user comes from" });
    let cases = [
        ("no address in the list", user(json!([]), json!(["1"])), &address),
        ("no import id in the list", user(json!(["a@example.com"]), json!([])), &import_id),
        ("nothing in either", user(json!([]), json!([])), &both),
        ("an empty address", user(json!([""]), json!(["1"])), &address),
        ("an empty import id", user(json!(["a@example.com"]), json!([""])), &import_id),
        ("only empty addresses", user(json!(["", "", ""]), json!(["1"])), &address),
        ("an address of blanks", user(json!([" "]), json!(["1"])), &address),
        ("an import id of blanks", user(json!(["a@example.com"]), json!(["  "])), &import_id),
        ("an address that is null", user(json!([null]), json!(["1"])), &address),
        ("an import id that is null", user(json!(["a@example.com"]), json!([null])), &import_id),
    ];
    let body = |user: &Value| json!({ "users": [user] }).to_string();
    let cases = cases.iter().map(|(name, user, blame)| blamed(name, body(user), MISSING_DATA, blame));
    assert_refused(cases.collect()).await;
}

#[tokio::test]
async fn roles_that_do_not_exist_are_refused_and_change_nothing() {
    let cases = [
        ("an unknown one", json!(["owner-of-everything"]), "owner-of-everything"),
        ("a known and an unknown one", json!(["admin", "nobody"]), "nobody"),
        ("another letter case", json!(["Admin"]), "Admin"),
        ("white space around it", json!([" admin"]), " admin"),
        ("an empty one", json!([""]), ""),
        ("null", json!([null]), ""),
        ("a number", json!([1]), "1"),
    ];
    let body = |roles: &Value| {
        json!({ "users": [{ "emails": ["a@example.com"], "importIds": ["1"], "roles": roles }] }).to_string()
    };
    let cases = cases.iter().map(|(name, roles, role)| {
        let blame = json!({ "index": 0, "importId": "1", "reason": format!("there is no role {role}: give the id of one that is there") });
        blamed(name, body(roles), INVALID_ROLES, &blame)
    });
    assert_refused(cases.collect()).await;
}

#[tokio::test]
async fn one_bad_user_among_a_thousand_keeps_all_of_them_out() {
    let among = |position: usize, bad: Value| {
        let mut users = staged_users(0..1000);
        users.insert(position, bad);
        json!({ "users": users }).to_string()
    };
    let without_address = json!({ "emails": [""], "importIds": ["x"] });
    let with_role = json!({ "emails": ["x@example.com"], "importIds": ["x"], "roles": ["nobody"] });
    assert_refused(vec![
        refused("a text", among(1000, json!("x")), schema_error("must be object", "/users/1000")),
        refused(
            "no import ids",
            among(500, json!({ "emails": [] })),
            schema_error("must have required property 'importIds'", "/users/500"),
        ),
        blamed(
            "no address",
            among(999, without_address),
            MISSING_DATA,
            &json!({ "index": 999, "importId": "x", "reason": "emails hold no address: give one" }),
        ),
        blamed(
            "an unknown role",
            among(0, with_role),
            INVALID_ROLES,
            &json!({ "index": 0, "importId": "x", "reason": "there is no role nobody: give the id of one that is there" }),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_refusal_names_the_first_twenty_users_to_blame_the_role_of_that_name_and_a_wrong_setting() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let teacher = bson::doc! { "_id": "k9Xw3fTtQmR2aZ7pL", "name": "Teacher" };
    workspace.collection("rocketchat_roles").insert_one(teacher).await.unwrap();
    let mut users = staged_users(0..400);
    for user in &mut users[370..] {
        user["roles"] = json!(["Teacher"]);
    }
    let details = service.try_add_users(&users).await.json()["details"].clone();
    let reason = "there is no role Teacher: Teacher is the name of the role k9Xw3fTtQmR2aZ7pL, give k9Xw3fTtQmR2aZ7pL";
    assert_eq!(details["users"][0], json!({ "index": 370, "importId": "id370", "reason": reason }));
    assert_eq!((details["users"].as_array().unwrap().len(), &details["more"]), (20, &json!(10)));
    assert!(details.get("setting").is_none(), "{details}");

    workspace.set("Accounts_Registration_Users_Default_Roles", "user,staff").await;
    let details = service.try_add_users(&users[..300]).await.json()["details"].clone();
    let setting = "the setting Accounts_Registration_Users_Default_Roles is wrong: there is no role staff: give the id of one that is there";
    assert_eq!(details, json!({ "users": [], "more": 0, "setting": setting }));
    assert_eq!(workspace.count_staged().await, 0);
}

#[tokio::test]
async fn the_first_twenty_users_of_a_wrong_shape_are_named_and_the_others_counted() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let mut users = staged_users(0..12);
    users[2].as_object_mut().unwrap().remove("emails");
    users[5] = Value::Null;
    users[9] = json!({ "importIds": ["ci"], "username": "ci", "type": "bot" });
    let answer = service.try_add_users(&users).await;
    let body = answer.json();
    let error = "must have required property 'emails'";
    assert_eq!((answer.status.as_u16(), &body["errorType"]), (400, &json!("invalid-params")), "{answer:?}");
    let missing = "emails missing: give a list of texts";
    let no_object = r#"a user must be an object, as in {"emails": ["ann@example.com"], "importIds": ["1"]}, not null"#;
    let blamed = json!([
        { "index": 2, "importId": "id2", "reason": missing },
        { "index": 5, "reason": no_object },
        { "index": 9, "importId": "ci", "reason": missing },
    ]);
    let details = json!({ "path": "/users/2", "users": blamed, "more": 0 });
    assert_eq!((&body["error"], &body["details"]), (&json!(error), &details));

    let mut users = staged_users(0..30);
    for user in &mut users[3..28] {
        user["emails"] = Value::Null;
    }
    let body = service.try_add_users(&users).await.json();
    let details = &body["details"];
    assert_eq!((&body["error"], &details["path"]), (&json!("must be array"), &json!("/users/3/emails")));
    let indexes: Vec<u64> =
        details["users"].as_array().unwrap().iter().map(|user| user["index"].as_u64().unwrap()).collect();
    assert_eq!((indexes, &details["more"]), ((3..23).collect(), &json!(5)), "{body}");

    // No JSON either, but behind the first fault.
    let odd = r#"{"users":[{},{"emails":["a@example.com"],"importIds":["1"],"name":"\ud800"}]}"#;
    let body = service.post_body(ADD_USERS, JSON, odd).await.json();
    assert_eq!((&body["error"], &body["details"]["path"]), (&json!(error), &json!("/users/0")), "{body}");
    let reason = body["details"]["users"][1]["reason"].as_str().unwrap();
    assert!(reason.contains("is not valid JSON"), "{reason}");
    assert_eq!(workspace.count_staged().await, 0);
}
