//! The pace and the time left of what takes long before anything is staged.

use super::{File, call, csv_of};
use crate::harness::served;

/// Whether a line of this step names a pace and the time left.
fn shows_pace_and_time_left(errors: &str, step: &str) -> bool {
    errors.lines().any(|line| line.starts_with(step) && line.contains("/s, ") && line.ends_with(" left"))
}

#[tokio::test]
async fn a_long_file_is_read_with_a_pace_and_the_time_left_and_a_short_one_without_a_word() {
    let long = File::new("users.csv", csv_of(0..30_000));
    let read = call("http://127.0.0.1:1", &["users", long.path(), "--dry-run"]).await;
    assert_eq!(read.code, Some(0), "{read:?}");
    assert!(shows_pace_and_time_left(&read.errors, "read "), "{read:?}");
    let short = File::new("users.csv", csv_of(0..10));
    let read = call("http://127.0.0.1:1", &["users", short.path(), "--dry-run"]).await;
    assert!(!read.errors.contains("read "), "{read:?}");
}

#[tokio::test]
async fn a_check_against_the_workspace_shows_its_pace_and_the_time_left() {
    let (_workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..20_000));
    let checked = call(&service.address, &["users", file.path(), "--check"]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(shows_pace_and_time_left(&checked.errors, "checked "), "{checked:?}");
    assert!(checked.errors.contains("checked 20000 of 20000"), "{checked:?}");
}
