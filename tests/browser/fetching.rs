//! Files that follow an import, as they come.

use std::time::Duration;

use bson::doc;
use serde_json::{Value, json};

use crate::{
    file_server::{FileServer, Reply},
    harness::{Service, eventually, operation, zip},
    page::set_up_signed_in,
};

const FILES: usize = 40;
/// Those that do not come.
const GONE: [usize; 2] = [7, 23];
const BYTES: usize = 1_000_000;
/// Between two pieces of a file.
const PAUSE: Duration = Duration::from_millis(20);

/// A Slack export with a message for each file of the server.
fn export(server: &FileServer) -> Vec<u8> {
    let ann = json!({ "id": "U1", "name": "ann", "profile": { "email": "ann@corp.example" } });
    let room = json!({ "id": "C1", "name": "plans", "created": 1_500_000_000, "creator": "U1", "members": ["U1"] });
    let message = |number: usize| {
        let reply = if GONE.contains(&number) { Reply::Status(404) } else { Reply::Slow(vec![7; BYTES], PAUSE) };
        let url = server.put(&format!("/{number}.bin"), reply);
        json!({
            "type": "message", "user": "U1", "ts": format!("{}.000100", 1_600_000_000 + number), "text": "",
            "files": [{ "id": format!("F{number}"), "name": format!("{number}.bin"), "mode": "hosted", "size": BYTES,
                "url_private_download": url }],
        })
    };
    let messages: Vec<Value> = (0..FILES).map(message).collect();
    zip(&[
        ("users.json", json!([ann]).to_string()),
        ("channels.json", json!([room]).to_string()),
        ("plans/2020-09-13.json", json!(messages).to_string()),
    ])
}

/// The number that an element shows.
fn number(text: &str) -> usize {
    text.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_seen_as_they_come_with_bytes_pace_and_time_left() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    let port = service.address.rsplit(':').next().unwrap().to_owned();
    service.kill();
    let server = FileServer::start().await;
    workspace.set("SSRF_Allowlist", format!("127.0.0.1:{}", server.port)).await;
    let settings = [
        ("MONGO_URL", workspace.url.as_str()),
        ("PORT", &port),
        ("FETCH_AFTER_IMPORT", "true"),
        ("DOWNLOADS_AT_ONCE", "3"),
    ];
    let service = Service::start(&settings).await;
    service.ready().await;
    let file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    std::fs::write(file.path(), export(&server)).unwrap();
    browser.choose_export(file.path().to_str().unwrap()).await;
    browser.click("#export-send").await;
    browser.shown("#selection-body").await;
    browser.click("#selection-start").await;

    browser.says("#state", "Fetching").await;
    browser.says("#state-detail", "The files that the import left are being fetched.").await;
    browser.shown("#left-figure").await;
    browser.says("#rate", "B").await;
    let mut seen: Vec<usize> = Vec::new();
    eventually("the page counts the files", Duration::from_secs(90), async || {
        let completed = number(&browser.text("#completed").await);
        if seen.last() != Some(&completed) {
            seen.push(completed);
        }
        browser.text("#state").await.starts_with("Done")
    })
    .await;
    assert!(seen.len() > 4 && seen.is_sorted(), "they are seen one after the other: {seen:?}");
    browser.says("#state", "Done, with failures").await;
    browser.says("#state-detail", "38 files fetched; 2 could not be.").await;
    browser.says("#bytes", "38 MB of ").await;
    browser.says(".completed-word", "Fetched").await;
    let told = browser.attribute("#progress-bar", "aria-valuetext").await.unwrap();
    assert_eq!(told, "100%, 38 of 40 fetched, 2 failed");
    let drawn = browser.attribute("#chart-plot svg", "aria-label").await.unwrap();
    assert!(drawn.ends_with("38 files of 40 fetched and 2 failed."), "{drawn}");
    assert_eq!(workspace.collection("rocketchat_uploads").count_documents(doc! {}).await.unwrap(), 38);
    // Another operation has no bytes.
    workspace.only_operation(operation("api").with("status", "importer_done").document()).await;
    browser.says("#state", "Done").await;
    assert!(!browser.is_shown("#bytes-figure").await);
}
