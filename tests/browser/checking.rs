//! A file with bad lines: what becomes of the others, and the list of those that are left out.

use bson::doc;
use serde_json::json;

use crate::{
    browser::Browser,
    harness::{run, user},
    page::set_up_signed_in,
};

/// Five users who can be imported; on line 4 an address is missing, and the role on line 7 does not exist.
const FILE: &str = "importIds,emails,username,name,roles\n\
                    1,ann@corp.example,ann,Ann,\n\
                    2,bea@corp.example,bea,Bea,\n\
                    3,,=cid,Cid,\n\
                    4,dan@corp.example,dan,Dan,\n\
                    5,eve@corp.example,eve,Eve,\n\
                    6,fay@corp.example,fay,Fay,nobody\n\
                    7,gil@corp.example,gil,Gil,\n";

async fn foresees(browser: &Browser, created: &str, failed: &str) {
    browser.says("#foreseen-created", created).await;
    browser.says("#foreseen-failed", failed).await;
}

#[tokio::test]
async fn the_figures_stand_beside_bad_lines_which_can_be_left_out_and_downloaded() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let emails = vec![doc! { "address": "dan@other.example", "verified": true }];
    workspace.add_user(user("dan").with("emails", emails)).await;
    let _file = browser.choose_file(".csv", FILE).await;
    browser.says("#file-bad", "2 problems, so nothing is sent. Correct the file, or leave the bad lines out.").await;
    foresees(&browser, "4", "1").await;
    browser.says("#file-problems", "line 4: ").await;
    browser.says("#file-problems", "line 7: ").await;
    browser.says("#file-failing", "line 5: ").await;
    browser.says("#leave-bad", "Leave the 2 bad lines out").await;
    assert!(!browser.is_shown("#send").await);

    browser.click("#leave-bad-out").await;
    browser.says("#file-good", "5 users, 2 bad lines left out, nothing else wrong.").await;
    browser.says("#send", "Stage 5 users").await;
    assert!(!browser.is_shown("#file-bad").await);
    // Another rule makes other bad lines, so the choice is made anew.
    browser.click("#users-username-suffix").await;
    foresees(&browser, "5", "0").await;
    browser.says("#file-bad", "2 problems, so nothing is sent.").await;
    assert!(!browser.is_shown("#send").await);
    assert!(workspace.operations().await.is_empty(), "nothing was sent");

    browser.click("#rejects-download").await;
    let list = browser.downloaded("bad-lines.csv").await;
    let lines: Vec<&str> = list.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "line,reason,importIds,emails,username,name,roles"), "{list}");
    assert!(lines[1].starts_with("4,") && lines[1].ends_with(",3,,'=cid,Cid,"), "{list}");
    assert!(lines[2].starts_with("7,") && lines[2].contains("nobody") && lines[2].contains(",6,fay@corp"), "{list}");

    // By the keyboard alone.
    browser.evaluate("document.querySelector('#leave-bad-out').focus()").await;
    browser.type_into("#leave-bad-out", " ").await;
    browser.says("#send", "Stage 5 users").await;
    browser.click("#send").await;
    browser.says("#file-good", "5 users staged. 2 bad lines left out.").await;
    browser.click("#run").await;
    browser.says("#state-detail", "5 users imported, none failed.").await;
    assert_eq!(workspace.count_imported().await, 5 + 1);

    // The list is mended and read like any file.
    let mended = list.replace(",3,,'=cid", ",3,cid@corp.example,'=cid").replace(",nobody", ",");
    let _file = browser.choose_file(".csv", &mended).await;
    browser.says("#file-good", "2 users, 1 warning.").await;
    browser.says("#foreseen-created", "2").await;
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn a_file_in_which_every_line_is_bad_or_that_is_of_no_use_has_no_way_past() {
    let Some((_workspace, _service, browser)) = set_up_signed_in().await else { return };
    for file in ["importIds,emails\n1,\n", "importIds,emails,colour\n1,a@corp.example,red\n"] {
        let _file = browser.choose_file(".csv", file).await;
        browser.says("#file-bad", "1 problem, so nothing is sent.").await;
        assert!(!browser.text("#file-bad").await.contains("leave the bad lines out"));
        for part in ["#leave-bad", "#foreseen", "#send"] {
            assert!(!browser.is_shown(part).await, "{part} of {file}");
        }
    }
    let objects = [json!({ "importIds": ["1"], "emails": ["a@corp.example"] }), json!({ "importIds": ["2"] })];
    let lines = objects.map(|object| format!("{object}\n")).concat();
    let _file = browser.choose_file(".jsonl", &lines).await;
    browser.says("#leave-bad", "Leave the bad line out").await;
    browser.click("#rejects-download").await;
    let list = browser.downloaded("bad-lines.jsonl").await;
    assert!(list.starts_with(r#"{"line":2,"#) && list.lines().count() == 1, "{list}");
}

#[tokio::test]
async fn names_that_differ_in_letter_case_only_are_warnings_unless_they_are_to_be_errors() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    workspace.add_user(user("Bob")).await;
    browser.choose("#users-on-existing", "fail").await;
    let file = "importIds,emails,username\n1,bob@corp.example,bob\n2,Eve@corp.example,e2\n\
                3,eve@corp.example,e3\n4,dan@corp.example,dan\n";
    let chosen = browser.choose_file(".csv", file).await;
    browser.says("#file-good", "4 users, 2 warnings.").await;
    foresees(&browser, "4", "0").await;

    browser.click("#users-refuse-case-twins").await;
    browser.says("#file-bad", "2 problems, so nothing is sent.").await;
    browser.says("#file-problems", "line 2: ").await;
    browser.says("#file-problems", "line 4: ").await;
    foresees(&browser, "2", "0").await;
    let path = chosen.path().to_str().unwrap();
    let command = run(&["users", path, "--dry-run", "--refuse-case-twins"], &[]).await;
    let problems = browser.text("#file-problems").await;
    assert!(problems.lines().any(|line| line.starts_with("line 4: ") && command.errors.contains(line)), "{problems}");

    browser.click("#leave-bad-out").await;
    browser.says("#send", "Stage 2 users").await;
    browser.click("#send").await;
    browser.says("#file-good", "2 users staged").await;
    browser.click("#run").await;
    browser.says("#state-detail", "2 users imported, none failed.").await;
    for (username, expected) in [("Bob", 1), ("bob", 0), ("e2", 1), ("e3", 0), ("dan", 1)] {
        let count = workspace.collection("users").count_documents(doc! { "username": username }).await.unwrap();
        assert_eq!(count, expected, "{username}");
    }
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn lists_of_slack_and_of_another_rocket_chat_become_accounts_as_they_are() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let slack = "username,email,status,billing-active,has-2fa,has-sso,userid,fullname,displayname,expiration-timestamp\n\
                 ann,ann@corp.example,Member,1,0,0,U01ANN,Ann Lee,annie,\n\
                 ci,,Bot,0,0,0,U02CI,CI Bot,,\n\
                 old,old@corp.example,Deactivated,0,0,0,U03OLD,Old One,,\n";
    let rocket_chat = json!({
        "users": [{
            "_id": "b1", "username": "bea", "emails": [{ "address": "bea@corp.example", "verified": true }],
            "type": "user", "active": false, "roles": ["user"], "name": "Bea", "utcOffset": 1,
        }],
        "count": 1, "offset": 0, "total": 1, "success": true,
    });
    let hash = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
    let exported = json!({
        "_id": "c1", "username": "cid", "emails": [{ "address": "cid@corp.example", "verified": true }],
        "type": "user", "active": true, "services": { "password": { "bcrypt": hash }, "resume": { "loginTokens": [] } },
    });
    for (ending, text, bad, good) in [
        (".csv", slack.to_owned(), 1, 2),
        (".json", rocket_chat.to_string(), 0, 1),
        (".jsonl", format!("{exported}\n"), 0, 1),
    ] {
        let _file = browser.choose_file(ending, &text).await;
        if bad > 0 {
            browser.says("#file-problems", "line 3: emails missing").await;
            browser.click("#leave-bad-out").await;
        }
        let users = if good == 1 { "1 user".to_owned() } else { format!("{good} users") };
        browser.says("#send", &format!("Stage {users}")).await;
        browser.click("#send").await;
        browser.says("#file-good", &format!("{users} staged.")).await;
        browser.says("#state", "Ready").await;
        browser.click("#run").await;
        browser.says("#state", "Done").await;
        browser.says("#state-detail", &format!("{users} imported, none failed.")).await;
    }
    for (username, import_id, active) in
        [("ann", "U01ANN", true), ("old", "U03OLD", false), ("bea", "b1", false), ("cid", "c1", true)]
    {
        let wanted = doc! { "username": username, "importIds": import_id, "active": active };
        assert_eq!(workspace.collection("users").count_documents(wanted).await.unwrap(), 1, "{username}");
    }
    let kept = workspace.collection("users").find_one(doc! { "username": "cid" }).await.unwrap().unwrap();
    let password = kept.get_document("services").unwrap().get_document("password").unwrap();
    assert_eq!(password.get_str("bcrypt").unwrap(), hash);
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn two_people_of_one_user_name_pass_once_names_may_get_a_number() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let people = "importIds,emails,username\n1,kim@corp.example,kim\n2,kim@partner.example,kim\n";
    let _file = browser.choose_file(".csv", people).await;
    browser.says("#file-problems", "by ticking “").await;
    browser.click("#users-username-suffix").await;
    browser.says("#file-good", "2 users, ").await;
    browser.says("#foreseen-created", "2").await;
    browser.click("#send").await;
    browser.says("#file-good", "2 users staged").await;
    browser.click("#run").await;
    browser.says("#state", "Done").await;
    assert_eq!(workspace.count_imported().await, 2);
    browser.assert_no_errors(&[]).await;
}
