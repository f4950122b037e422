//! Checking a file against the workspace: what it says is what the run then does.

mod any;
mod many;
mod settings;
mod single;

use std::collections::HashMap;

use serde_json::Value;

use crate::harness::{Answer, Service};

/// The rules of a run, as fields of `import.run` and as parameters of the check.
#[derive(Debug, Clone)]
struct Rules(Value);

impl Rules {
    fn query(&self) -> String {
        let fields = self.0.as_object().unwrap().iter();
        fields
            .map(|(name, value)| match value {
                Value::Array(words) => {
                    let words: Vec<&str> = words.iter().map(|word| word.as_str().unwrap()).collect();
                    format!("&{name}={}", words.join(","))
                }
                word => format!("&{name}={}", word.as_str().unwrap()),
            })
            .collect()
    }
}

async fn ask(service: &Service, query: &str, file: impl Into<Vec<u8>>) -> Answer {
    service.post_body(&format!("/api/v1/import.check?workspace=true{query}"), None, file).await
}

/// The lines of the answer, and the last.
async fn check(service: &Service, query: &str, file: impl Into<Vec<u8>>) -> (Vec<Value>, Value) {
    let answer = ask(service, query, file).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, Some("application/x-ndjson")),
        "{answer:?}"
    );
    let mut lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = lines.pop().unwrap();
    assert!(end.get("end").is_some(), "{end}");
    (lines, end["end"].clone())
}

fn records(lines: &[Value]) -> Vec<Value> {
    lines.iter().filter_map(|line| line.get("record")).cloned().collect()
}

fn lines_of(users: &[Value]) -> String {
    users.iter().flat_map(|user| [user.to_string(), "\n".to_owned()]).collect()
}

async fn receipt(service: &Service) -> Vec<Value> {
    let answer = service.get_as_admin("/api/v1/import.receipt?format=jsonl").await;
    answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Stages these users and runs them; their receipts in the order of the users.
async fn run(service: &Service, users: &[Value], rules: &Rules) -> Vec<Value> {
    service.stage(users).await;
    let answer = service.post("/api/v1/import.run", &rules.0).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    service.wait_for_state("done").await;
    receipt(service).await
}

/// Asserts that the check has said of each user what the receipt says. `staged` are the lines of the users that were run.
fn assert_equal(foreseen: &[Value], staged: &[u64], receipts: &[Value]) {
    assert_eq!(staged.len(), receipts.len());
    let by_line: HashMap<u64, &Value> =
        foreseen.iter().map(|record| (record["line"].as_u64().unwrap(), record)).collect();
    // New accounts have an `_id` only now.
    let made: HashMap<u64, &str> = staged
        .iter()
        .zip(receipts)
        .filter(|(_, receipt)| receipt["outcome"] == "created")
        .map(|(line, receipt)| (*line, receipt["became"].as_str().unwrap()))
        .collect();
    for (line, receipt) in staged.iter().zip(receipts) {
        let told = by_line[line];
        let both = format!("line {line}: {told} and {receipt}");
        assert_eq!(told["outcome"], receipt["outcome"], "{both}");
        assert_eq!(told["foundBy"], receipt["foundBy"], "{both}");
        let mut reason = told["reason"].as_str().unwrap_or_default().to_owned();
        while let Some((before, rest)) = reason.clone().split_once("of line ") {
            let (line, rest) = rest.split_once(", user ").unwrap();
            let account = made[&line.parse().unwrap()];
            reason = format!("{before}{account}{}", rest.trim_start_matches(|sign: char| sign.is_ascii_digit()));
        }
        assert_eq!(sorted(&reason), sorted(receipt["reason"].as_str().unwrap_or_default()), "{both}");
        let changed = |value: &Value| -> Vec<String> {
            let mut fields: Vec<String> = match value {
                Value::Array(fields) => fields.iter().map(|field| field.as_str().unwrap().to_owned()).collect(),
                Value::Object(fields) => fields.keys().cloned().collect(),
                _ => Vec::new(),
            };
            fields.sort();
            fields
        };
        assert_eq!(changed(&told["changed"]), changed(&receipt["changed"]), "{both}");
        let account = match told["accountOfLine"].as_u64() {
            Some(line) => made.get(&line).copied(),
            None => told["account"].as_str(),
        };
        if let Some(account) = account {
            assert_eq!(account, receipt["became"], "{both}");
        }
    }
}

/// Accounts are listed in the order of their `_id`s, which new ones get only in the run.
fn sorted(reason: &str) -> Vec<&str> {
    let mut words: Vec<&str> = reason.split([' ', ',', '.']).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words
}
