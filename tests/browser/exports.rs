//! From an export to rooms and messages.

use std::{io::Write as _, path::PathBuf, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::doc;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::{
    browser::Browser,
    harness::{Service, Workspace, eventually, run, staged_users, zip},
    page::set_up_signed_in,
};

pub fn slack_export() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference/slack-basic/input.zip")
}

/// A zip of CSV files with so many people and channels, and a message.
pub fn csv_zip(people: usize, channels: usize, padding: usize) -> NamedTempFile {
    let file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut archive = zip::ZipWriter::new(file);
    let lines = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().concat();
    for (name, content) in [
        ("users.csv", lines(people, &|n| format!("person{n},person{n}@example.com,Person {n}\n"))),
        ("channels.csv", lines(channels, &|n| format!("room{n},person0,public,person0;person1\n"))),
        ("room0/2024.csv", "person0,1700000000000,hello\nperson1,oops,no time\n".to_owned()),
        ("room0/readme.txt", "0123456789abcdef".repeat(padding / 16)),
    ] {
        archive.start_file(name, stored).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap()
}

impl Browser {
    pub async fn choose_export(&self, path: &str) {
        self.type_into("#export-file", path).await;
        self.shown("#export-chosen").await;
    }

    /// The numbers of a type in the account.
    async fn total(&self, kind: &str) -> Vec<String> {
        let rows = self.cells("#report-totals").await;
        rows.into_iter().find(|row| row[0] == kind).unwrap_or_default()
    }
}

async fn count(workspace: &Workspace, collection: &str, filter: bson::Document) -> u64 {
    workspace.collection(collection).count_documents(filter).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_export_is_sent_loaded_chosen_from_run_and_accounted_for() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    browser.choose_export(slack_export().to_str().unwrap()).await;
    let importer = "return document.getElementById('export-importer').value";
    assert_eq!(browser.evaluate(importer).await, "slack", "the file says what it is");
    browser.click("#export-send").await;
    browser.says("#state", "Ready").await;
    browser.says("#state-detail", "Nothing changes in the workspace before you start the import").await;
    assert!(!browser.is_shown("#run").await && !browser.is_shown("#staged-users").await);
    assert_eq!(count(&workspace, "rocketchat_message", doc! {}).await, 0);
    let stored =
        workspace.collection("rocketchat_import_service_files.files").find_one(doc! {}).await.unwrap().unwrap();
    let hash = rocketchat_import::domain::stable_hash::hex(&Sha256::digest(std::fs::read(slack_export()).unwrap()));
    assert!(stored.to_string().contains(&hash), "the hash that the page made is the file's: {stored}");

    browser.shown("#selection-body").await;
    browser.says("#users-summary", "people are imported.").await;
    let rooms: Value = browser.evaluate("return document.querySelectorAll('#channels-list input').length").await;
    browser.click("#channels-none").await;
    browser.says("#channels-summary", &format!("0 of {rooms} rooms")).await;
    browser.type_into("#channels-search", "general").await;
    browser.click("#channels-list input").await;
    browser.says("#channels-summary", &format!("1 of {rooms} rooms")).await;
    browser.click("#selection-start").await;
    browser.says("#state", "Done").await;
    browser.gone("#selection").await;
    browser.says("#report-totals", "Rooms").await;
    eventually("the account is whole", Duration::from_secs(20), async || browser.total("Rooms").await[2] == "1").await;
    let made: Vec<u64> = browser.total("Rooms").await[1..].iter().map(|number| number.parse().unwrap()).collect();
    assert_eq!(made[1..], [1, 0, made[0] - 1, 0], "imported, failed, passed over, waiting");
    assert!(count(&workspace, "rocketchat_message", doc! {}).await > 0);
    browser.assert_no_errors(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_dropped_on_the_page_is_taken_like_a_chosen_one() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let drop = "
        const carried = new DataTransfer();
        const bytes = Uint8Array.from(atob(arguments[0]), (character) => character.charCodeAt(0));
        carried.items.add(new File([bytes], 'dropped.zip', { type: 'application/zip' }));
        const area = document.getElementById('export-drop');
        const event = (kind) => new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: carried });
        const mayDrop = !area.dispatchEvent(event('dragover'));
        const isMarked = area.classList.contains('over');
        const isTaken = !area.dispatchEvent(event('drop'));
        return [mayDrop, isMarked, isTaken, area.classList.contains('over')];
    ";
    let content = BASE64_STANDARD.encode(std::fs::read(slack_export()).unwrap());
    let seen = browser.client.execute(drop, vec![json!(content)]).await.unwrap();
    assert_eq!(seen, json!([true, true, true, false]), "the browser does not open the file in place of the page");
    browser.says("#export-name", "dropped.zip, ").await;
    let importer = "return document.getElementById('export-importer').value";
    eventually("the importer is found", Duration::from_secs(20), async || browser.evaluate(importer).await == "slack")
        .await;
    browser.click("#export-send").await;
    browser.says("#state", "Ready").await;
    let operation = workspace.collection("rocketchat_import").find_one(doc! {}).await.unwrap().unwrap();
    assert!(operation.get_str("file").unwrap().ends_with("_dropped.zip"), "{operation}");
    browser.assert_no_errors(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_an_archive_carries_do_not_make_the_page_guess_another_importer() {
    let Some((_workspace, _service, browser)) = set_up_signed_in().await else { return };
    let text = |text: &str| text.to_owned();
    let carried = [("__uploads/F1/users.csv", text("a,b\n")), ("general/attachments/F2-a.jsonl", text("{}"))];
    let with = |own: &[(&'static str, String)]| zip(&[&carried[..], own].concat());
    for (archive, importer) in [
        (with(&[("users.json", text("[]"))]), json!("slack")),
        (with(&[("general/2020-01-02.json", text("[]"))]), json!("slack")),
        (with(&[("talk/2020.csv", text("a,1,b\n"))]), json!("csv")),
        (with(&[("users.csv", text("a,b\n"))]), json!("csv")),
        (with(&[("export.ndjson", text("{}"))]), json!("records")),
        (with(&[]), Value::Null),
    ] {
        let guess = "
            const bytes = Uint8Array.from(atob(arguments[0]), (character) => character.charCodeAt(0));
            const file = new File([bytes], 'export.zip');
            return import('/import/guess-importer.js').then(({ guessImporter }) => guessImporter(file));
        ";
        let guessed = browser.client.execute(guess, vec![json!(BASE64_STANDARD.encode(&archive))]).await.unwrap();
        assert_eq!(guessed, importer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_people_are_searched_and_chosen_without_stutter() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    let file = csv_zip(50_000, 300, 0);
    // Loaded from the command line: this is about the page.
    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
    ];
    let loaded = run(&["import", file.path().to_str().unwrap()], &settings).await;
    assert_eq!(loaded.code, Some(0), "{loaded:?}");
    browser.says("#users-summary", "50,000 of 50,000 people").await;
    browser.says("#users-range", "1–50 of 50,000").await;
    let timed = |work: &str| {
        format!(
            "const begun = performance.now(); {work}; document.body.getBoundingClientRect(); return performance.now() - begun"
        )
    };
    for (what, work) in [
        (
            "a search",
            "const field = document.getElementById('users-search'); field.value = '4999'; field.dispatchEvent(new Event('input'))",
        ),
        ("leaving those found out", "document.getElementById('users-none').click()"),
        (
            "a search for everybody",
            "const field = document.getElementById('users-search'); field.value = ''; field.dispatchEvent(new Event('input'))",
        ),
        ("the next page", "document.getElementById('users-next').click()"),
    ] {
        let took = browser.evaluate(&timed(work)).await.as_f64().unwrap();
        println!("{what}: {took:.1} ms");
        assert!(took < 200.0, "{what} takes {took} ms");
    }
    browser.says("#users-summary", "49,985 of 50,000 people").await;
    browser.says("#users-range", "51–100 of 50,000").await;
    browser.click("#channels-none").await;
    browser.click("#selection-start").await;
    browser.says("#state", "Importing").await;
    browser.says("#report-totals", "People").await;
    assert_eq!(service.post("/api/v1/import.clear", &json!({})).await.status, 200);
    let left_out = doc! { "username": { "$in": ["person4999", "person49990"] } };
    assert_eq!(count(&workspace, "users", left_out).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_in_the_way_is_asked_about_and_a_problem_of_the_file_is_listed_and_downloaded() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    service.stage(&staged_users(0..3)).await;
    browser.says("#state", "Ready").await;
    let file = csv_zip(3, 2, 3_000_000);
    browser.choose_export(file.path().to_str().unwrap()).await;
    browser.click("#export-send").await;
    browser.shown("#question").await;
    browser.says("#question-text", "An import is ready to be run. Its staged records").await;
    browser.click("#question-no").await;
    browser.gone("#question").await;
    assert_eq!(workspace.count_staged().await, 3, "no is no");
    browser.click("#export-send").await;
    browser.click("#question-yes").await;
    browser.says("#users-summary", "3 of 3 people").await;
    assert_eq!(
        count(&workspace, "rocketchat_import_service_files.files", doc! {}).await,
        1,
        "the bytes were not sent twice"
    );
    browser.says("#report-lines", "room0/2024.csv").await;
    browser.click("#report-download").await;
    let downloaded = browser.downloaded("not-imported.csv").await;
    assert!(downloaded.contains(r#""failed","message","1","room0/2024.csv"#), "{downloaded}");

    // A file that no importer reads.
    let file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    std::fs::write(file.path(), "nothing").unwrap();
    browser.choose_export(file.path().to_str().unwrap()).await;
    browser.click("#export-send").await;
    browser.says("#export-error", "Say what the file is.").await;
    browser.assert_no_errors(&["409"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_on_its_way_goes_on_when_the_server_was_killed() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    let port = service.address.rsplit(':').next().unwrap().to_owned();
    service.kill();
    let slow = [("MONGO_URL", workspace.url.as_str()), ("PORT", &port), ("UPLOAD_RATE", "1")];
    let service = Service::start(&slow).await;
    service.ready().await;
    let file = csv_zip(3, 2, 6_000_000);
    browser.choose_export(file.path().to_str().unwrap()).await;
    browser.click("#export-send").await;
    let files = workspace.collection("rocketchat_import_service_files.files");
    let stored = async || {
        let file = files.find_one(doc! {}).await.unwrap();
        file.map_or(0, |file| file.get_i64("length").unwrap_or_default())
    };
    eventually("some bytes are there", Duration::from_secs(60), async || stored().await > 1_000_000).await;
    assert!(browser.text("#export-words").await.contains(" of 6 MB sent"), "the page says how far it is");
    service.kill();
    assert!(stored().await < 5_900_000);
    let service = Service::start(&slow[..2]).await;
    service.ready().await;
    browser.says("#users-summary", "3 of 3 people").await;
    assert_eq!(count(&workspace, "rocketchat_import", doc! {}).await, 1);
    assert_eq!(count(&workspace, "rocketchat_import_service_files.files", doc! {}).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hash_of_the_page_is_sha_256_however_the_bytes_are_cut() {
    let Some((_workspace, _service, browser)) = set_up_signed_in().await else { return };
    for length in [0_usize, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_000] {
        let bytes: Vec<u8> = (0..length).map(|number| u8::try_from(number * 31 % 251).unwrap()).collect();
        let script = format!(
            "return import('/import/sha256.js').then(({{ Sha256 }}) => {{
                const bytes = Uint8Array.from({{ length: {length} }}, (_, number) => number * 31 % 251);
                const hash = new Sha256();
                for (let at = 0, cut = 1; at < bytes.length; at += cut, cut = cut * 3 % 97 + 1)
                    hash.update(bytes.subarray(at, at + cut));
                return hash.digest();
            }})"
        );
        let expected = rocketchat_import::domain::stable_hash::hex(&Sha256::digest(&bytes));
        assert_eq!(browser.evaluate(&script).await, json!(expected), "{length} bytes");
    }
}
