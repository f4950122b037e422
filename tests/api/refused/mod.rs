//! Sixty wrong files and bodies, and the whole answer to each: where, whose, which value, and the way out.
//!
//! `--nocapture` prints the table.

mod bodies;
mod csv;
mod encodings;
mod json;
mod workbooks;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::harness::{Answer, Service, served};

const CHECK: &str = "/api/v1/import.check";

/// A wrong file, and the whole sentence about it.
struct WrongFile {
    what: &'static str,
    file: Vec<u8>,
    query: &'static str,
    kind: &'static str,
    says: &'static str,
}

fn wrong(what: &'static str, file: impl Into<Vec<u8>>, kind: &'static str, says: &'static str) -> WrongFile {
    WrongFile { what, file: file.into(), query: "", kind, says }
}

impl WrongFile {
    fn with(self, query: &'static str) -> Self {
        Self { query, ..self }
    }
}

/// A wrong body, Rocket.Chat's sentence about it, and the sentence about the user, or the place.
struct WrongBody {
    what: &'static str,
    endpoint: &'static str,
    body: Vec<u8>,
    error: &'static str,
    says: &'static str,
}

/// What a check says first of a file: the line, the sentence, and the import id where it is known.
fn first_problem(answer: &Answer) -> (String, String) {
    let body = answer.json();
    if answer.status != 200 {
        return ("parameter".to_owned(), body["error"].as_str().unwrap().to_owned());
    }
    let Some(problem) = body["problems"].get(0) else { return (String::new(), format!("nothing: {body}")) };
    let id = problem["importId"].as_str().map(|id| format!(" (import id {id})")).unwrap_or_default();
    let sentence = format!("line {}: {}{id}", problem["line"], problem["reason"].as_str().unwrap());
    (problem["kind"].as_str().unwrap().to_owned(), sentence)
}

/// What a refused call says: the user, or the place in the body.
fn about_body(answer: &Answer) -> String {
    let details = &answer.json()["details"];
    if let Some(user) = details["users"].get(0) {
        let id = user["importId"].as_str().map(|id| format!(" (import id {id})")).unwrap_or_default();
        return format!("user {}: {}{id}", user["index"], user["reason"].as_str().unwrap());
    }
    if let Some(setting) = details["setting"].as_str() {
        return setting.to_owned();
    }
    let place = details["path"].as_str().filter(|path| !path.is_empty()).map(|path| format!("at {path}: "));
    let reason = details["reason"].as_str().unwrap_or_default();
    // Another one with each run.
    let reason = details["newest"].as_str().map_or(reason.to_owned(), |newest| reason.replace(newest, "THE NEWEST"));
    place.unwrap_or_default() + &reason
}

/// The sentence without the parts that belong to its row alone.
fn check_of(sentence: &str) -> String {
    let outside = sentence.split('"').step_by(2).collect::<String>();
    let outside = outside.split(" (import id").next().unwrap_or_default().to_owned();
    outside.chars().filter(|sign| !sign.is_ascii_digit()).collect()
}

/// Prints a table, and finds the rows whose answer is another one.
struct Table {
    wrong: Vec<String>,
    checks: HashMap<String, &'static str>,
}

impl Table {
    fn row(&mut self, area: &str, what: &'static str, expected: &str, told: &str) {
        println!("{area:10} {what:44} {told}");
        if expected != told {
            self.wrong.push(format!("{area}, {what}:\n  expected {expected}\n  told     {told}"));
        }
        if let Some(other) = self.checks.insert(check_of(told), what) {
            self.wrong.push(format!("{area}: {what} and {other} are found by one check: {told}"));
        }
    }
}

async fn files(table: &mut Table, service: &Service, area: &str, rows: Vec<WrongFile>) -> usize {
    let count = rows.len();
    for WrongFile { what, file, query, kind, says } in rows {
        let answer = service.post_body(&format!("{CHECK}{query}"), None, file).await;
        let (found, sentence) = first_problem(&answer);
        table.row(area, what, says, &sentence);
        if kind != found {
            table.wrong.push(format!("{area}, {what}: the kind is {found}, not {kind}"));
        }
    }
    count
}

async fn bodies(table: &mut Table, service: &Service, rows: Vec<WrongBody>) -> usize {
    let count = rows.len();
    for WrongBody { what, endpoint, body, error, says } in rows {
        let answer = service.post_body(endpoint, Some("application/json"), body).await;
        let expected = format!("{error} | {says}");
        let told = format!("{} | {}", answer.json()["error"].as_str().unwrap_or_default(), about_body(&answer));
        table.row("body", what, &expected, &told);
        if (answer.status.as_u16(), &answer.json()["success"]) != (400, &json!(false)) {
            table.wrong.push(format!("{what}: {answer:?}"));
        }
    }
    count
}

#[tokio::test]
async fn every_refusal_says_where_whose_what_and_what_to_do() {
    let (workspace, service) = served().await;
    let mut table = Table { wrong: Vec::new(), checks: HashMap::new() };
    let counts = [
        files(&mut table, &service, "CSV", csv::rows()).await,
        files(&mut table, &service, "workbook", workbooks::rows()).await,
        files(&mut table, &service, "JSON", json::rows()).await,
        files(&mut table, &service, "encoding", encodings::rows()).await,
    ];
    service.new_import().await;
    let bodies = bodies(&mut table, &service, bodies::rows()).await;
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
    assert_eq!((counts, bodies), ([15, 10, 10, 10], 15));
    assert_eq!((workspace.count_staged().await, table.checks.len()), (0, 60));
}

#[tokio::test]
async fn a_wrong_setting_of_default_roles_is_told_and_no_user_is_blamed() {
    let (workspace, service) = served().await;
    workspace.set("Accounts_Registration_Users_Default_Roles", "user,ghost").await;
    service.new_import().await;
    let user = json!({ "emails": ["ann@corp.example"], "importIds": ["7"] });
    let answer = service.try_add_users(&[user]).await;
    let told = about_body(&answer);
    let reason = "the setting Accounts_Registration_Users_Default_Roles is wrong: there is no role ghost: give the id of \
                  one that is there";
    assert_eq!(told, reason);
    assert_eq!(answer.json()["details"]["users"], Value::Array(vec![]));
}
