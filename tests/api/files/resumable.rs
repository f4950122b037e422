//! Uploads after tus 1.0.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::doc;
use reqwest::{Method, RequestBuilder};
use rocketchat_import::domain::stable_hash::hex;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::{io::AsyncWriteExt as _, time::sleep};

use super::{CHUNKS, FILES, PATIENCE, bytes, count, newest, served_with, stored};
use crate::harness::{Answer, Service, eventually, staged_users, user, zip};

pub(super) const UPLOADS: &str = "/api/v1/import.upload";

pub(super) fn request(service: &Service, method: Method, path: &str) -> RequestBuilder {
    let request = service.request(method, path).header("X-User-Id", "admin").header("X-Auth-Token", "admin-token");
    request.header("Tus-Resumable", "1.0.0")
}

pub(super) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

pub(super) async fn create(service: &Service, size: usize, metadata: &[(&str, &str)]) -> Answer {
    let pairs = metadata.iter().map(|(key, value)| format!("{key} {}", BASE64_STANDARD.encode(value)));
    let metadata = pairs.collect::<Vec<_>>().join(",");
    let request =
        request(service, Method::POST, UPLOADS).header("Upload-Length", size).header("Upload-Metadata", metadata);
    service.send(request).await
}

/// Makes an upload and returns its path.
pub(super) async fn created(service: &Service, size: usize, metadata: &[(&str, &str)]) -> String {
    let made = create(service, size, metadata).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.header("tus-resumable"), Some("1.0.0"));
    made.header("location").unwrap().to_owned()
}

pub(super) async fn patch(service: &Service, path: &str, offset: usize, content: &[u8]) -> Answer {
    let request = request(service, Method::PATCH, path).header("Upload-Offset", offset);
    service.send(request.header("content-type", "application/offset+octet-stream").body(content.to_vec())).await
}

async fn offset(service: &Service, path: &str) -> usize {
    let head = service.send(request(service, Method::HEAD, path)).await;
    assert_eq!((head.status.as_u16(), head.header("cache-control")), (200, Some("no-store")));
    head.header("upload-offset").unwrap().parse().unwrap()
}

pub(super) const CSV: [(&str, &str); 2] = [("filename", "export.zip"), ("importerKey", "csv")];

#[tokio::test]
async fn an_upload_goes_on_after_broken_connections_and_begins_the_import_with_its_last_byte() {
    let (workspace, mut service) = served_with(&[]).await;
    let content = bytes(3_000_000);
    let hash = sha256(&content);
    let path = created(&service, content.len(), &[CSV[0], CSV[1], ("sha256", &hash)]).await;
    assert_eq!(offset(&service, &path).await, 0);
    for round in 0..2 {
        let at = offset(&service, &path).await;
        let mut connection = service.connect().await.unwrap();
        let head = format!(
            "PATCH {path} HTTP/1.1\r\nhost: x\r\nx-user-id: admin\r\nx-auth-token: admin-token\r\ntus-resumable: 1.0.0\r\n\
             content-type: application/offset+octet-stream\r\nupload-offset: {at}\r\ncontent-length: {}\r\n\r\n",
            content.len() - at
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&content[at..at + 1_000_000 - 7]).await.unwrap();
        drop(connection);
        eventually("the call is over", PATIENCE, async || !service.log_lines("method=PATCH").is_empty()).await;
        // Bytes that had not been read when the connection broke are lost with it.
        let stored = offset(&service, &path).await;
        assert!((at..at + 1_000_000).contains(&stored), "{stored} after {at}");
        if round == 0 {
            service.kill();
            service = workspace.serve().await;
            service.ready().await;
        }
    }
    let at = offset(&service, &path).await;
    assert_eq!(count(&workspace, "rocketchat_import").await, 0);
    let last = patch(&service, &path, at, &content[at..]).await;
    assert_eq!((last.status.as_u16(), last.header("upload-offset")), (204, Some("3000000")), "{}", last.body);
    let operation = newest(&workspace).await;
    assert_eq!(last.header("import-operation"), Some(operation.get_str("_id").unwrap()));
    assert_eq!(stored(&workspace).await, content);

    let again = patch(&service, &path, content.len(), &[]).await;
    assert_eq!(again.header("import-operation"), Some(operation.get_str("_id").unwrap()));
    assert_eq!(count(&workspace, "rocketchat_import").await, 1);
}

#[tokio::test]
async fn bytes_at_another_place_of_another_kind_or_too_many_are_refused() {
    let (workspace, service) = served_with(&[]).await;
    let path = created(&service, 10, &CSV).await;
    assert_eq!(patch(&service, &path, 0, b"01234").await.status, 204);
    for place in [0, 4, 6] {
        let refused = patch(&service, &path, place, b"56789").await;
        assert_eq!(
            (refused.status.as_u16(), refused.json()["error"].clone()),
            (409, json!("The upload goes on at byte 5"))
        );
    }
    assert_eq!(patch(&service, &path, 5, b"567890").await.status, 413);
    let plain = request(&service, Method::PATCH, &path).header("Upload-Offset", 5).body("56789");
    assert_eq!(service.send(plain).await.status, 415);
    let old = service.request(Method::HEAD, &path).header("X-User-Id", "admin").header("X-Auth-Token", "admin-token");
    let old = service.send(old).await;
    assert_eq!((old.status.as_u16(), old.header("tus-version")), (412, Some("1.0.0")));
    assert_eq!(create(&service, 10, &[("importerKey", "hipchat")]).await.status, 400);
    assert_eq!(create(&service, 10, &[("filename", "a.zip")]).await.status, 400);
    assert_eq!(offset(&service, &path).await, 5);
    assert_eq!(count(&workspace, "rocketchat_import").await, 0);
}

#[tokio::test]
async fn of_two_writers_at_one_place_one_wins() {
    let (workspace, service) = served_with(&[]).await;
    let (first, second) = (vec![1; 600_000], vec![2; 600_000]);
    let path = created(&service, 1_200_000, &CSV).await;
    let (one, other) = tokio::join!(patch(&service, &path, 0, &first), patch(&service, &path, 0, &second));
    let statuses = [one.status.as_u16(), other.status.as_u16()];
    assert!(statuses == [204, 409] || statuses == [409, 204], "{statuses:?}");
    let winner = if one.status == 204 { first } else { second };
    assert_eq!(offset(&service, &path).await, 600_000);
    assert_eq!(stored(&workspace).await, winner);
}

#[tokio::test]
async fn a_writer_whose_chunk_an_earlier_one_stores_at_that_moment_wins() {
    let (workspace, service) = served_with(&[]).await;
    let path = created(&service, 1000, &CSV).await;
    let id: bson::oid::ObjectId = path.rsplit('/').next().unwrap().parse().unwrap();
    workspace.migrated().await;
    workspace.collection(CHUNKS).insert_one(doc! { "_id": "any" }).await.unwrap();
    // The writer before this one has the epoch 0.
    let mut session = workspace.database.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let chunk = doc! { "_id": { "file": id, "n": 0_i64 }, "files_id": id, "n": 0_i64, "epoch": 0_i64 };
    workspace.collection(CHUNKS).insert_one(chunk).session(&mut session).await.unwrap();
    let earlier = async {
        sleep(Duration::from_millis(500)).await;
        session.commit_transaction().await.unwrap();
    };
    let content = vec![1; 500];
    let (answer, ()) = tokio::join!(patch(&service, &path, 0, &content), earlier);
    assert_eq!(answer.status, 204, "{}", answer.body);
    assert_eq!(offset(&service, &path).await, 500);
}

#[tokio::test]
async fn somebody_elses_upload_is_not_there_and_ones_own_can_be_listed_and_removed() {
    let (workspace, service) = served_with(&[]).await;
    workspace.add_user(user("other").admin().with_token("other-token")).await;
    let path = created(&service, 10, &CSV).await;
    for method in [Method::HEAD, Method::DELETE] {
        let request = service.request(method, &path).header("X-User-Id", "other").header("X-Auth-Token", "other-token");
        assert_eq!(service.send(request.header("Tus-Resumable", "1.0.0")).await.status, 404);
    }
    let listed = service.get_as_admin(UPLOADS).await.json();
    assert_eq!(listed["uploads"][0]["fileName"], "export.zip", "{listed}");
    assert_eq!(service.get_as("other", "other-token", UPLOADS).await.json()["uploads"], json!([]));
    assert_eq!(service.send(request(&service, Method::DELETE, &path)).await.status, 204);
    assert_eq!(service.send(request(&service, Method::HEAD, &path)).await.status, 404);
    assert_eq!(count(&workspace, FILES).await, 0);
}

/// Announces so many uploads at once, in turn on the services. Returns the refusals.
async fn announced_at_once(services: &[&Service], number: usize, size: u64) -> Vec<Answer> {
    let size = usize::try_from(size).unwrap();
    let announced = (0..number).map(|number| create(services[number % services.len()], size, &CSV));
    let answers = futures::future::join_all(announced).await;
    answers.into_iter().filter(|answer| answer.status != 201).collect()
}

#[tokio::test]
async fn of_uploads_that_are_announced_at_once_no_more_are_taken_than_the_quota_holds() {
    let (workspace, service) = served_with(&[("UPLOAD_QUOTA_MB", "10")]).await;
    let refused = announced_at_once(&[&service], 8, 3 << 20).await;
    assert_eq!(refused.len(), 5, "three of eight fit");
    for answer in refused {
        let sentence = "The file takes 3145728 bytes, but only 1048576 of the 10485760 bytes for import files are left";
        assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (413, json!(sentence)));
    }
    assert_eq!(count(&workspace, FILES).await, 3, "what was refused takes no room");

    let other = Service::start(&[("MONGO_URL", workspace.url.as_str()), ("UPLOAD_QUOTA_MB", "10")]).await;
    other.ready().await;
    for _ in 0..5 {
        workspace.collection(FILES).delete_many(bson::doc! {}).await.unwrap();
        let refused = announced_at_once(&[&service, &other], 8, 3 << 20).await;
        assert!(refused.len() >= 5 && refused.iter().all(|answer| answer.status == 413), "{refused:?}");
        let taken = count(&workspace, FILES).await;
        assert_eq!(taken, 8 - refused.len() as u64);
        // Instances may have refused each other's; there is room for them still.
        assert_eq!(announced_at_once(&[&other], 3, 3 << 20).await.len() as u64, taken);
    }
}

#[tokio::test]
async fn of_uploads_that_are_announced_at_once_no_more_are_taken_than_the_disk_holds() {
    let (workspace, service) = served_with(&[("UPLOAD_QUOTA_MB", "4000000000")]).await;
    let stats = workspace.database.run_command(bson::doc! { "dbStats": 1 }).await.unwrap();
    let number = |name: &str| match stats.get(name).unwrap() {
        bson::Bson::Double(bytes) => *bytes,
        other => panic!("{other}"),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bytes")]
    let size = ((number("fsTotalSize") - number("fsUsedSize")) * 0.4) as u64;
    let refused = announced_at_once(&[&service], 5, size).await;
    assert_eq!(refused.len(), 3, "each takes 44 % of what is free");
    for answer in refused {
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 507, "{error}");
        let needed = size + size / 10;
        assert!(error.starts_with(&format!("The file takes {needed} bytes in the database, but only ")), "{error}");
        assert!(error.ends_with(" bytes are free there beside what other uploads will take"), "{error}");
        let free: u64 = error.split(' ').nth(10).unwrap().parse().unwrap();
        assert!(free < needed && free > 0, "{error}");
    }
    assert_eq!(count(&workspace, FILES).await, 2);
}

#[tokio::test]
async fn two_instances_that_end_one_upload_at_once_begin_one_import() {
    let (workspace, service) = served_with(&[]).await;
    let other = Service::start(&[("MONGO_URL", workspace.url.as_str())]).await;
    other.ready().await;
    let content = zip(&[("users.csv", "ann,ann@corp.example,Ann\n".to_owned())]);
    for round in 0..6 {
        service.stage(&staged_users(0..1)).await;
        let path = created(&service, content.len(), &CSV).await;
        assert_eq!(patch(&service, &path, 0, &content).await.status, 409, "the import before is in the way");
        let path_of_end = format!("{path}?replace=true");
        let ends = [&service, &other, &service, &other].map(|end| patch(end, &path_of_end, content.len(), &[]));
        let id = path.rsplit('/').next().unwrap();
        for answer in futures::future::join_all(ends).await {
            assert_eq!((answer.status.as_u16(), answer.header("import-operation")), (204, Some(id)), "{}", answer.body);
        }
        assert_eq!(count(&workspace, "rocketchat_import").await, 2 * (round + 1));
        service.wait_for_state("ready").await;
        assert_eq!(newest(&workspace).await.get_str("_id").unwrap(), id);
        assert_eq!(workspace.count_staged().await, 1, "{round}: the file's, and not those of the import before");
        assert_eq!(service.post("/api/v1/import.clear", &json!({})).await.status, 200);
    }
}

#[tokio::test]
async fn an_import_in_the_way_is_ended_only_if_that_is_wanted_and_the_bytes_stay() {
    let (workspace, service) = served_with(&[]).await;
    service.stage(&staged_users(0..3)).await;
    let ready = newest(&workspace).await;
    let path = created(&service, 6, &CSV).await;
    let refused = patch(&service, &path, 0, b"no zip").await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["error"].clone()),
        (409, json!("An import is ready to be run"))
    );
    assert_eq!(newest(&workspace).await, ready);
    assert_eq!(offset(&service, &path).await, 6);
    let begun = patch(&service, &format!("{path}?replace=true"), 6, &[]).await;
    assert_eq!(begun.status, 204, "{}", begun.body);
    assert_eq!(newest(&workspace).await.get_str("importerKey").unwrap(), "csv");
}

#[tokio::test]
async fn a_file_that_is_not_the_announced_one_is_refused_and_removed() {
    let (workspace, service) = served_with(&[]).await;
    let hash = sha256(b"other bytes");
    let path = created(&service, 6, &[CSV[0], CSV[1], ("sha256", &hash)]).await;
    let refused = patch(&service, &path, 0, b"no zip").await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(count(&workspace, "rocketchat_import").await, 0);
    assert_eq!(count(&workspace, FILES).await, 0);
}

#[tokio::test]
async fn options_tell_what_tus_wants_to_know_and_browsers_are_allowed_its_headers() {
    let (workspace, service) = served_with(&[]).await;
    let told = service.send(service.request(Method::OPTIONS, UPLOADS)).await;
    assert_eq!(
        (told.status.as_u16(), told.header("tus-version"), told.header("tus-extension")),
        (204, Some("1.0.0"), Some("creation,termination,expiration"))
    );
    let asked = || service.request(Method::OPTIONS, UPLOADS).header("Origin", "https://chat.example");
    assert_eq!(service.send(asked()).await.status, 405);
    workspace
        .collection("rocketchat_settings")
        .insert_one(bson::doc! { "_id": "API_Enable_CORS", "value": true })
        .await
        .unwrap();
    eventually("CORS is on", PATIENCE, async || service.send(asked()).await.status == 204).await;
    let told = service.send(asked()).await;
    assert!(told.header("access-control-allow-headers").unwrap().contains("Upload-Offset"));
    assert!(told.header("access-control-expose-headers").unwrap().contains("Location"));
    assert!(told.header("access-control-allow-methods").unwrap().contains("PATCH"));
}

#[tokio::test]
async fn a_file_that_a_resumed_operation_reads_is_not_removed() {
    let (workspace, service) = served_with(&[]).await;
    let path = created(&service, 6, &CSV).await;
    assert_eq!(patch(&service, &path, 0, b"no zip").await.status, 204);
    service.wait_for_state("error").await;
    let first = newest(&workspace).await;
    let id = first.get_str("_id").unwrap().to_owned();
    let mut second = first.clone();
    second.insert("_id", "64d51ea91558939980aab399");
    second.insert("ts", bson::DateTime::now());
    second.insert("status", "importer_user_selection");
    let own = second.get_document_mut("import").unwrap();
    own.insert("records", &id);
    own.insert("resumes", &id);
    workspace.collection("rocketchat_import").insert_one(second).await.unwrap();
    assert_eq!(service.send(request(&service, Method::DELETE, &path)).await.status, 409);
    let end = bson::doc! { "$set": { "valid": false } };
    workspace.update("rocketchat_import", "64d51ea91558939980aab399", end).await;
    assert_eq!(service.send(request(&service, Method::DELETE, &path)).await.status, 204);
}
