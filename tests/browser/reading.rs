//! How a file of users is read: fields for what the file does not say itself.

use serde_json::{Value, json};

use crate::{browser::Browser, harness::Workspace, page::set_up_signed_in};

/// Stages the file that is chosen; the users without their lines and roles.
async fn staged(workspace: &Workspace, browser: &Browser) -> Vec<Value> {
    browser.click("#send").await;
    browser.says("#file-good", "staged").await;
    let staged = workspace.staged_data().await.into_iter().map(|mut user| {
        user.remove("line");
        user.remove("roles");
        bson::Bson::Document(user).into_relaxed_extjson()
    });
    staged.collect()
}

#[tokio::test]
async fn a_list_whose_source_its_columns_do_not_show_is_read_with_where_it_comes_from() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let list = "username,email,name\nann.lee,ann@corp.example,Ann Lee\n";
    let _file = browser.choose_file(".csv", list).await;
    browser.says("#file-bad", "1 problem, so nothing is sent.").await;
    browser
        .says(
            "#file-problems",
            "line 2: importIds missing of the user \"ann.lee\": give the user an id, or choose one under \
             “Import id of users without one”",
        )
        .await;
    browser.shown("#users-import-id-from").await;
    browser.choose("#users-from", "rocketchat").await;
    browser.says("#file-good", "1 user, nothing wrong.").await;
    browser.says("#file-warnings", "(“The file comes from”: “Rocket.Chat”)").await;
    let ann =
        json!({ "username": "ann.lee", "emails": ["ann@corp.example"], "name": "Ann Lee", "importIds": ["ann.lee"] });
    assert_eq!(staged(&workspace, &browser).await, [ann]);

    // Without a header, too, and a list of Slack that lacks the columns it is known by.
    browser.choose("#users-from", "").await;
    let _file = browser.choose_file(".csv", "bea.ray,bea@corp.example,Bea Ray\n").await;
    browser.says("#file-good", "1 user, nothing wrong.").await;
    browser.says("#file-warnings", "read as Rocket.Chat's users.csv without a header").await;
    let _file =
        browser.choose_file(".csv", "username,email,status,userid\ncid,cid@corp.example,Deactivated,U03\n").await;
    browser.says("#file-problems", "unknown column \"status\"").await;
    browser.choose("#users-from", "slack-members").await;
    browser.says("#file-good", "1 user, nothing wrong.").await;
    browser.click("#send").await;
    browser.click("#question-yes").await;
    browser.says("#file-good", "1 user staged").await;
    assert!(workspace.staged_data().await[0].get_bool("deleted").unwrap());
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn columns_with_names_of_their_own_are_mapped_and_left_out_by_the_fields_that_the_sentence_names() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    assert!(!browser.is_shown("#users-columns").await, "who needs no field sees none");
    let list = "Nick in chat;E-Mail;Number;Team\nann;ann@corp.example;1;Optics\n";
    let _file = browser.choose_file(".csv", list).await;
    browser.says("#file-bad", "3 problems, so nothing is sent.").await;
    let way_out = "say under “Columns” which field it is, or tick “Leave out columns that are not known”";
    browser.says("#file-problems", &format!("line 1: unknown column \"Team\": {way_out}")).await;
    assert!(!browser.text("#file-problems").await.contains("--"), "no flag of the command line");
    browser.shown("#users-columns").await;

    browser.write_into("#users-columns", "Nick in chat=username\n\nNumber = importIds").await;
    browser.says("#file-bad", "1 problem, so nothing is sent.").await;
    browser.click("#users-ignore-unknown").await;
    browser.says("#file-good", "1 user, nothing wrong.").await;
    browser.write_into("#users-constants", "bio=From the list").await;
    browser.says("#file-good", "1 user, nothing wrong.").await;
    let ann = json!({ "username": "ann", "emails": ["ann@corp.example"], "importIds": ["1"], "bio": "From the list" });
    assert_eq!(staged(&workspace, &browser).await, [ann]);

    // A field that does not fit is named, too.
    let _file = browser.choose_file(".csv", list).await;
    browser.says("#file-good", "1 user, nothing wrong.").await;
    for (field, wrong, words) in [
        ("#users-columns", "Nick in chat=nick name", "“Columns”: nick name is no field of a user"),
        (
            "#users-columns",
            "Nickname=username",
            "“Columns” names the column \"nickname\", which the file does not have",
        ),
    ] {
        browser.write_into(field, wrong).await;
        browser.says("#new-form", words).await;
    }
    browser.assert_no_errors(&["400"]).await;
}

#[tokio::test]
async fn a_file_of_something_else_a_sheet_and_an_encoding_are_answered_with_the_fields() {
    let Some((_workspace, _service, browser)) = set_up_signed_in().await else { return };
    let lines = "{\"type\":\"version\",\"version\":1}\n\
                 {\"type\":\"user\",\"user\":{\"username\":\"ann\",\"email\":\"ann@corp.example\"}}\n";
    let _file = browser.choose_file(".jsonl", lines).await;
    let words = "this is a Mattermost bulk file: choose “Mattermost” under “The file comes from” to import its users";
    browser.says("#file-problems", words).await;
    browser.choose("#users-from", "mattermost").await;
    browser.says("#file-good", "1 user, ").await;
    browser.choose("#users-from", "").await;
    browser.says("#file-problems", words).await;

    let latin = b"username,emails,importIds,name\nann,ann@corp.example,1,J\xf6rg M\xfcller\n";
    let _file = browser.choose_file(".csv", latin).await;
    browser.says("#file-problems", "write windows-1252 under “Encoding of the text”").await;
    browser.write_into("#users-encoding", "windows-1252").await;
    browser.says("#file-good", "1 user, nothing wrong.").await;
    browser.write_into("#users-encoding", "klingon").await;
    browser.says("#file-bad", "“Encoding of the text”: klingon is not known").await;
    browser.write_into("#users-encoding", "").await;
    browser.says("#file-problems", "is not UTF-8").await;

    let mut workbook = rust_xlsxwriter::Workbook::new();
    workbook.add_worksheet().set_name("Notes").unwrap().write(0, 0, "Read me").unwrap();
    let people = workbook.add_worksheet().set_name("People").unwrap();
    for (row, cells) in (0..).zip([["username", "emails", "importIds"], ["ann", "ann@corp.example", "1"]]) {
        people.write_row(row, 0, cells).unwrap();
    }
    let _file = browser.choose_file(".xlsx", workbook.save_to_buffer().unwrap()).await;
    browser.says("#file-bad", "so nothing is sent.").await;
    browser.write_into("#users-sheet", "Persons").await;
    browser.says("#file-problems", "so give “Sheet of the workbook” one that is there").await;
    browser.write_into("#users-sheet", "People").await;
    browser.says("#file-good", "1 user, nothing wrong.").await;
    browser.assert_no_errors(&["400"]).await;
}
