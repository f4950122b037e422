//! Files that follow an import, as they come.

use bson::{DateTime, Document, doc};

use crate::{
    harness::{OperationBuilder, operation},
    page::set_up_signed_in,
};

fn fetching(status: &str, completed: i32, failed: i32, bytes: i64) -> OperationBuilder {
    let count: Document = doc! { "total": 40, "messages": 40, "completed": completed, "error": failed };
    operation("fetching")
        .with("type", "Pending Files")
        .with("importerKey", "pending-files")
        .with("status", status)
        .with("count", count)
        .with("import", doc! { "bytes": bytes, "bytesTotal": 40_000_000_i64 })
        .with("_updatedAt", DateTime::now())
}

#[tokio::test]
async fn files_are_seen_as_they_come_with_bytes_pace_and_time_left() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    for number in 1..=6 {
        let bytes = i64::from(number) * 2_500_000;
        workspace.only_operation(fetching("importer_importing_files", number, 0, bytes).document()).await;
        browser.says("#completed", &number.to_string()).await;
    }
    browser.says("#state", "Fetching").await;
    browser.says("#state-detail", "The files that the import left are being fetched.").await;
    browser.says("#bytes", "15 MB of 40 MB").await;
    browser.says("#rate", "B").await;
    browser.shown("#left-figure").await;
    workspace.only_operation(fetching("importer_done", 38, 2, 38_000_000).document()).await;
    browser.says("#state", "Done, with failures").await;
    browser.says("#state-detail", "38 files fetched; 2 could not be.").await;
    browser.says("#bytes", "38 MB of 40 MB").await;
    // Another operation has no bytes.
    workspace.only_operation(operation("api").with("status", "importer_done").document()).await;
    browser.says("#state", "Done").await;
    assert!(!browser.is_shown("#bytes-figure").await);
}
