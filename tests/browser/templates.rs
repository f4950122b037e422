//! Files to fill in.

use bson::doc;

use crate::{harness::program, page::set_up_signed_in};

#[tokio::test]
async fn a_file_to_fill_in_is_handed_out_as_text_and_as_workbook_and_is_taken_again() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let role = doc! { "_id": "livechat-agent", "name": "livechat-agent", "scope": "Users" };
    workspace.collection("rocketchat_roles").insert_one(role).await.unwrap();
    browser.click("#template-csv").await;
    let text = browser.downloaded("users.csv").await;
    assert_eq!(text.into_bytes(), program(&["users", "--template", "csv"], &[]).output().unwrap().stdout);
    browser.click("#template-xlsx").await;
    let workbook = browser.downloaded_bytes("users.xlsx").await;
    let _file = browser.choose_file(".xlsx", workbook).await;
    browser.says("#file-good", "2 users, nothing wrong.").await;
    browser.says("#foreseen-created", "2").await;
    assert!(!browser.is_shown("#template-error").await);
    browser.assert_no_errors(&[]).await;
}
