//! Users out of public reports of bulk imports, over the command line.

use bson::{Bson, doc};
use serde_json::{Value, json};

use super::{File, add_roles, call, operation_count, summary};
use crate::{
    harness::{Finished, run, served, user},
    spreadsheet_files::{TableFile, tables},
};

fn address(address: &str) -> Bson {
    bson::bson!([{ "address": address, "verified": true }])
}

#[tokio::test]
async fn one_user_who_fails_keeps_nobody_else_out_and_his_holder_is_named() {
    let rows =
        ["ann,ann@corp.example,e1,Ann Lee", "bea2,bea@corp.example,e2,Bea Poe", "cid,cid@corp.example,e3,Cid Roe"];
    for order in [[1, 0, 2], [0, 1, 2], [0, 2, 1]] {
        let (workspace, service) = served().await;
        workspace.add_user(user("bea").with("emails", address("bea@corp.example"))).await;
        let text = order.map(|place| rows[place]).join("\n");
        let file = File::new("people.csv", format!("username,emails,importIds,name\n{text}"));
        let arguments = ["users", file.path(), "--run", "--json", "--on-existing", "fail"];
        let finished = call(&service.address, &arguments).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let summary = summary(&finished);
        assert_eq!((&summary["run"]["created"], &summary["run"]["failed"]), (&json!(2), &json!(1)), "{summary}");
        let reason = "The e-mail address bea@corp.example is taken by the user bea (bea). \
            With onExisting set to link, that account gets the import id.";
        assert_eq!(
            (&summary["failed"][0]["importIds"], &summary["failed"][0]["errors"]),
            (&json!(["e2"]), &json!([reason]))
        );
        assert_eq!(operation_count(&service, "total").await, 3);
        for (username, name) in [("ann", "Ann Lee"), ("cid", "Cid Roe")] {
            let account = workspace.collection("users").find_one(doc! { "username": username }).await.unwrap().unwrap();
            assert_eq!(account.get_str("name").unwrap(), name);
        }
    }
}

#[tokio::test]
async fn a_wrong_user_or_a_wrong_setting_is_named_before_anything_is_sent() {
    let (workspace, service) = served().await;
    let bot = "{\"importIds\":[\"1\"],\"emails\":[\"a@corp.example\"]}\n{\"importIds\":[\"2\"],\"username\":\"ci\",\"type\":\"bot\"}\n";
    let file = File::new("people.jsonl", bot);
    let finished = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.errors.contains("line 2: emails missing"), "{finished:?}");

    workspace.set("Accounts_Registration_Users_Default_Roles", "user,staff").await;
    let file = File::new("people.csv", "username,emails,importIds\nann,ann@corp.example,1\n");
    let finished = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_ne!(finished.code, Some(0), "{finished:?}");
    let sentence = "the setting Accounts_Registration_Users_Default_Roles is wrong: there is no role staff";
    assert!(finished.errors.contains(sentence), "{finished:?}");
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));
}

/// Imports five people, and asserts their roles: those of the first, and the default ones of all.
async fn assert_roles(name: &str, text: &str) {
    let (workspace, service) = served().await;
    add_roles(&workspace).await;
    workspace.set("Accounts_Registration_Users_Default_Roles", "user, livechat-agent ,user").await;
    let file = File::new(name, text);
    let finished = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for number in 0..5 {
        let own = if number == 0 { &["admin"][..] } else { &[] };
        let expected: Vec<&str> = own.iter().copied().chain(["user", "livechat-agent"]).collect();
        let account = doc! { "username": format!("user{number}") };
        let account = workspace.collection("users").find_one(account).await.unwrap().unwrap();
        assert_eq!(account.get("roles"), Some(&Bson::from(expected)), "{name}, user{number}");
    }
}

#[tokio::test]
async fn accounts_of_a_file_have_their_own_roles_and_the_default_ones_each_once() {
    let roles = [r#","roles":["admin","admin"]"#, r#","roles":["user"]"#, r#","roles":[]"#, r#","roles":null"#, ""];
    let objects = roles.iter().enumerate().map(|(number, roles)| {
        format!("{{\"username\":\"user{number}\",\"emails\":[\"u{number}@corp.example\"],\"importIds\":[\"{number}\"]{roles}}}\n")
    });
    assert_roles("people.jsonl", &objects.collect::<String>()).await;
    let rows = ["admin;admin", "user", "", " ", ";"].iter().enumerate();
    let rows = rows.map(|(number, roles)| format!("user{number},u{number}@corp.example,{number},{roles}\n"));
    let header = "username,emails,importIds,roles\n".to_owned();
    assert_roles("people.csv", &std::iter::once(header).chain(rows).collect::<String>()).await;
}

#[tokio::test]
async fn tables_that_spreadsheets_leave_are_read_or_refused_by_line() {
    for TableFile { name, text, users, told } in tables() {
        let file = File::new(name, text);
        let finished = run(&["users", file.path(), "--dry-run", "--json"], &[]).await;
        let summary = summary(&finished);
        assert_eq!(summary["users"], users.as_array().unwrap().len(), "{name}: {finished:?}");
        let said = ["problems", "warnings"].map(|list| summary[list].as_array().unwrap().len());
        assert_eq!(said.iter().sum::<usize>(), told.len(), "{name}: {finished:?}");
        assert_eq!(
            finished.code,
            Some(if said[0] == 0 && summary["users"] != 0 { 0 } else { 2 }),
            "{name}: {finished:?}"
        );
        for (line, words) in told {
            let is_said = |said: &str| said.contains(&format!("line {line}: ")) && said.contains(words);
            assert!(finished.errors.lines().any(is_said), "{name}: {finished:?} lacks {words:?} of line {line}");
        }
    }
}

#[tokio::test]
async fn somebody_who_differs_from_an_account_in_letter_case_only_is_made_with_a_warning_or_refused() {
    let (workspace, service) = served().await;
    workspace.add_user(user("b0b").with("username", "Bob").with("emails", address("Bob@Corp.example"))).await;
    let file = File::new("people.csv", "username,emails,importIds\nbob,bob@corp.example,7\n");
    let rule = ["users", file.path(), "--run", "--on-existing", "fail"];
    let refused = call(&service.address, &[&rule[..], &["--refuse-case-twins"]].concat()).await;
    assert_eq!((refused.code, workspace.operations().await.len()), (Some(2), 0), "{refused:?}");
    let checked = call(&service.address, &["users", file.path(), "--check", "--on-existing", "fail"]).await;
    let told = |text: &str| text.contains("of the account b0b (@Bob) in letter case only");
    assert!(told(&refused.errors) && told(&checked.errors), "{refused:?} {checked:?}");
    let made = call(&service.address, &rule).await;
    assert_eq!((checked.code, made.code), (Some(0), Some(0)), "{checked:?} {made:?}");
    assert_eq!(workspace.count_imported().await, 2, "as in Rocket.Chat, both are there");
}

#[tokio::test]
async fn the_warning_about_letter_cases_within_a_file_says_what_each_rule_then_makes_of_them() {
    let text = "username,emails,importIds\neve,Eve@corp.example,1\neve.ray,eve@corp.example,2\n";
    let file = File::new("people.csv", text);
    let sentence = "warning: line 3: e-mail \"eve@corp.example\" differs from that of line 2 in letter case only: under the \
                    rule fail, as in Rocket.Chat, two accounts are made, of which one can hardly log in; under skip, link \
                    and update both count as one address, which belongs to one person (import id 2)";
    for (rule, accounts) in [("fail", 2), ("skip", 1), ("link", 1), ("update", 1)] {
        let (workspace, service) = served().await;
        let arguments = ["users", file.path(), "--run", "--on-existing", rule];
        let finished = call(&service.address, &arguments).await;
        assert_eq!((finished.code, workspace.count_imported().await), (Some(0), accounts), "{rule}: {finished:?}");
        assert!(finished.errors.lines().any(|line| line == sentence), "{rule}: {finished:?}");
    }
}

#[tokio::test]
async fn neighbouring_long_ids_of_a_file_stay_two_people() {
    let (workspace, service) = served().await;
    let text = "{\"importIds\":[1523,\"007\",76561198000000001],\"emails\":[\"a@corp.example\"],\"username\":\"42\"}\n\
                {\"importIds\":[76561198000000002],\"emails\":[\"b@corp.example\"]}\n";
    let file = File::new("people.jsonl", text);
    let finished = call(&service.address, &["users", file.path()]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let staged = workspace.staged_data().await;
    let ids = |place: usize| staged[place].get_array("importIds").unwrap().clone();
    assert_eq!(ids(0), [Bson::from("1523"), Bson::from("007"), Bson::from("76561198000000001")]);
    assert_eq!(ids(1), [Bson::from("76561198000000002")]);
}

#[tokio::test]
async fn somebody_who_is_there_is_linked_and_a_name_of_another_person_gets_a_number_on_demand() {
    let (workspace, service) = served().await;
    workspace.add_user(user("ann").with("emails", address("ann@corp.example")).with_roles(&["admin"])).await;
    workspace.add_user(user("kim").with("emails", address("kim@corp.example"))).await;
    let text = "username,emails,importIds\nann,ann@corp.example,U01ANN\nkim,kim.b@partner.example,U02KIM\n";
    let file = File::new("people.csv", text);
    let link = ["users", file.path(), "--run", "--json", "--on-existing", "link"];
    let finished = call(&service.address, &link).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let told = summary(&finished);
    assert_eq!((&told["run"]["linked"], &told["run"]["failed"]), (&json!(1), &json!(1)), "{told}");
    let reason = told["failed"][0]["errors"][0].as_str().unwrap();
    assert!(reason.contains("user name") && reason.contains("kim (@kim)"), "{reason}");
    let ann = workspace.collection("users").find_one(doc! { "_id": "ann" }).await.unwrap().unwrap();
    assert_eq!(ann.get_array("importIds").unwrap(), &[Bson::from("U01ANN")]);
    assert_eq!((ann.get_array("roles").unwrap().len(), ann.get("emails")), (1, Some(&address("ann@corp.example"))));

    let suffix = [&link[..], &["--on-username-taken", "suffix", "--replace"]].concat();
    let finished = call(&service.address, &suffix).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let kim = workspace.collection("users").find_one(doc! { "importIds": "U02KIM" }).await.unwrap().unwrap();
    assert_eq!(kim.get_str("username").unwrap(), "kim-1");
    let receipt: Value = service.get_as_admin("/api/v1/import.receipt").await.json();
    assert!(receipt["records"][0]["reason"].as_str().unwrap().contains("kim-1"), "{receipt}");
}

#[tokio::test]
async fn two_people_of_one_user_name_in_a_file_are_two_accounts_with_suffix_and_otherwise_an_error() {
    let (workspace, service) = served().await;
    let text =
        "username,emails,importIds,name\nkim,kim.lee@corp.example,1,Kim Lee\nkim,kim.ray@corp.example,2,Kim Ray\n";
    let file = File::new("people.csv", text);
    let refused = call(&service.address, &["users", file.path(), "--check"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let sentence = "line 3: username \"kim\" is that of line 2 too: keep one of the two, or let a second person get the next \
                    free name with --on-username-taken suffix (import id 2)";
    assert!(refused.errors.contains(sentence), "{refused:?}");

    let suffix = ["users", file.path(), "--json", "--on-username-taken", "suffix"];
    let checked = call(&service.address, &[&suffix[..], &["--check"]].concat()).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert_eq!(summary(&checked)["check"]["created"], 2, "{checked:?}");
    let ran = call(&service.address, &[&suffix[..], &["--run"]].concat()).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(summary(&ran)["run"]["created"], 2, "{ran:?}");
    for (id, username, address) in [("1", "kim", "kim.lee@corp.example"), ("2", "kim-1", "kim.ray@corp.example")] {
        let account = workspace.collection("users").find_one(doc! { "importIds": id }).await.unwrap().unwrap();
        let emails = account.get_array("emails").unwrap()[0].as_document().unwrap().get_str("address").unwrap();
        assert_eq!((account.get_str("username").unwrap(), emails), (username, address));
    }
    let receipt: Value = service.get_as_admin("/api/v1/import.receipt").await.json();
    let reason = receipt["records"][1]["reason"].as_str().unwrap();
    assert!(reason.contains("kim-1") && reason.replace("kim-1", "").contains("kim"), "{receipt}");

    let one = "username,emails,importIds\nkim,kim@corp.example,1\nkim,Kim@corp.example,2\n";
    let file = File::new("one.csv", one);
    let refused = call(&service.address, &["users", file.path(), "--check", "--on-username-taken", "suffix"]).await;
    assert_eq!(refused.code, Some(2), "one address is one person: {refused:?}");
    assert!(
        refused.errors.contains("line 3: username \"kim\" is that of line 2 too: keep one of the two"),
        "{refused:?}"
    );
}

/// The lines that the command says errors of, and those that it only warns about.
fn said(finished: &Finished) -> [Vec<u64>; 2] {
    let summary = summary(finished);
    ["problems", "warnings"].map(|list| {
        let lines = summary[list].as_array().unwrap().iter();
        let mut lines: Vec<u64> = lines.map(|problem| problem["line"].as_u64().unwrap()).collect();
        lines.dedup();
        lines
    })
}

#[tokio::test]
async fn warnings_keep_nobody_out_and_each_kind_is_an_error_only_if_that_is_wanted() {
    let (workspace, service) = served().await;
    let text = "username,emails,importIds\nEve,Eve@corp.example,1\neve,eva@corp.example,2\nann,ann lee@corp.example,3\n\
                Bea Poe,bea@corp.example,4\ncid,cid@corp.example,1-Mar\n";
    let file = File::new("people.csv", text);
    for (kinds, errors, warnings) in [
        (&[][..], &[][..], &[3, 4, 5, 6][..]),
        (&["case-twins"], &[3], &[4, 5, 6]),
        (&["address"], &[4], &[3, 5, 6]),
        (&["username"], &[5], &[3, 4, 6]),
        (&["date"], &[6], &[3, 4, 5]),
        (&["date", "address"], &[4, 6], &[3, 5]),
    ] {
        let refuse: Vec<&str> = kinds.iter().flat_map(|kind| ["--refuse", kind]).collect();
        for way in ["--dry-run", "--check"] {
            let finished = call(
                &service.address,
                &[&["users", file.path(), "--json", "--on-existing", "fail", way][..], &refuse].concat(),
            )
            .await;
            assert_eq!(finished.code, Some(if errors.is_empty() { 0 } else { 2 }), "{kinds:?}: {finished:?}");
            assert_eq!(said(&finished), [errors, warnings], "{kinds:?} {way}: {finished:?}");
        }
        let query: String = kinds.iter().map(|kind| format!("&refuse={kind}")).collect::<Vec<_>>().concat();
        let answer =
            service.post_body(&format!("/api/v1/import.check?workspace=false{query}"), None, text).await.json();
        let counts = (answer["problemCount"].as_u64(), answer["warningCount"].as_u64());
        assert_eq!(counts, (Some(errors.len() as u64), Some(warnings.len() as u64)), "{kinds:?}: {answer}");
    }
    assert_eq!(workspace.operations().await.len(), 0);
    let ran = call(&service.address, &["users", file.path(), "--run", "--on-existing", "fail"]).await;
    assert_eq!((ran.code, workspace.count_imported().await), (Some(0), 5), "{ran:?}");
}

#[tokio::test]
async fn a_thousand_failures_are_summed_up_and_their_lines_are_in_the_file_of_rejects() {
    const USERS: usize = 1000;
    let (workspace, service) = served().await;
    for number in 0..USERS {
        if number % 10 > 0 {
            let holder = user(&format!("holder{number}"));
            let holder = holder.with("username", format!("user{number}"));
            let address = address(&format!("other{number}@corp.example"));
            workspace.add_user(holder.with("emails", address)).await;
        }
    }
    let rows = (0..USERS).map(|number| format!("user{number};user{number}@corp.example;id{number};Sales\n"));
    let text: String = std::iter::once("Login;Mail;Personnel Number;Team\n".to_owned()).chain(rows).collect();
    let (file, list) = (File::new("people.csv", text), File::new("rejects.csv", ""));
    let rules = ["--map", "Team=bio", "--run", "--json", "--replace"];
    let arguments = [&["users", file.path(), "--rejects", list.path()][..], &rules].concat();
    let finished = call(&service.address, &arguments).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let summary = summary(&finished);
    assert_eq!((&summary["run"]["failed"], &summary["rejected"]), (&json!(900), &json!(900)));
    assert_eq!((&summary["failed"][0]["line"], &summary["failed"][0]["name"]), (&json!(3), &Value::Null));
    let lines: Vec<&str> = finished.errors.lines().filter(|line| line.starts_with("failed: ")).collect();
    let sum = "failed: 900 users: the user name of … (…) belongs to somebody with another e-mail address: account … (…). With \
         onUsernameTaken set to suffix, the new account gets the next free name.";
    assert_eq!((lines.len(), lines[20]), (21, sum), "{}", finished.errors);
    assert!(lines[0].starts_with("failed: line 3: user1, user1@corp.example, id1: the user name of id1"), "{lines:?}");

    let rejects = std::fs::read_to_string(list.path()).unwrap();
    let first = "3,\"the user name of id1 (@user1) belongs to somebody with another e-mail address: account holder1 (@user1). \
                 With onUsernameTaken set to suffix, the new account gets the next free name.\",user1,user1@corp.example,id1,Sales";
    assert_eq!((rejects.lines().count(), rejects.lines().nth(1)), (901, Some(first)));
    // Mended, as a person would: another name.
    std::fs::write(list.path(), rejects.replace(",user", ",new.user").replace("new.user@", "user@")).unwrap();
    let again = call(&service.address, &[&["users", list.path()][..], &rules].concat()).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    let created = super::summary(&again)["run"]["created"].clone();
    assert_eq!((created, workspace.count_imported().await), (json!(900), 1000 + 900));
}

#[tokio::test]
async fn one_user_alone_is_an_import_that_ends_well_or_with_the_reason() {
    let (workspace, service) = served().await;
    workspace.add_user(user("bea").with("emails", address("bea@corp.example"))).await;
    for (row, code, created) in [("ann,ann@corp.example,e1,Ann Lee", 0, 1), ("bea2,bea@corp.example,e2,Bea Poe", 1, 0)]
    {
        let file = File::new("one.csv", format!("username,emails,importIds,name\n{row}\n"));
        let arguments = ["users", file.path(), "--run", "--json", "--on-existing", "fail"];
        let finished = call(&service.address, &arguments).await;
        assert_eq!(finished.code, Some(code), "{finished:?}");
        let run = &summary(&finished)["run"];
        assert_eq!((&run["created"], &run["failed"], &run["total"]), (&json!(created), &json!(1 - created), &json!(1)));
        assert_eq!(run["status"]["state"], "done", "{run}");
        assert_eq!(service.status().await.json()["state"], "done");
    }
    let ann = workspace.collection("users").find_one(doc! { "username": "ann" }).await.unwrap().unwrap();
    assert_eq!(ann.get_str("name").unwrap(), "Ann Lee");
}

#[tokio::test]
async fn a_user_of_a_json_file_without_an_address_is_named_however_that_is_written() {
    for emails in [r#","emails":null"#, r#","emails":[""]"#, r#","emails":[" "]"#, r#","emails":[]"#, ""] {
        let good = r#"{"importIds":["1"],"emails":["ann@corp.example"]}"#;
        let file =
            File::new("people.jsonl", format!("{good}\n{{\"importIds\":[\"x\"],\"username\":\"bea\"{emails}}}\n"));
        let finished = run(&["users", file.path(), "--dry-run", "--json"], &[]).await;
        assert_eq!((finished.code, &summary(&finished)["badLines"]), (Some(2), &json!(1)), "{emails}: {finished:?}");
        let sentence = "line 2: emails missing of the user \"bea\": give the user an address (import id x)";
        assert!(finished.errors.lines().any(|line| line == sentence), "{emails}: {finished:?}");
    }
}

#[tokio::test]
async fn what_scripts_write_into_json_is_taken_as_it_is_meant_or_refused_with_the_field() {
    let (workspace, service) = served().await;
    let file = File::new("people.json", r#"[{"importIds":[1523,"007"],"emails":"ann@corp.example","username":42}]"#);
    let finished = call(&service.address, &["users", file.path()]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let staged = workspace.staged_data().await;
    assert_eq!(staged[0].get_str("username").unwrap(), "42");
    assert_eq!(staged[0].get_array("importIds").unwrap(), &[Bson::from("1523"), Bson::from("007")]);

    for (name, text, sentence) in [
        (
            "offset.json",
            r#"[{"importIds":["1"],"emails":["a@corp.example"],"utcOffset":"5,5"}]"#,
            "line 1: utcOffset must be a number, not \"5,5\" (import id 1)",
        ),
        (
            "offset.csv",
            "importIds;emails;utcOffset\n1;a@corp.example;5,5\n",
            "line 2: utcOffset must be a number such as 5.5, not \"5,5\" (import id 1)",
        ),
        (
            "deleted.json",
            r#"[{"importIds":["1"],"emails":["a@corp.example"],"deleted":"False"}]"#,
            "line 1: deleted must be true or false, without quotation marks, not \"False\" (import id 1)",
        ),
        (
            "keys.json",
            r#"{"users":{"0":{"importIds":["1"],"emails":["a@corp.example"]}}}"#,
            "line 1: users must be a list, as in {\"users\": [{\"username\": \"ann\"}]}, and is an object: write its values as a \
             list",
        ),
    ] {
        let file = File::new(name, text);
        let refused = run(&["users", file.path(), "--dry-run"], &[]).await;
        assert_eq!(refused.code, Some(2), "{name}: {refused:?}");
        assert!(refused.errors.lines().any(|line| line == sentence), "{name}: {refused:?}");
    }
}
