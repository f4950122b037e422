//! Files as Base64 in JSON.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

use super::{CHUNKS, FILES, bytes, count, newest, served_with, stored, upload};
use crate::harness::{eventually, staged_users};

#[tokio::test]
async fn a_file_is_stored_whole_and_its_operation_says_what_rocket_chats_would() {
    let (workspace, service) = served_with(&[]).await;
    let content = bytes(700_000);
    let answer = upload(&service, "slack", &content).await;
    assert_eq!(answer.told(), (200, r#"{"success":true}"#));
    assert_eq!(stored(&workspace).await, content);
    assert_eq!(count(&workspace, CHUNKS).await, 3);

    let operation = newest(&workspace).await;
    let text = |name: &str| operation.get_str(name).unwrap();
    assert_eq!((text("type"), text("importerKey"), text("user")), ("Slack", "slack", "admin"));
    assert_eq!(text("contentType"), "application/zip");
    let (date, name) = text("file").split_once('_').unwrap();
    assert!(date.bytes().all(|digit| digit.is_ascii_digit()), "{date}");
    assert_eq!(name, "admin_export.zip");
    let source = operation.get_document("import").unwrap().get_document("source").unwrap();
    assert_eq!(source.get_str("kind").unwrap(), "stored");
    assert_eq!(source.get_str("id").unwrap(), text("_id"));
}

#[tokio::test]
async fn the_statuses_are_rocket_chats_in_its_order() {
    let (_workspace, service) = served_with(&[]).await;
    let mut events = service.events().await;
    assert_eq!(upload(&service, "csv", b"no zip").await.status, 200);
    let seen = events.until(|event| event.data["operation"]["status"] == "importer_file_loaded").await;
    let seen = seen.iter().filter_map(|event| event.data["operation"]["status"].as_str());
    let mut statuses: Vec<&str> = seen.collect();
    statuses.dedup();
    let order = ["importer_new", "importer_uploading", "importer_file_loaded"];
    let mut left = order.iter();
    assert!(statuses.iter().all(|status| left.any(|known| known == status)), "{statuses:?}");
}

#[tokio::test]
async fn nothing_changes_before_the_file_is_complete_and_its_importer_known() {
    let (workspace, service) = served_with(&[("UPLOAD_LIMIT_MB", "1")]).await;
    service.stage(&staged_users(0..3)).await;
    let before = newest(&workspace).await;
    let content = BASE64_STANDARD.encode(bytes(10_000));
    let large = BASE64_STANDARD.encode(bytes(1_100_000));
    for (body, status, told) in [
        (
            json!({ "binaryContent": content, "contentType": "", "fileName": "a", "importerKey": "hipchat" })
                .to_string(),
            400,
            "The importer (hipchat) has no import class defined. [error-importer-not-defined]",
        ),
        (
            json!({ "binaryContent": content, "contentType": "", "fileName": "a", "importerKey": "api" }).to_string(),
            400,
            "The importer (api) has no import class defined. [error-importer-not-defined]",
        ),
        (
            json!({ "binaryContent": content, "contentType": "", "fileName": "a" }).to_string(),
            400,
            "must have required property 'importerKey'",
        ),
        (
            json!({ "contentType": "", "fileName": "a", "importerKey": "csv" }).to_string(),
            400,
            "must have required property 'binaryContent'",
        ),
        (
            json!({ "binaryContent": content, "contentType": "", "fileName": 1, "importerKey": "csv" }).to_string(),
            400,
            "must be string",
        ),
        (
            json!({ "binaryContent": content, "more": "", "fileName": "a", "importerKey": "csv" }).to_string(),
            400,
            "must NOT have additional properties",
        ),
        (
            json!({ "binaryContent": "a*b=", "contentType": "", "fileName": "a", "importerKey": "csv" }).to_string(),
            400,
            "must be the file as Base64",
        ),
        (format!(r#"{{"binaryContent":"{content}"#), 400, "the body"),
        ("[]".to_owned(), 400, "must be object"),
        (
            json!({ "binaryContent": large, "contentType": "", "fileName": "a", "importerKey": "csv" }).to_string(),
            413,
            "The file has more than 1048576 bytes, which is the most that is taken in this way",
        ),
    ] {
        let request = service
            .request(reqwest::Method::POST, "/api/v1/uploadImportFile")
            .header("X-User-Id", "admin")
            .header("X-Auth-Token", "admin-token")
            .header("content-type", "application/json")
            .body(body);
        let answer = service.send(request).await;
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(answer.status == status && error.contains(told), "{told}: {} {error}", answer.status);
    }
    assert_eq!(newest(&workspace).await, before);
    assert_eq!(workspace.count_staged().await, 3);
    eventually("nothing is left in the store", super::PATIENCE, async || {
        (count(&workspace, FILES).await, count(&workspace, CHUNKS).await) == (0, 0)
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_into_the_quota_is_refused_with_the_numbers() {
    let (workspace, service) = served_with(&[("UPLOAD_QUOTA_MB", "1")]).await;
    let answer = upload(&service, "csv", &bytes(2_000_000)).await;
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(answer.status, 413, "{error}");
    assert!(error.contains("but only 1048576 of the 1048576 bytes for import files are left"), "{error}");
    assert_eq!(count(&workspace, FILES).await, 0);
}
