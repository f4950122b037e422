//! Files and users out of public reports of bulk imports, over the API: each is read, or refused with whom and why.

use bson::{Bson, Document, doc};
use serde_json::{Value, json};

use crate::{
    harness::{Service, Workspace, served, staged_user},
    spreadsheet_files::{TableFile, tables},
};

const CHECK: &str = "/api/v1/import.check?users=true&name=";
const BCRYPT: &str = "$2b$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde";

/// The users that the file holds, and its problems and warnings, each with its line.
async fn read(service: &Service, name_and_query: &str, text: &str) -> (Vec<Value>, Vec<(u64, String)>) {
    let answer = service.post_body(&format!("{CHECK}{name_and_query}"), None, text).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let users = lines.iter().filter_map(|line| line.get("user")).cloned().collect();
    let problems = lines.iter().filter_map(|line| line.get("problem"));
    let told = problems.map(|problem| {
        let id = problem["importId"].as_str().map(|id| format!(" (import id {id})")).unwrap_or_default();
        (problem["line"].as_u64().unwrap_or_default(), format!("{}{id}", problem["reason"].as_str().unwrap()))
    });
    (users, told.collect())
}

#[tokio::test]
async fn tables_that_spreadsheets_leave_are_read_or_refused_by_line() {
    let (_workspace, service) = served().await;
    for TableFile { name, text, users, told } in tables() {
        let (found, said) = read(&service, name, text).await;
        assert_eq!(Value::from(found), users, "{name}: {said:?}");
        assert_eq!(said.len(), told.len(), "{name}: {said:?}");
        for ((line, words), (said_line, sentence)) in told.iter().zip(&said) {
            assert!(line == said_line && sentence.contains(words), "{name}: {said:?} lacks {words:?} of line {line}");
        }
    }
    let words = "Username;E-Mail;Full Name\nann;ann@corp.example;Ann Lee\n";
    let (users, told) = read(&service, "a.csv&importIdFrom=username", words).await;
    assert_eq!((users.len(), &users[0]["name"]), (1, &json!("Ann Lee")), "{told:?}");
}

#[tokio::test]
async fn lists_of_other_programs_are_recognised_or_named() {
    let (_workspace, service) = served().await;
    let failed = "\u{feff}\"importIds\",\"emails\",\"username\",\"errors\"\r\n\"'+4915\",\"a@corp.example\",\"'@bob\",\"taken\"\r\n";
    let bob = json!({ "importIds": ["+4915"], "emails": ["a@corp.example"], "username": "@bob" });
    let (users, _) = read(&service, "failed-users.csv", failed).await;
    assert_eq!(users, [bob]);

    let slack = "username,email,status,billing-active,has-2fa,has-sso,userid,fullname,displayname,expiration-timestamp\n\
                 ann,ann@corp.example,Admin,1,0,0,U01ANN,Ann Lee,annie,\nci,,Bot,0,0,0,U02CI,CI Bot,,\n\
                 old,old@corp.example,Deactivated,0,0,0,U03OLD,Old One,,\n";
    let (users, told) = read(&service, "members.csv", slack).await;
    let named: Vec<_> = users.iter().map(|user| (&user["importIds"][0], &user["roles"], &user["deleted"])).collect();
    assert_eq!(
        named,
        [(&json!("U01ANN"), &json!(["admin"]), &Value::Null), (&json!("U03OLD"), &Value::Null, &json!(true))]
    );
    assert!(told.iter().any(|(line, reason)| *line == 3 && reason.contains("\"ci\"")), "{told:?}");

    let account = json!({
        "_id": "a1", "username": "ann", "emails": [{ "address": "ann@corp.example", "verified": true }], "type": "user",
        "active": false, "roles": ["user"], "name": "Ann", "utcOffset": 1,
    });
    let list = json!({ "users": [account], "count": 1, "offset": 0, "total": 1, "success": true }).to_string();
    let ann = json!({
        "importIds": ["a1"], "username": "ann", "emails": ["ann@corp.example"], "type": "user", "deleted": true,
        "roles": ["user"], "name": "Ann", "utcOffset": 1,
    });
    let (users, _) = read(&service, "list.json", &list).await;
    assert_eq!(users, [ann]);
    let mut exported = account;
    exported["services"] = json!({ "password": { "bcrypt": BCRYPT }, "resume": { "loginTokens": ["SECRET"] } });
    let (users, _) = read(&service, "users.jsonl", &exported.to_string()).await;
    assert_eq!(users[0]["services"], json!({ "password": { "bcrypt": BCRYPT } }));

    let mattermost = "{\"type\":\"version\",\"version\":1}\n\
                      {\"type\":\"user\",\"user\":{\"username\":\"ann\",\"email\":\"ann@corp.example\"}}\n";
    let (users, told) = read(&service, "bulk.jsonl", mattermost).await;
    assert!(users.is_empty() && told.len() == 1 && told[0].1.contains("Mattermost bulk file"), "{told:?}");
    let (users, _) = read(&service, "bulk.jsonl&from=mattermost", mattermost).await;
    assert_eq!(users[0]["username"], "ann");
}

#[tokio::test]
async fn a_user_without_an_address_keeps_all_out_and_is_named() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let person = |emails: Value| json!({ "importIds": ["x"], "username": "bot", "emails": emails });
    let bot = json!({ "importIds": ["x"], "username": "bot", "type": "bot" });
    for bad in [bot, person(json!([])), person(json!([""])), person(json!([" "])), person(Value::Null)] {
        let answer = service.try_add_users(&[staged_user(0), staged_user(1), bad.clone()]).await;
        assert_eq!(answer.status, 400, "{bad}");
        let details = &answer.json()["details"];
        let is_named = details["users"][0]["index"] == 2 && details["users"][0]["importId"] == "x";
        assert!(is_named || answer.body.contains("/users/2"), "{bad}: {}", answer.body);
    }
    assert_eq!(workspace.count_staged().await, 0);
}

/// The roles of each account, by user name.
async fn roles(workspace: &Workspace) -> Vec<(String, Bson)> {
    let mut accounts: Vec<Document> = workspace.imported().await;
    accounts.sort_by_key(|account| account.get_str("username").unwrap().to_owned());
    let roles = |account: &Document| account.get("roles").cloned().unwrap_or(Bson::Null);
    accounts.iter().map(|account| (account.get_str("username").unwrap().to_owned(), roles(account))).collect()
}

#[tokio::test]
async fn accounts_have_their_own_roles_and_the_default_ones_each_once() {
    let (workspace, service) = served().await;
    let agent = doc! { "_id": "livechat-agent", "name": "livechat-agent" };
    workspace.collection("rocketchat_roles").insert_one(agent).await.unwrap();
    workspace.set("Accounts_Registration_Users_Default_Roles", "user, livechat-agent ,user").await;
    let mut users: Vec<Value> = (0..5).map(staged_user).collect();
    for (user, own) in users.iter_mut().zip([json!(["admin", "admin"]), json!(["user"]), json!([]), Value::Null]) {
        user["roles"] = own;
    }
    service.stage(&users).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let list = |roles: &[&str]| Bson::from(roles.to_vec());
    let defaults = || list(&["user", "livechat-agent"]);
    let expected: Vec<(String, Bson)> =
        [list(&["admin", "user", "livechat-agent"]), defaults(), defaults(), defaults(), defaults()]
            .into_iter()
            .enumerate()
            .map(|(number, roles)| (format!("user{number}"), roles))
            .collect();
    assert_eq!(roles(&workspace).await, expected);
}

#[tokio::test]
async fn people_with_neighbouring_long_ids_stay_two() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let body = r#"{"users":[{"importIds":[1523,"007",76561198000000001],"emails":["a@corp.example"],"username":42},
                            {"importIds":[76561198000000002],"emails":["b@corp.example"]}]}"#;
    let answer = service.post_body("/api/v1/import.addUsers", Some("application/json"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let staged = workspace.staged_data().await;
    let ids = |place: usize| staged[place].get_array("importIds").unwrap().clone();
    assert_eq!(ids(0), [Bson::from("1523"), Bson::from("007"), Bson::from("76561198000000001")]);
    assert_eq!(ids(1), [Bson::from("76561198000000002")]);
    assert_eq!(staged[0].get_str("username").unwrap(), "42");

    // The last digits of these are lost as soon as they are read as numbers.
    let body = r#"{"users":[{"importIds":["1"],"emails":["c@corp.example"]},
                            {"importIds":[20240101123456789012],"emails":["d@corp.example"]}]}"#;
    let answer = service.post_body("/api/v1/import.addUsers", Some("application/json"), body).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("/users/1/importIds/0") && answer.body.contains("must be string"), "{}", answer.body);
    assert_eq!(workspace.count_staged().await, 2);
}

#[tokio::test]
async fn a_refused_call_leaves_those_who_are_staged_and_their_number_as_they_are() {
    let (workspace, service) = served().await;
    service.stage(&[staged_user(0), staged_user(1), staged_user(2)]).await;
    let before = (workspace.operations().await, workspace.staged().await);
    let person = |emails: Value| json!({ "importIds": ["x"], "username": "bot", "emails": emails });
    let bot = json!({ "importIds": ["x"], "username": "bot", "type": "bot" });
    for bad in [bot, person(json!([])), person(json!([""])), person(json!([" "])), person(Value::Null)] {
        let answer = service.try_add_users(&[staged_user(3), bad.clone()]).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert_eq!((workspace.operations().await, workspace.staged().await), before, "{bad}");
        let count = service.status().await.json()["operation"]["count"].clone();
        assert_eq!(count, json!({ "total": 3, "users": 3 }), "{bad}");
    }
    service.add_users(&[staged_user(3)]).await;
    let count = service.status().await.json()["operation"]["count"].clone();
    assert_eq!(count, json!({ "total": 4, "users": 4 }));
}

#[tokio::test]
async fn where_a_list_comes_from_is_remarked_and_can_be_named() {
    let (_workspace, service) = served().await;
    for query in ["users.csv", "users.csv&from=rocketchat"] {
        let answer = service.post_body(&format!("{CHECK}{query}"), None, "ann.lee,ann@corp.example,Ann Lee\n").await;
        let end: Value = serde_json::from_str(answer.body.lines().last().unwrap()).unwrap();
        let remark = "read as Rocket.Chat's users.csv without a header (username, address, name) (--from rocketchat)";
        assert_eq!(end["end"]["remarks"], json!([remark]), "{query}: {}", answer.body);
        assert_eq!(end["end"]["findings"]["from"], "rocketchat");
    }
    let bots = "username,email,status,userid\nci,ci@corp.example,Bot,U02CI\n";
    let (users, told) = read(&service, "members.csv&from=slack-members", bots).await;
    let ci = json!({ "username": "ci", "emails": ["ci@corp.example"], "type": "bot", "importIds": ["U02CI"] });
    assert_eq!(users, [ci], "{told:?}");
}
