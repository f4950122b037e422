//! An import in which nothing moves.

use bson::{DateTime, doc};

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
