//! Files that cannot be loaded: the operation says so, and nothing hangs.

use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

use super::{ServerFile, loading};
use crate::harness::{eventually, served, zip};

/// What a bad file may cost.
const MOST_TIME: Duration = Duration::from_secs(10);
const MOST_MEMORY_KB: usize = 150 * 1024;

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
    // The log writes quotation marks in its own way.
    service.logged(problem.split('"').next().unwrap()).await;
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
    assert_refused("slack", &file, "channels.json").await;
}

#[tokio::test]
async fn a_list_without_a_single_record_fails_with_the_reason() {
    let file = ServerFile::new(b"username,email,status\n");
    assert_refused("slack-users", &file, "The file holds").await;
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

/// Files that are damaged in many ways, with the importers they are sent to.
fn bad_files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let text = |text: &str| text.to_owned();
    let whole = zip(&[
        ("users.csv", text("ann,ann@x.example,Ann\n")),
        ("general/m.csv", text("ann,1479162481336,hello hello hello hello\n")),
    ]);
    let place = |mark: &[u8]| whole.windows(mark.len()).position(|window| window == mark).unwrap();
    let (directory, end) = (place(b"PK\x01\x02"), place(b"PK\x05\x06"));
    let patched = |at: usize, new: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        bytes
    };
    let csv = |name: &str, content: &str| zip(&[(name, text(content))]);
    let slack = |content: &str| {
        let channels = r#"[{"id":"C1","name":"a","members":[]}]"#;
        zip(&[("users.json", text("[]")), ("channels.json", text(channels)), ("a/2020-01-02.json", text(content))])
    };
    let utf16: Vec<u8> = "ann,1479162481336,hi\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("a text", "csv", b"hello".to_vec()),
        ("cut in its entries", "csv", whole[..30].to_vec()),
        ("cut in its directory", "slack", whole[..directory + 20].to_vec()),
        ("without its beginning", "csv", whole[20..].to_vec()),
        ("directory overwritten", "csv", patched(directory, b"xxxx")),
        ("one of several volumes", "csv", patched(end + 4, &[1, 0])),
        ("an entry beyond the end", "csv", patched(directory + 42, &[0xff, 0xff, 0, 0])),
        ("encrypted", "csv", patched(directory + 8, &[1, 0])),
        ("encrypted with AES", "csv", patched(directory + 10, &[99, 0])),
        ("unpacks to 4 GiB", "csv", patched(directory + 24, &[0xfe, 0xff, 0xff, 0xff])),
        ("another method", "csv", patched(directory + 10, &[12, 0])),
        ("wrong checksum", "csv", patched(directory + 16, &[0; 4])),
        ("header elsewhere", "csv", patched(0, b"xxxx")),
        ("nothing known", "records", zip(&[("a.txt", text("x"))])),
        ("names that lead out", "csv", csv("../users.csv", "ann,a@x.example,Ann\n")),
        ("open quotation mark", "csv", csv("general/m.csv", "ann,1,\"open\n")),
        ("rows too short", "csv", csv("general/m.csv", "ann\n")),
        ("no time", "csv", csv("general/m.csv", "ann,,hi\n")),
        ("no header", "omnichannel_contact", b"a,b\nc,d\n".to_vec()),
        ("UTF-16", "slack-users", utf16),
        ("Windows's letters", "slack-users", b"username,email\ngr\xfc\xdfe,a@x.example\n".to_vec()),
        ("a torn list", "slack", slack("[{\"type\":")),
        ("broken JSON", "slack", slack("[{\"type\" \"message\"}]")),
        ("an object", "slack", slack("{}")),
        ("nulls", "slack", slack("[null,null]")),
        ("deep nesting", "slack", slack(&"[".repeat(200_000))),
        ("a text without an end", "slack", slack(&format!("[{{\"text\":\"{}", "x".repeat(5_000_000)))),
        ("no JSON lines", "records", b"{broken\n".to_vec()),
        ("torn gzip", "records", vec![0x1f, 0x8b, 8, 0, 0]),
        ("a record that is none", "records", b"{\"dataType\":\"user\",\"data\":[]}\n".to_vec()),
    ]
}

#[tokio::test]
async fn no_bad_file_leaves_the_workspace_stuck_or_costs_much() {
    let (workspace, service) = served().await;
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        most.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    };
    let send = async |importer: &str, content: &[u8]| {
        let body = json!({
            "binaryContent": BASE64_STANDARD.encode(content), "contentType": "", "fileName": "export",
            "importerKey": importer,
        });
        service.post("/api/v1/uploadImportFile", &body).await
    };
    let mut slowest = (Duration::ZERO, "");
    for (what, importer, content) in bad_files() {
        let begun = Instant::now();
        let answer = send(importer, &content).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        let mut status = json!(null);
        eventually(&format!("{what} is over"), MOST_TIME * 3, async || {
            status = service.status().await.json();
            ["error", "ready"].iter().any(|state| status["state"] == *state)
        })
        .await;
        slowest = slowest.max((begun.elapsed(), what));
        let report = service.report("").await;
        let is_told = status["operation"]["import"]["problem"].is_string()
            || report["lines"].as_array().unwrap().iter().any(|line| line["place"].is_string());
        assert!(is_told, "{what}: neither refused nor reported: {status} {report}");
    }
    println!("the slowest took {slowest:?}; at most {} kB", memory());
    assert!(slowest.0 < MOST_TIME, "{slowest:?}");
    assert!(memory() < MOST_MEMORY_KB, "{} kB", memory());
    let good = std::fs::read(&super::csv_zip(3, 3).path).unwrap();
    assert_eq!(send("csv", &good).await.status, 200);
    service.wait_for_state("ready").await;
    assert_eq!(workspace.staged_of("user").await.len(), 3);
}
