//! Uploads for the check of a file of users.

use bson::{DateTime, doc};
use reqwest::Method;
use serde_json::json;

use super::{
    CHUNKS, FILES, PATIENCE, bytes, count,
    resumable::{CSV, UPLOADS, create, created, patch, request, sha256},
    served_with,
};
use crate::harness::{Answer, Service, Workspace, eventually, user};

const CHECK: &str = "/api/v1/import.check";
const FOR_CHECK: [(&str, &str); 2] = [("filename", "people.csv"), ("purpose", "check")];
const HOUR_MILLIS: i64 = 60 * 60 * 1000;

/// A file with problems, warnings and so many users who are well.
fn people(number: usize) -> Vec<u8> {
    let rows = (0..number).map(|n| format!("user{n},user{n}@corp.example,{n},{}\n", "x".repeat(200)));
    let bad = "bob,,b,\ncid,cid@corp.example,c,\nCid,CID@corp.example,d,\n";
    format!("username,emails,importIds,bio\n{bad}{}", rows.collect::<String>()).into_bytes()
}

/// Sends a file for a check, in pieces. Returns the path of the upload.
async fn uploaded(service: &Service, file: &[u8]) -> String {
    let path = created(service, file.len(), &[FOR_CHECK[0], FOR_CHECK[1], ("sha256", &sha256(file))]).await;
    for (number, piece) in file.chunks(300_000).enumerate() {
        let sent = patch(service, &path, number * 300_000, piece).await;
        assert_eq!((sent.status.as_u16(), sent.header("import-operation")), (204, None), "{}", sent.body);
    }
    path
}

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

async fn checked(service: &Service, query: &str, path: &str, body: &str) -> Answer {
    service.post_body(&format!("{CHECK}?upload={}{query}", id_of(path)), None, body).await
}

async fn expiry(workspace: &Workspace) -> i64 {
    let file = workspace.collection(FILES).find_one(doc! {}).await.unwrap().unwrap();
    let upload = file.get_document("metadata").unwrap().get_document("upload").unwrap();
    upload.get_datetime("expiresAt").unwrap().timestamp_millis()
}

#[tokio::test]
async fn a_check_of_an_upload_answers_as_one_of_a_body_and_begins_nothing() {
    let (workspace, service) = served_with(&[]).await;
    let file = people(5000);
    let path = uploaded(&service, &file).await;
    for query in ["", "&users=true", "&users=true&workspace=true&onExisting=link", "&name=people.csv&refuse=case-twins"]
    {
        let by_upload = checked(&service, query, &path, "").await;
        let by_body =
            service.post_body(&format!("{CHECK}?{}", query.trim_start_matches('&')), None, file.clone()).await;
        assert_eq!(by_body.status, 200, "{}", by_body.body);
        assert!(by_upload.told() == by_body.told(), "{query}");
        assert_eq!(by_upload.header("content-type"), by_body.header("content-type"));
    }
    assert_eq!((workspace.operations().await.len(), workspace.count_staged().await), (0, 0));

    let again = patch(&service, &path, file.len(), &[]).await;
    assert_eq!((again.status.as_u16(), again.header("import-operation")), (204, None));
    assert_eq!(service.get_as_admin(UPLOADS).await.json()["uploads"], json!([]), "no importer reads it");
    let head = service.send(request(&service, Method::HEAD, &path)).await;
    assert_eq!(head.header("upload-offset"), Some(file.len().to_string().as_str()));
    assert!(head.header("upload-expires").is_some());
    let with_body = checked(&service, "", &path, "username").await;
    assert_eq!(
        with_body.told(),
        (
            400,
            r#"{"success":false,"errorType":"error-invalid-params","error":"upload: the file is the upload's, so the body must be empty"}"#
        )
    );

    // An import of somebody leaves it alone.
    assert_eq!(service.post("/api/v1/import.new", &json!({})).await.status, 200);
    assert_eq!(service.post("/api/v1/import.clear", &json!({})).await.status, 200);
    assert_eq!(checked(&service, "", &path, "").await.status, 200);
    assert_eq!(service.send(request(&service, Method::DELETE, &path)).await.status, 204);
    assert_eq!((count(&workspace, FILES).await, count(&workspace, CHUNKS).await), (0, 0));
    assert_eq!(checked(&service, "", &path, "").await.status, 404);
}

#[tokio::test]
async fn only_complete_uploads_of_ones_own_that_are_for_a_check_are_checked() {
    let (workspace, service) = served_with(&[]).await;
    workspace.add_user(user("other").admin().with_token("other-token")).await;
    let file = people(3);
    let path = uploaded(&service, &file).await;
    let not_there = r#"{"success":false,"error":"There is no such upload for a check, or its hour is over. Send the file again, then check it"}"#;
    let by_other = service.request(Method::POST, &format!("{CHECK}?upload={}", id_of(&path)));
    let by_other = service.send(by_other.header("X-User-Id", "other").header("X-Auth-Token", "other-token")).await;
    assert_eq!(by_other.told(), (404, not_there));

    let half = created(&service, 10, &FOR_CHECK).await;
    assert_eq!(patch(&service, &half, 0, b"usern").await.status, 204);
    let sentence = "The upload is not complete: send the rest of its 10 bytes from byte 5 on, then check it";
    let incomplete = checked(&service, "", &half, "").await;
    assert_eq!((incomplete.status.as_u16(), incomplete.json()), (404, json!({ "success": false, "error": sentence })));

    let for_import = created(&service, 10, &CSV).await;
    for path in [for_import.as_str(), "no-id", "64d51ea91558939980aab371"] {
        assert_eq!(checked(&service, "", path, "").await.told(), (404, not_there), "{path}");
    }
    assert_eq!(checked(&service, "", &path, "").await.status, 200);
    assert_eq!(workspace.operations().await.len(), 0);
}

#[tokio::test]
async fn uploads_for_checks_are_bounded_in_size_and_content() {
    let (workspace, service) = served_with(&[]).await;
    let limit = 50 * 1024 * 1024;
    let refused = create(&service, limit + 1, &FOR_CHECK).await;
    let sentence = "The file has more than 52428800 bytes, which is the most that is taken in this way";
    assert_eq!((refused.status.as_u16(), refused.json()["error"].clone()), (413, json!(sentence)));
    created(&service, limit, &FOR_CHECK).await;
    let both = create(&service, 10, &[FOR_CHECK[1], CSV[1]]).await;
    let neither = create(&service, 10, &[("purpose", "something")]).await;
    for refused in [both, neither] {
        let sentence = "Upload-Metadata must hold importerKey, or in its place the purpose `check`";
        assert_eq!((refused.status.as_u16(), refused.json()["error"].clone()), (400, json!(sentence)));
    }
    workspace.collection(FILES).delete_many(doc! {}).await.unwrap();

    let path = created(&service, 5, &[FOR_CHECK[1], ("sha256", &sha256(b"other"))]).await;
    assert_eq!(patch(&service, &path, 0, b"user,").await.status, 422);
    assert_eq!(count(&workspace, FILES).await, 0);
}

#[tokio::test]
async fn an_upload_for_a_check_that_is_over_is_not_checked_and_is_swept() {
    let (workspace, service) = served_with(&[]).await;
    let path = uploaded(&service, &bytes(1000)).await;
    let left = expiry(&workspace).await - DateTime::now().timestamp_millis();
    assert!((HOUR_MILLIS - 60_000..=HOUR_MILLIS).contains(&left), "{left}");
    let over = doc! { "$set": { "metadata.upload.expiresAt": DateTime::from_millis(0) } };
    workspace.collection(FILES).update_one(doc! {}, over).await.unwrap();
    assert_eq!(checked(&service, "", &path, "").await.status, 404);
    eventually("it is swept", PATIENCE, async || {
        (count(&workspace, FILES).await, count(&workspace, CHUNKS).await) == (0, 0)
    })
    .await;
}
