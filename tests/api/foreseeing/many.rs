//! Long files over large workspaces.

use std::time::Instant;

use bson::{Document, doc};
use serde_json::{Value, json};

use super::{Rules, assert_equal, check, lines_of, records, run};
use crate::harness::{Service, Workspace, served, user};

/// Accounts with names, addresses and import ids by their numbers.
async fn add_accounts(workspace: &Workspace, numbers: std::ops::Range<usize>) {
    let accounts: Vec<Document> = numbers
        .map(|number| {
            let emails = bson::bson!([{ "address": format!("user{number}@example.com"), "verified": number % 3 > 0 }]);
            let account = user(&format!("account{number}")).with("username", format!("user{number}"));
            let account = account.with("emails", emails).with("name", format!("User {number}"));
            let account =
                if number % 2 == 0 { account.with("importIds", vec![format!("id{number}")]) } else { account };
            account.document()
        })
        .collect();
    for accounts in accounts.chunks(5000) {
        workspace.collection("users").insert_many(accounts).await.unwrap();
    }
    let collation = mongodb::options::Collation::builder()
        .locale("en")
        .strength(mongodb::options::CollationStrength::Secondary)
        .build();
    for field in ["username", "emails.address"] {
        let options = mongodb::options::IndexOptions::builder()
            .name(format!("{field}_insensitive"))
            .collation(collation.clone())
            .build();
        let index = mongodb::IndexModel::builder().keys(doc! { field: 1 }).options(options).build();
        workspace.collection("users").create_index(index).await.unwrap();
    }
    let index = mongodb::IndexModel::builder().keys(doc! { "importIds": 1 }).build();
    workspace.collection("users").create_index(index).await.unwrap();
}

/// Every seventh is somebody who is there, every fifth a twin in letter case of the one 701 before, every eleventh has a
/// name that somebody else has, in some letter case.
fn users(count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| {
            let of = if number % 7 == 0 { number / 7 } else { 1_000_000 + number };
            let twin = number.checked_sub(701).filter(|twin| number % 5 == 0 && twin % 5 > 0 && number % 7 > 0);
            match twin {
                Some(twin) => {
                    let of = if twin % 7 == 0 { twin / 7 } else { 1_000_000 + twin };
                    json!({
                        "username": format!("USER{of}"), "emails": [format!("USER{of}@example.com")],
                        "importIds": [format!("twin{number}")], "bio": "a twin",
                    })
                }
                None if number % 11 == 1 && number % 7 > 0 => json!({
                    "username": another_name(number / 11), "emails": [format!("other{number}@example.com")],
                    "importIds": [format!("id{of}")],
                }),
                None => json!({
                    "username": format!("user{of}"), "emails": [format!("user{of}@example.com")],
                    "importIds": [format!("id{of}")], "name": format!("User {of}"),
                }),
            }
        })
        .collect()
}

/// One of sixty names in one of sixteen letter cases.
fn another_name(number: usize) -> String {
    let letter_case = number / 60;
    let letters = "user"
        .chars()
        .enumerate()
        .map(|(place, letter)| if letter_case >> place & 1 == 1 { letter.to_ascii_uppercase() } else { letter });
    letters.chain(format!("{}", 40 + number % 60).chars()).collect()
}

async fn compare(service: &Service, users: &[Value], rules: &Value) -> (f64, Value, Vec<Value>) {
    let rules = Rules(rules.clone());
    let began = Instant::now();
    let query = format!("&from=own&format=jsonl{}", rules.query());
    let (lines, end) = check(service, &query, lines_of(users)).await;
    let took = began.elapsed().as_secs_f64();
    let foreseen = records(&lines);
    let staged: Vec<u64> = foreseen.iter().map(|record| record["line"].as_u64().unwrap()).collect();
    let sent: Vec<Value> = staged.iter().map(|line| users[usize::try_from(*line).unwrap() - 1].clone()).collect();
    let receipts = run(service, &sent, &rules).await;
    assert_equal(&foreseen, &staged, &receipts);
    (took, end, foreseen)
}

#[tokio::test]
async fn what_a_user_does_is_known_when_one_of_a_later_batch_is_foreseen() {
    let (workspace, service) = served().await;
    add_accounts(&workspace, 0..300).await;
    let rules = json!({ "onExisting": "link", "onUsernameTaken": "suffix" });
    let (_, end, foreseen) = compare(&service, &users(2000), &rules).await;
    let counts = &end["workspace"];
    for outcome in ["created", "linked", "same"] {
        assert!(counts[outcome].as_u64().unwrap() > 50, "{outcome}: {counts}");
    }
    let names: Vec<&str> = foreseen
        .iter()
        .filter_map(|record| record["reason"].as_str()?.split_once("this one is "))
        .map(|(_, name)| name)
        .collect();
    let distinct: std::collections::BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
    assert!(names.len() > 100, "{names:?}");
    assert_eq!(distinct.len(), names.len(), "nobody is promised the name of another");
}

/// 10,000 lines against 50,000 accounts; prints the pace.
#[tokio::test]
#[ignore = "takes a minute, and measures"]
async fn ten_thousand_lines_against_fifty_thousand_accounts() {
    let (workspace, service) = served().await;
    add_accounts(&workspace, 0..50_000).await;
    for rules in [
        json!({ "onExisting": "fail" }),
        json!({ "onExisting": "skip" }),
        json!({ "onExisting": "link", "onUsernameTaken": "suffix" }),
        json!({ "onExisting": "update" }),
    ] {
        let (took, end, _) = compare(&service, &users(10_000), &rules).await;
        println!("{rules}: checked in {took:.2} s, {}", end["workspace"]);
    }
}
