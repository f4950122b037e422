//! From a file to accounts.

use std::io::Write as _;

use bson::doc;
use serde_json::{Value, json};

use crate::{
    harness::{operation, run, staged_users, user},
    page::{csv_of, doomed_user, set_up_signed_in},
};

/// What a spreadsheet would take for a formula, and a browser for a picture with a script.
const FORMULA: &str = "=1+1";
const MARKUP: &str = "<img src=x onerror=document.title='caught'>";

#[tokio::test]
async fn an_import_is_followed_from_a_file_to_its_end_and_what_failed_is_seen_downloaded_and_cleared() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    workspace.add_user(user("existing")).await;
    workspace.add_user(user(MARKUP)).await;
    browser.says("#state", "No import yet").await;
    assert!(!browser.is_shown("#run").await, "there is nothing to run");

    let mut users = staged_users(0..1200);
    users[3]["username"] = json!("Ann Lee");
    users.push(json!({ "username": "existing", "emails": ["x@example.com"], "importIds": [FORMULA], "name": "X" }));
    users.push(json!({ "username": MARKUP, "emails": ["y@example.com"], "importIds": ["y"], "name": "Y" }));
    browser.choose("#users-on-existing", "fail").await;
    let _file = browser.choose_file(".csv", &csv_of(&users)).await;
    browser.says("#file-good", "1,202 users, 1 warning.").await;
    for (figure, number) in [("#foreseen-created", "1,200"), ("#foreseen-failed", "2"), ("#foreseen-same", "0")] {
        browser.says(figure, number).await;
    }
    browser.says("#file-failing", "line 1202: The username existing is taken by the user existing").await;
    browser.says("#file-warnings", "cannot be mentioned").await;
    assert_eq!(workspace.count_staged().await, 0, "nothing is sent yet");
    browser.click("#send").await;

    browser.says("#state", "Ready").await;
    browser.says("#state-detail", "1,202 users staged").await;
    browser.says("#file-good", "1,202 users staged").await;
    assert_eq!(workspace.count_staged().await, 1202);
    browser.click("#staged-show").await;
    browser.says("#staged-table caption", "The first 25 of 1,202 users").await;
    assert_eq!(browser.cells("#staged-table").await[7], ["id7", "user7", "user7@example.com", ""]);

    browser.click("#run").await;
    browser.says("#state", "Done, with failures").await;
    assert_eq!(workspace.count_imported().await, 1200 + 2);
    for (figure, number) in [("#completed", "1,200"), ("#failed", "2"), ("#total", "1,202"), ("#percent", "100%")] {
        browser.says(figure, number).await;
    }
    assert_eq!(browser.attribute("#progress-bar", "aria-valuenow").await.as_deref(), Some("100"));
    let told = browser.attribute("#progress-bar", "aria-valuetext").await.unwrap();
    assert_eq!(told, "100%, 1,200 of 1,202 imported, 2 failed");
    browser.says("#announcer", "Done, with failures. 1,200 users imported; 2 could not be.").await;
    let drawn = browser.attribute("#chart-plot svg", "aria-label").await.unwrap();
    assert!(drawn.ends_with("1,200 users of 1,202 imported and 2 failed."), "{drawn}");

    browser.says("#failed-table caption", "2 users not imported").await;
    let failed = browser.cells("#failed-table").await;
    assert_eq!(failed[0][..3], [FORMULA, "existing", "x@example.com"]);
    assert!(failed[0][3].contains("is taken by the user existing"), "{failed:?}");
    assert_eq!(failed[1][1], MARKUP, "markup is shown, not followed");
    assert!(!browser.client.title().await.unwrap().contains("caught"));

    browser.click("#failed-download").await;
    let downloaded = browser.downloaded("failed-users.csv").await;
    let lines: Vec<&str> = downloaded.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], r#""importIds","emails","username","name","roles","line","errors""#);
    let first = r#""'=1+1","x@example.com","existing","X","user","1202",""#;
    assert!(lines[1].starts_with(first), "{}", lines[1]);
    let mut list = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    list.write_all(downloaded.as_bytes()).unwrap();
    let read = run(&["users", list.path().to_str().unwrap(), "--dry-run", "--json"], &[]).await;
    let summary: Value = serde_json::from_str(&read.output).unwrap();
    assert_eq!(
        (read.code, &summary["users"], &summary["ignoredColumns"]),
        (Some(0), &json!(2), &json!([])),
        "{read:?}"
    );

    let history = browser.cells("#history-table").await;
    assert_eq!(history[0][1..], ["Done, with failures", "api", "1,200", "2", "1,202", "admin"]);

    browser.says("#resume", "Resume with 2 users").await;
    browser.click("#clear").await;
    browser.shown("#question").await;
    browser.says("#question-text", "all staged users, those that failed too, are removed").await;
    browser.click("#question-no").await;
    browser.gone("#question").await;
    assert_eq!(workspace.count_staged().await, 2, "no is no");
    browser.click("#clear").await;
    browser.click("#question-yes").await;
    browser.gone("#clear").await;
    workspace.left_staged(0).await;

    browser.assert_no_errors(&[]).await;
    let requested = browser.requested().await;
    assert!(requested.iter().any(|url| url.ends_with("/import/page.css")), "{requested:?}");
    for url in requested {
        let is_own = url.starts_with(&format!("{}/", service.address)) || url.starts_with("blob:");
        assert!(is_own || url.starts_with("data:,"), "the page asked another host: {url}");
        assert!(!url.contains("admin-token"), "{url}");
    }
}

#[tokio::test]
async fn a_file_with_bad_lines_is_told_line_by_line_and_nothing_is_sent() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let file = "importIds,emails,username\n1,a@example.com,anna\n2,,ben\n3,c@example.com,anna\n4,d@example.com\n";
    let chosen = browser.choose_file(".csv", file).await;
    browser.says("#file-bad", "3 problems, so nothing is sent. Correct the file, or leave the bad lines out.").await;
    let problems = browser.text("#file-problems").await;
    let command = run(&["users", chosen.path().to_str().unwrap(), "--dry-run"], &[]).await;
    assert_eq!(problems.lines().count(), 3, "{problems}");
    // The page has a field where the command has a flag.
    let ticking = "by ticking “Whose user name another person has gets the next free one”";
    assert!(problems.contains(ticking), "{problems}");
    for line in problems.replace(ticking, "with --on-username-taken suffix").lines() {
        assert!(command.errors.lines().any(|said| said == line), "{line} in {}", command.errors);
    }
    assert!(!browser.is_shown("#send").await);

    // A file put in its place is looked at anew.
    let _file =
        browser.choose_file(".json", "[\n{\"importIds\": [\"1\"], \"emails\": [\"a@example.com\"]},\n{oops}\n]").await;
    browser.says("#file-bad", "1 problem, so nothing is sent.").await;
    browser.says("#file-problems", "line 3: ").await;
    let _file = browser.choose_file(".csv", "username,emails,importIds\n").await;
    browser.says("#file-bad", "there are no users in it").await;
    assert!(workspace.operations().await.is_empty());
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn json_files_of_each_kind_are_staged_with_all_their_fields() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let one =
        json!({ "importIds": ["1"], "emails": ["a@example.com"], "customFields": { "team": "x" }, "deleted": true });
    let two = json!({ "importIds": ["2"], "emails": ["b@example.com"], "roles": ["bot"] });
    for (ending, text) in [
        (".json", json!([one, two]).to_string()),
        (".json", json!({ "users": [one, two] }).to_string()),
        (".jsonl", format!("{one}\n{two}\n")),
    ] {
        let _file = browser.choose_file(ending, &text).await;
        browser.says("#send", "Stage 2 users").await;
        browser.click("#send").await;
        if workspace.count_staged().await > 0 {
            browser.says("#question-text", "2 users are staged and were never run. They are removed").await;
            browser.click("#question-yes").await;
        }
        browser.says("#file-good", "2 users staged").await;
        let staged = workspace.staged_data().await;
        assert_eq!(staged.len(), 2, "{ending}");
        assert_eq!(staged[0].get_document("customFields").unwrap(), &doc! { "team": "x" });
        assert!(staged[0].get_bool("deleted").unwrap());
    }
}

#[tokio::test]
async fn a_batch_that_a_proxy_does_not_take_goes_in_halves_and_a_user_too_large_alone_is_named() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    // As nginx answers a body above its `client_max_body_size`.
    browser
        .evaluate(
            "const send = window.fetch; window.tooLarge = 0;
             window.fetch = (url, request) => {
               if (!String(url).endsWith('/import.addUsers') || request.body.length <= 20000) return send(url, request);
               window.tooLarge += 1;
               const page = '<html><body><h1>413 Request Entity Too Large</h1></body></html>';
               return Promise.resolve(new Response(page, { status: 413, headers: { 'Content-Type': 'text/html' } }));
             };",
        )
        .await;
    let mut users = staged_users(0..700);
    let _file = browser.choose_file(".csv", &csv_of(&users)).await;
    browser.says("#send", "Stage 700 users").await;
    browser.click("#send").await;
    browser.says("#file-good", "700 users staged").await;
    assert_eq!(workspace.count_staged().await, 700);
    assert!(browser.evaluate("return window.tooLarge").await.as_u64().unwrap() >= 2);

    users[600]["name"] = json!("x".repeat(20_000));
    let _file = browser.choose_file(".csv", &csv_of(&users)).await;
    browser.says("#send", "Stage 700 users").await;
    browser.click("#send").await;
    browser.says("#question-text", "700 users are staged and were never run").await;
    browser.click("#question-yes").await;
    browser.says("#send-error", "The user user600 alone is larger").await;
    browser.says("#send-error", "client_max_body_size").await;
}

#[tokio::test]
async fn an_import_that_a_script_runs_shows_itself_on_an_open_page() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    workspace.add_user(user("existing")).await;
    let mut users = staged_users(0..20);
    users.extend((0..120).map(doomed_user));
    service.stage(&users).await;
    browser.says("#state", "Ready").await;
    service.run_import().await;
    browser.says("#state", "Done, with failures").await;

    // Failed users come a page at a time.
    assert_eq!(browser.attribute("#failed-previous", "aria-disabled").await.as_deref(), Some("true"));
    for (first, last) in [(1, 25), (26, 50), (51, 75), (76, 100), (101, 120)] {
        browser.says("#failed-range", &format!("{first}–{last} of 120")).await;
        assert_eq!(browser.cells("#failed-table").await[0][0], format!("doomed{}", first - 1));
        browser.click("#failed-next").await;
    }
    assert_eq!(browser.cells("#failed-table").await.last().unwrap()[0], "doomed119");
    assert_eq!(browser.attribute("#failed-next", "aria-disabled").await.as_deref(), Some("true"));
    browser.click("#failed-download").await;
    assert_eq!(browser.downloaded("failed-users.csv").await.lines().count(), 121);
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn what_an_import_has_left_staged_can_be_resumed_and_run() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    service.stage(&staged_users(0..7)).await;
    browser.says("#state", "Ready").await;
    assert!(!browser.is_shown("#resume").await);

    // As a restart of Rocket.Chat does.
    let id = workspace.operations().await[0].get_str("_id").unwrap().to_owned();
    workspace.update("rocketchat_import", &id, doc! { "$set": { "valid": false } }).await;
    browser.says("#state", "Stopped").await;
    browser.says("#resume", "Resume with 7 users").await;
    browser.click("#resume").await;
    browser.says("#state", "Ready").await;
    browser.click("#run").await;
    browser.says("#state", "Done").await;
    assert_eq!(workspace.count_imported().await, 7);
}

#[tokio::test]
async fn every_state_is_told_in_plain_words() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    browser.says("#state", "No import yet").await;
    for (status, valid, title) in [
        ("importer_new", true, "New"),
        ("importer_preparing_users", true, "Loading"),
        ("importer_user_selection", true, "Ready"),
        ("importer_importing_users", true, "Importing"),
        ("importer_done", true, "Done"),
        ("importer_user_selection", false, "Stopped"),
        ("importer_import_failed", true, "Stopped"),
        ("importer_import_cancelled", true, "Canceled"),
        ("importer_dreaming", true, "Unknown"),
    ] {
        // Without a staged user it is never taken up, whatever the status.
        let count = doc! { "total": 4, "users": 4, "completed": 1, "error": 0 };
        let made = operation(status).with("status", status).with("valid", valid).with("count", count);
        workspace.only_operation(made.document()).await;
        browser.says("#state", title).await;
        assert!(!browser.text("#state-detail").await.is_empty(), "{title}");
        let says_progress = browser.is_shown("#progress").await;
        assert_eq!(says_progress, ["Importing", "Done", "Stopped", "Canceled"].contains(&title), "{title}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_told_and_found_again() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    let port = service.address.rsplit(':').next().unwrap().to_owned();
    service.kill();
    browser.says("#connection", "The server cannot be reached. Trying again.").await;
    let again = crate::harness::Service::start(&[("MONGO_URL", &workspace.url), ("PORT", &port)]).await;
    browser.gone("#connection").await;
    again.new_import().await;
    browser.says("#state", "New").await;
}

#[tokio::test]
async fn a_workbook_with_a_warning_is_checked_by_the_server_and_staged() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    let rows = [
        ["username", "emails", "importIds"],
        ["ann", "ann@corp.example", "007"],
        ["bea", "BEA@corp.example", "8"],
        ["eve", "bea@corp.example", "9"],
    ];
    for (row, cells) in (0..).zip(rows) {
        sheet.write_row(row, 0, cells).unwrap();
    }
    let _file = browser.choose_file(".xlsx", workbook.save_to_buffer().unwrap()).await;
    browser.says("#file-good", "3 users, 1 warning.").await;
    browser.says("#file-warnings", "line 4: ").await;
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0), "a check stores nothing");
    browser.click("#send").await;
    // The third is the second in other letters: there already when it is his turn.
    browser.says("#file-good", "2 users staged").await;
    let staged = workspace.staged_data().await;
    assert_eq!(
        staged[0],
        doc! { "username": "ann", "emails": ["ann@corp.example"], "importIds": ["007"], "line": 2, "roles": ["user"] }
    );
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn cells_of_a_download_are_harmless_whatever_separates_cells() {
    let Some((_, _, browser)) = set_up_signed_in().await else { return };
    let cells = include_str!("../../src/domain/spreadsheet_cells.json");
    let script = format!(
        "return import('/import/csv.js').then(({{ harmlessText }}) => {cells}
            .filter(([text, written]) => harmlessText(text) !== written))"
    );
    assert_eq!(browser.evaluate(&script).await, json!([]));
}
