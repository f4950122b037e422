//! Names and domains that the workspace refuses of people who sign up, and imports do not ask about.

use serde_json::{Value, json};

use super::{check, lines_of, records};
use crate::{
    command_line::call,
    harness::{Workspace, served},
};

async fn set_rules(workspace: &Workspace) {
    for (setting, value) in [
        ("UTF8_User_Names_Validation", "[a-z]+"),
        ("Accounts_BlockedUsernameList", "boss, chief"),
        ("Accounts_AllowedDomainsList", "corp.example, partner.example"),
        ("Accounts_BlockedDomainsList", "partner.example"),
    ] {
        workspace.set(setting, value).await;
    }
}

fn person(username: &str, email: &str) -> Value {
    json!({ "importIds": [username], "emails": [email], "username": username })
}

fn kinds(record: &Value) -> Vec<&str> {
    let warnings = record["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
    warnings.iter().map(|warning| warning["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn values_that_nobody_could_sign_up_with_are_warned_about_and_imported_unless_they_are_to_be_refused() {
    let (workspace, service) = served().await;
    set_rules(&workspace).await;
    let users = [
        person("ann", "ann@corp.example"),
        person("Chief", "chief@corp.example"),
        person("admin2", "admin2@corp.example"),
        person("system", "system@elsewhere.example"),
        person("bea", "bea@partner.example"),
        person("Cid Ray", "cid@corp.example"),
    ];
    let file = lines_of(&users);
    let (lines, end) = check(&service, "&format=jsonl", file.clone()).await;
    let found = records(&lines);
    assert_eq!(
        found.iter().map(kinds).collect::<Vec<_>>(),
        [vec![], vec!["username"], vec!["username"], vec!["username", "domain"], vec!["domain"], vec!["username"]],
        "{found:?}"
    );
    let words: String = found.iter().map(|record| record["warnings"].to_string()).collect();
    for words_of_one in [
        r#"username \"Chief\" is blocked by the setting Accounts_BlockedUsernameList"#,
        r#"username \"admin2\" does not fit the setting UTF8_User_Names_Validation ([a-z]+)"#,
        r#"username \"system\" is reserved by the setting Accounts_SystemBlockedUsernameList"#,
        r#"\"system@elsewhere.example\" is not in the setting Accounts_AllowedDomainsList"#,
        r#"\"bea@partner.example\" is blocked by the setting Accounts_BlockedDomainsList"#,
    ] {
        assert!(words.contains(words_of_one), "{words_of_one} is not in {words}");
    }
    assert_eq!(lines.iter().find(|line| line.get("problem").is_some()), None, "it is said once");
    assert_eq!((&end["workspace"]["created"], &end["workspace"]["refused"]), (&json!(6), &json!(0)));

    let (lines, end) = check(&service, "&format=jsonl&refuse=domain", file.clone()).await;
    assert_eq!((&end["workspace"]["created"], &end["workspace"]["refused"]), (&json!(4), &json!(2)));
    let refused = &records(&lines)[4];
    assert!(
        refused["outcome"] == "refused" && refused["reason"].as_str().unwrap().contains("BlockedDomains"),
        "{refused}"
    );

    service.stage(&users).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    assert_eq!(workspace.count_imported().await, 6, "an import asks none of the settings");
    let (lines, end) = check(&service, "&format=jsonl&onExisting=skip", file).await;
    assert_eq!(end["workspace"]["same"], 6, "{end}");
    assert!(
        records(&lines).iter().all(|record| kinds(record).is_empty()),
        "who is there is not warned about: {lines:?}"
    );
}

#[tokio::test]
async fn a_user_that_no_document_of_the_database_holds_is_refused_by_the_check() {
    let (_workspace, service) = served().await;
    // As JSON 8 MiB, as a document twice that.
    let ids: Vec<String> = (0..1_000_000).map(|number| format!("{number:05}")).collect();
    let large = json!({ "importIds": ids, "emails": ["ann@corp.example"] });
    let (lines, end) = check(&service, "&format=jsonl", lines_of(&[large])).await;
    let record = &records(&lines)[0];
    assert_eq!((&record["outcome"], &end["workspace"]["refused"]), (&json!("refused"), &json!(1)));
    assert!(
        record["reason"].as_str().unwrap().contains("16 MiB that the database stores of one"),
        "{}",
        record["reason"]
    );
}

#[tokio::test]
async fn a_name_that_the_workspace_allows_is_not_warned_about() {
    let (workspace, service) = served().await;
    workspace.set("UTF8_User_Names_Validation", "[а-яa-z.]+").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.csv");
    std::fs::write(
        &file,
        "username,emails,importIds\nиван,ivan@corp.example,1\nann lee,ann@corp.example,2\nall,all@corp.example,3\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let summary = async |mode: &str| -> Value {
        serde_json::from_str(&call(&service.address, &["users", file, mode, "--json"]).await.output).unwrap()
    };
    let alone = summary("--dry-run").await;
    assert_eq!(alone["warningCount"], 3, "{alone}");
    let checked = summary("--check").await;
    assert_eq!(checked["warningCount"], 2, "{checked}");
    let warnings = checked["warnings"].as_array().unwrap();
    let reasons: Vec<&str> = warnings.iter().map(|warning| warning["reason"].as_str().unwrap()).collect();
    assert!(reasons[0].contains("\"ann lee\" does not fit the setting UTF8_User_Names_Validation"), "{reasons:?}");
    assert!(reasons[1].contains("\"all\" is a mention of everybody"), "{reasons:?}");
}
