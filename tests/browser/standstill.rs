//! An import in which nothing moves.

use bson::{DateTime, doc};
use serde_json::json;

use crate::{harness::operation, page::set_up_signed_in};

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn an_import_that_rocketchat_left_behind_is_told_as_that_and_can_be_cleared() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let changed = DateTime::from_millis(DateTime::now().timestamp_millis() - 3 * DAY_MILLIS);
    for step in ["importer_importing_messages", "importer_preparing_started"] {
        let left = operation(step).with("ts", changed).with("_updatedAt", changed).with("status", step);
        workspace.only_operation(left.document()).await;
        browser.says("#state", "Not moving").await;
        browser.says("#state-detail", "Nothing has moved for 3 days").await;
        browser.says("#state-detail", "Rocket.Chat's own process runs this import").await;
        browser.says("#announcer", "Not moving. Nothing has moved for 3 days").await;
        // A bar of 0 of 0 would be empty or full, a pace and a time left would be made up.
        for shown in ["#progress", "#chart"] {
            assert!(!browser.is_shown(shown).await, "{shown}");
        }
        browser.click("#clear").await;
        browser.click("#question-yes").await;
        browser.says("#state", "Stopped").await;
    }
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn an_import_of_nobody_that_is_done_has_no_full_bar() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    workspace.add_operation(operation("none").with("status", "importer_done").with("count", doc! { "total": 0 })).await;
    browser.says("#state", "Done").await;
    assert!(!browser.is_shown("#progress").await);
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn after_a_stuck_import_a_new_one_is_begun_and_a_second_clear_does_no_harm() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    let stuck = |id| {
        let changed = DateTime::from_millis(DateTime::now().timestamp_millis() - 3 * DAY_MILLIS);
        let step = "importer_importing_messages";
        operation(id).with("ts", changed).with("_updatedAt", changed).with("status", step).document()
    };
    workspace.only_operation(stuck("stuck")).await;
    browser.says("#state", "Not moving").await;
    browser.click("#clear").await;
    browser.click("#question-yes").await;
    browser.says("#state", "Stopped").await;
    browser.gone("#clear").await;
    // Somebody else is late.
    assert_eq!(service.post("/api/v1/import.clear", &json!({})).await.status, 200);
    browser.says("#state", "Stopped").await;
    assert!(!browser.is_shown("#action-error").await);

    // A new one takes its place without a clear. Another one is stuck: the page takes an older state of the same one for
    // an answer that was overtaken.
    workspace.only_operation(stuck("stuck again")).await;
    browser.says("#state", "Not moving").await;
    let _file = browser.choose_file(".csv", "importIds,emails,username\n1,ann@corp.example,ann\n").await;
    browser.click("#send").await;
    browser.says("#question-text", "An import is running. It is stopped").await;
    browser.click("#question-yes").await;
    browser.says("#state", "Ready").await;
    browser.click("#clear").await;
    browser.click("#question-yes").await;
    browser.says("#state", "Stopped").await;
    workspace.left_staged(0).await;

    let _file = browser.choose_file(".csv", "importIds,emails,username\n1,ann@corp.example,ann\n").await;
    browser.click("#send").await;
    browser.says("#question-text", "up to 1 user is still staged").await;
    browser.click("#question-yes").await;
    browser.says("#state", "Ready").await;
    browser.click("#run").await;
    browser.says("#state", "Done").await;
    assert_eq!(workspace.count_imported().await, 1);
    browser.assert_no_errors(&[]).await;
}
