//! What the check says of single users, and what it refuses.

use bson::doc;
use serde_json::{Value, json};

use super::{Rules, ask, assert_equal, check, lines_of, records, run};
use crate::harness::{served, user};

fn address(address: &str, verified: bool) -> bson::Bson {
    bson::bson!([{ "address": address, "verified": verified }])
}

fn bob() -> Value {
    json!({ "importIds": ["7"], "emails": ["bob@corp.example"], "username": "bob" })
}

#[tokio::test]
async fn who_holds_a_name_or_an_address_is_named_and_twins_in_letter_case_are_warned_about_or_refused() {
    let (workspace, service) = served().await;
    workspace.add_user(user("b0b").with("username", "Bob").with("emails", address("Bob@Corp.example", true))).await;
    let (lines, end) = check(&service, "&format=jsonl", lines_of(&[bob()])).await;
    let record = &records(&lines)[0];
    assert_eq!(record["outcome"], "created", "{record}");
    let twins = record["twins"].as_array().unwrap();
    assert_eq!(twins.len(), 2, "{record}");
    assert!(twins.iter().all(|twin| twin.as_str().unwrap().contains("of the account b0b (@Bob)")), "{record}");
    assert_eq!((&end["workspace"]["created"], &end["workspace"]["failed"]), (&json!(1), &json!(0)));

    let (lines, end) = check(&service, "&format=jsonl&refuse=case-twins", lines_of(&[bob()])).await;
    assert_eq!((&records(&lines)[0]["outcome"], &end["workspace"]["refused"]), (&json!("refused"), &json!(1)));

    let exact = json!({ "importIds": ["8"], "emails": ["Bob@Corp.example"], "username": "robert" });
    let (lines, _) = check(&service, "&format=jsonl", lines_of(&[exact])).await;
    let record = &records(&lines)[0];
    assert_eq!(
        (&record["outcome"], &record["reason"]),
        (
            &json!("failed"),
            &json!(
                "The e-mail address Bob@Corp.example is taken by the user Bob (b0b). \
            With onExisting set to link, that account gets the import id."
            )
        )
    );
}

#[tokio::test]
async fn accounts_that_may_be_somebody_elses_are_counted_apart() {
    let (workspace, service) = served().await;
    workspace.add_user(user("b0b").with("username", "bob").with("emails", address("bob@corp.example", false))).await;
    let (lines, end) = check(&service, "&format=jsonl&onExisting=link", lines_of(&[bob()])).await;
    let record = &records(&lines)[0];
    assert_eq!(
        (&record["outcome"], &record["account"], &record["foundBy"], &record["changed"]),
        (&json!("linked"), &json!("b0b"), &json!("unverifiedEmail"), &json!(["importIds"]))
    );
    assert_eq!(end["workspace"]["unsure"], 1, "{end}");
    let account = workspace.collection("users").find_one(doc! { "_id": "b0b" }).await.unwrap().unwrap();
    assert!(account.get("importIds").is_none() && workspace.operations().await.is_empty(), "nothing is written");
}

#[tokio::test]
async fn a_wrong_setting_of_default_roles_is_one_problem_without_a_line_and_a_line_is_blamed_for_its_own_role_alone() {
    let (workspace, service) = served().await;
    workspace.set("Accounts_Registration_Users_Default_Roles", "user,staff").await;
    let pupil = json!({ "importIds": ["8"], "emails": ["kim@corp.example"], "username": "kim", "roles": ["Pupil"] });
    for rule in ["fail", "skip"] {
        let query = format!("&format=jsonl&users=true&onExisting={rule}");
        let (lines, end) = check(&service, &query, lines_of(&[bob(), pupil.clone(), bob()])).await;
        let problems: Vec<&Value> = lines.iter().filter_map(|line| line.get("problem")).collect();
        let setting = "the setting Accounts_Registration_Users_Default_Roles is wrong: there is no role staff: give the id \
                       of one that is there";
        let of_setting = json!({ "kind": "setting", "severity": "fatal", "reason": setting });
        let twice: Vec<&&Value> = problems.iter().filter(|problem| problem["kind"] == "twice").collect();
        assert_eq!((problems[0], problems.len() - twice.len()), (&of_setting, 1), "{lines:?}");
        let records = records(&lines);
        let reason = "there is no role Pupil: give the id of one that is there";
        assert_eq!((records.len(), &records[0]["line"]), (1, &json!(2)), "{lines:?}");
        assert_eq!((&records[0]["outcome"], &records[0]["reason"]), (&json!("refused"), &json!(reason)));
        assert_eq!((&end["isUnusable"], &end["badLines"]), (&json!(true), &json!(1)), "{end}");
        assert_eq!((&end["workspace"]["created"], &end["workspace"]["refused"]), (&json!(0), &json!(1)), "{end}");
    }
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));
}

#[tokio::test]
async fn problems_of_the_file_stand_between_and_a_rule_that_is_not_known_is_refused() {
    let (_workspace, service) = served().await;
    let file = "username,emails,importIds\nann,ann@corp.example,1\nbob,,2\ncid,cid@corp.example,3\n";
    let (lines, end) = check(&service, "&users=true", file).await;
    let kinds: Vec<&str> = lines.iter().map(|line| line.as_object().unwrap().keys().next().unwrap().as_str()).collect();
    assert_eq!(kinds, ["user", "record", "problem", "user", "record"]);
    assert_eq!((&end["badLines"], &end["workspace"]["created"]), (&json!(1), &json!(2)));
    let answer = ask(&service, "&onExisting=merge", file).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"], "onExisting: must be one of fail, skip, link, update");
    let answer = ask(&service, "&matchBy=email,phone", file).await;
    assert_eq!(answer.json()["error"], "matchBy: must be one of importId, email, username");
}

#[tokio::test]
async fn people_of_one_user_name_in_a_file_get_a_name_each_with_suffix_as_in_the_run() {
    let (_workspace, service) = served().await;
    let person = |id: &str| json!({ "importIds": [id], "emails": [format!("kim{id}@corp.example")], "username": "kim", "name": "Kim" });
    let users = ["1", "2", "3"].map(person);
    let (lines, end) = check(&service, "&format=jsonl&onExisting=link", lines_of(&users)).await;
    assert_eq!((records(&lines).len(), &end["badLines"]), (1, &json!(2)), "{lines:?}");

    for rule in ["link", "fail"] {
        let rules = Rules(json!({ "onExisting": rule, "onUsernameTaken": "suffix" }));
        let (lines, end) = check(&service, &format!("&format=jsonl{}", rules.query()), lines_of(&users)).await;
        let foreseen = records(&lines);
        assert_eq!((foreseen.len(), &end["badLines"]), (3, &json!(0)), "{lines:?}");
        if rule == "link" {
            assert!(foreseen.iter().all(|record| record["outcome"] == "created"), "{foreseen:?}");
            for (record, name) in foreseen[1..].iter().zip(["kim-1", "kim-2"]) {
                let reason = record["reason"].as_str().unwrap();
                assert!(reason.contains(name) && reason.replace(name, "").contains("kim"), "{record}");
            }
        }
        assert_equal(&foreseen, &[1, 2, 3], &run(&service, &users, &rules).await);
    }
}
