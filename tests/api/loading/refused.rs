//! Files that cannot be loaded: the operation says so, and nothing hangs.

use serde_json::json;

use super::{ServerFile, loading};

async fn assert_refused(importer: &str, file: &ServerFile, expected: &str) {
    let (workspace, service) = loading(importer, file).await;
    let problem = service.problem().await;
    assert!(problem.contains(expected), "{importer}: {problem}");
    let status = service.status().await.json();
    assert_eq!(status["operation"]["status"], "importer_import_failed");
    assert_eq!(status["operation"]["valid"], true);
    assert_eq!(workspace.count_staged().await, 0);
    let answer = service.get_as_admin("/api/v1/getImportFileData").await;
    let body = json!({ "success": false, "error": problem });
    assert_eq!((answer.status.as_u16(), answer.json()), (400, body));
    service.logged(&problem).await;
    // The workspace is not stuck.
    service.new_import().await;
    assert_eq!(service.status().await.json()["state"], "new");
}

#[tokio::test]
async fn what_is_no_zip_fails_with_the_reason() {
    let text = ServerFile::new(b"This is no archive at all.");
    assert_refused("slack", &text, "no zip archive").await;
    assert_refused("csv", &text, "no zip archive").await;
}

#[tokio::test]
async fn a_zip_cut_off_in_the_middle_fails_with_the_reason() {
    let whole = super::csv_zip(100, 100);
    let content = std::fs::read(&whole.path).unwrap();
    assert_refused("csv", &ServerFile::new(&content[..content.len() / 2]), "zip").await;
}

#[tokio::test]
async fn a_zip_without_anything_known_fails_with_the_reason() {
    let file = ServerFile::zip(&[("readme.txt", "nothing".to_owned())]);
    assert_refused("slack", &file, "").await;
}

#[tokio::test]
async fn a_list_without_a_single_record_fails_with_the_reason() {
    let file = ServerFile::new(b"username,email,status\n");
    assert_refused("slack-users", &file, "").await;
}

#[tokio::test]
async fn a_file_that_is_gone_fails_with_the_reason_and_without_its_folder() {
    let file = super::csv_zip(1, 1);
    let path = file.path.to_owned();
    std::fs::remove_file(&path).unwrap();
    let (_workspace, service) = loading("csv", &file).await;
    let problem = service.problem().await;
    assert!(problem.contains("cannot be read"), "{problem}");
    assert!(!problem.contains(path.parent().unwrap().to_str().unwrap()), "{problem}");
}

#[tokio::test]
async fn a_file_in_whose_place_there_is_a_link_by_now_is_not_read() {
    let file = super::csv_zip(1, 1);
    let elsewhere = file.path.with_extension("elsewhere");
    std::fs::rename(&file.path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file.path).unwrap();
    let (workspace, service) = loading("csv", &file).await;
    let problem = service.problem().await;
    std::fs::remove_file(&elsewhere).unwrap();
    assert!(problem.contains("there is a link on the way"), "{problem}");
    assert_eq!(workspace.count_staged().await, 0);
}
