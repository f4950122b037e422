//! Imports of files: from where the file is to the account of what became of it.

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

use bson::doc;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt as _, io::AsyncWriteExt as _, net::TcpListener};

use super::{File, TOKEN, call, proxy::Fate, proxy::Proxy, summary};
use crate::harness::{Service, Workspace, eventually, program, served, staged_users, workspace};

const PATIENCE: Duration = Duration::from_secs(60);
const FILES: &str = "rocketchat_import_service_files.files";

fn fixture(case: &str, name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(case).join(name);
    path.to_str().unwrap().to_owned()
}

fn total<'a>(summary: &'a Value, kind: &str) -> &'a Value {
    summary["totals"].as_array().unwrap().iter().find(|total| total["type"] == kind).unwrap_or(&Value::Null)
}

async fn messages(workspace: &Workspace) -> u64 {
    workspace.collection("rocketchat_message").count_documents(doc! {}).await.unwrap()
}

async fn operations(workspace: &Workspace) -> u64 {
    workspace.collection("rocketchat_import").count_documents(doc! {}).await.unwrap()
}

/// A zip of CSV files: two people, a channel, so many messages, and bytes that nothing shrinks.
fn csv_zip(messages: usize, padding: usize) -> File {
    use std::io::Write as _;
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let row = |number| format!("ann,{},message {number}\n", 1_700_000_000_000_u64 + number as u64);
    let rows = (0..messages).map(row).collect::<Vec<_>>().concat();
    for (name, content) in [
        ("users.csv", "ann,ann@example.com,Ann\nbob,bob@example.com,Bob\n".to_owned()),
        ("channels.csv", "talk,ann,public,ann;bob\n".to_owned()),
        ("talk/2024.csv", rows),
        ("talk/readme.txt", "0123456789abcdef".repeat(padding / 16)),
    ] {
        archive.start_file(name, stored).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    File::new("export.zip", archive.finish().unwrap().into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_export_is_shown_first_and_imported_by_the_same_command_with_run() {
    let (workspace, service) = served().await;
    let file = fixture("slack-basic", "input.zip");
    let shown = call(&service.address, &["import", &file, "--json"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let content = summary(&shown);
    assert_eq!((&content["importer"], &content["status"]["state"]), (&json!("slack"), &json!("ready")));
    let staged = total(&content, "message")["waiting"].as_u64().unwrap();
    assert!(staged > 10 && shown.errors.contains(&format!("{staged} messages")), "{shown:?}");
    assert!(shown.errors.contains("--run starts it"), "{shown:?}");
    assert_eq!(messages(&workspace).await, 0);

    let ran = call(&service.address, &["import", &file, "--run", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let account = summary(&ran);
    assert_eq!(account["operation"], content["operation"], "the loaded file is gone on with: {ran:?}");
    assert!(ran.errors.contains("going on with the import"), "{ran:?}");
    assert_eq!(account["status"]["state"], "done");
    assert_eq!(total(&account, "message")["imported"], staged, "{account:#}");
    assert!(messages(&workspace).await >= staged, "{account:#}");
    assert_eq!((&account["history"]["days"], content["history"].is_null()), (&json!(0), true), "{account:#}");
    assert!(ran.errors.contains("are found in their rooms"), "{ran:?}");
    for total in account["totals"].as_array().unwrap() {
        let parts = ["imported", "failed", "passedOver", "waiting"].map(|part| total[part].as_u64().unwrap());
        assert_eq!(parts.iter().sum::<u64>(), total["elements"].as_u64().unwrap(), "{total}");
    }
    assert_eq!(operations(&workspace).await, 1);
    let receipt = call(&service.address, &["receipt", "--format", "jsonl"]).await;
    assert_eq!(receipt.code, Some(0), "{receipt:?}");
    let places = call(&service.address, &["receipt", "--messages", "--format", "jsonl"]).await;
    let created = |line: &str| serde_json::from_str::<Value>(line).unwrap()["created"].as_u64().unwrap();
    assert_eq!(places.output.lines().map(created).sum::<u64>(), staged, "{places:?}");
    let verified = call(&service.address, &["verify"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_zip_is_imported_in_one_go_and_again_with_the_same_outcome() {
    let (workspace, service) = served().await;
    let file = csv_zip(700, 0);
    let first = call(&service.address, &["import", file.path(), "--run", "--json"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(total(&summary(&first), "message")["imported"], 700, "{first:?}");
    assert!(first.errors.contains("loaded ") && first.errors.contains("imported "), "{first:?}");
    let told = call(&service.address, &["status"]).await;
    assert!(told.output.contains("records    70") && !told.output.contains("users  "), "{told:?}");
    let stored = messages(&workspace).await;
    let again = call(&service.address, &["import", file.path(), "--run", "--json"]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_ne!(summary(&again)["operation"], summary(&first)["operation"]);
    assert_eq!(messages(&workspace).await, stored, "nothing is doubled");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_chosen_is_imported_and_a_name_that_is_not_there_is_refused() {
    let (workspace, service) = served().await;
    let file = fixture("slack-basic", "input.zip");
    let refused = call(&service.address, &["import", &file, "--run", "--only-channels", "no-such-room"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.errors.contains("no channel \"no-such-room\""), "{refused:?}");
    assert_eq!((messages(&workspace).await, service.status().await.json()["state"].clone()), (0, json!("ready")));

    let data = service.get_as_admin("/api/v1/getImportFileData").await.json();
    let public = data["channels"].as_array().unwrap().iter().find(|channel| channel["is_private"] == false).unwrap();
    let (name, person) = (public["name"].as_str().unwrap(), data["users"][0]["username"].as_str().unwrap());
    let arguments =
        ["import", &file, "--run", "--json", "--only-channels", &format!("#{name}"), "--without-users", person];
    let chosen = call(&service.address, &arguments).await;
    assert_eq!(chosen.code, Some(0), "{chosen:?}");
    let account = summary(&chosen);
    assert_eq!(total(&account, "channel")["imported"], 1, "{account:#}");
    let rooms = workspace.collection("rocketchat_room");
    let channels = total(&account, "channel");
    assert_eq!((&channels["failed"], &channels["waiting"]), (&json!(0), &json!(0)), "{account:#}");
    assert_eq!(channels["passedOver"].as_u64().unwrap() + 1, channels["elements"].as_u64().unwrap(), "{account:#}");
    workspace.left_staged(0).await;
    let later = service.get_as_admin("/api/v1/import.report").await.json();
    assert_eq!(later["totals"], account["totals"], "the account stays when the left-out records are removed");
    let private = rooms.count_documents(doc! { "importIds": { "$exists": true }, "t": { "$ne": "c" } }).await.unwrap();
    assert_eq!(private, 0, "{account:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_importer_reads_is_refused_before_anything_is_sent() {
    let (workspace, service) = served().await;
    let text = File::new("notes.txt", "nothing of use");
    let torn = File::new("export.zip", &fs::read(fixture("slack-basic", "input.zip")).unwrap()[..500]);
    for (arguments, sentence) in [
        (vec!["import", text.path()], "as slack: "),
        (vec!["import", torn.path(), "--importer", "slack"], "export.zip: as slack: "),
        (vec!["import", "/nowhere/export.zip"], "a file of the server wants --on-server"),
        (vec!["import", "/srv/export.zip", "--on-server"], "--importer (csv, slack, slack-users"),
        (vec!["import", "https://files.example/export.zip"], "--importer (csv, slack, slack-users"),
    ] {
        let refused = call(&service.address, &arguments).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.errors.contains(sentence) && refused.errors.lines().count() == 1, "{refused:?}");
    }
    assert_eq!(operations(&workspace).await + workspace.collection(FILES).count_documents(doc! {}).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_in_the_way_and_a_lack_of_room_are_told_with_the_way_out() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = Service::start(&[("MONGO_URL", workspace.url.as_str()), ("UPLOAD_QUOTA_MB", "1")]).await;
    service.ready().await;
    let large = csv_zip(1, 2_000_000);
    let refused = call(&service.address, &["import", large.path()]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.errors.contains("UPLOAD_QUOTA_MB") && refused.errors.contains("--on-server"), "{refused:?}");

    service.stage(&staged_users(0..3)).await;
    let small = csv_zip(10, 0);
    let refused = call(&service.address, &["import", small.path()]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.errors.contains("An import is ready to be run; ") && refused.errors.contains("--replace"));
    assert!(!refused.errors.contains("trying again"), "{refused:?}");
    assert_eq!(workspace.count_staged().await, 3);
    let replaced = call(&service.address, &["import", small.path(), "--replace", "--run"]).await;
    assert_eq!(replaced.code, Some(0), "{replaced:?}");
    assert!(!replaced.errors.contains("sent 0"), "the bytes stayed: {replaced:?}");
    assert!(messages(&workspace).await >= 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_server_is_read_where_it_is_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("csv-basic", "input.zip"), folder.path().join("export.zip")).unwrap();
    let workspace = workspace().await.ready_for_imports().await;
    let settings = [("MONGO_URL", workspace.url.as_str()), ("IMPORT_FOLDER", folder.path().to_str().unwrap())];
    let service = Service::start(&settings).await;
    service.ready().await;
    let missing = call(&service.address, &["import", "other.zip", "--on-server", "--importer", "csv"]).await;
    assert_eq!(missing.code, Some(3), "{missing:?}");
    let arguments = ["import", "export.zip", "--on-server", "--importer", "csv"];
    let shown = call(&service.address, &arguments).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let ran = call(&service.address, &[&arguments[..], &["--run", "--json"]].concat()).await;
    assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
    assert_eq!(summary(&ran)["status"]["state"], "done", "{ran:?}");
    assert_eq!(operations(&workspace).await, 1);
    assert!(messages(&workspace).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_the_workspace_would_remove_are_imported_only_if_that_is_accepted() {
    let (workspace, service) = served().await;
    workspace.set("RetentionPolicy_Enabled", true).await;
    workspace.set("RetentionPolicy_AppliesToChannels", true).await;
    workspace.set("RetentionPolicy_TTL_Channels", 86_400_000_i64).await;
    let file = csv_zip(10, 0);
    let refused = call(&service.address, &["import", file.path(), "--run"]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.errors.contains("this import has older ones; change the retention policy"), "{refused:?}");
    assert!(
        refused.errors.contains("--accept-retention") && !refused.errors.contains("error-retention"),
        "{refused:?}"
    );
    let accepted = call(&service.address, &["import", file.path(), "--run", "--accept-retention"]).await;
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    assert!(messages(&workspace).await >= 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_behind_a_url_is_fetched_by_the_server_and_its_query_is_not_shown() {
    let (workspace, service) = served().await;
    let content = fs::read(fixture("csv-basic", "input.zip")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = connection.read(&mut head).await.unwrap_or_default();
            let is_there = head[..read].starts_with(b"GET /export.zip?key=hidden ");
            let status = if is_there { "200 OK" } else { "404 Not Found" };
            let body: &[u8] = if is_there { &content } else { b"" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            connection.write_all(answer.as_bytes()).await.ok();
            connection.write_all(body).await.ok();
        }
    });
    let url = format!("http://127.0.0.1:{port}/export.zip?key=hidden");
    let refused = call(&service.address, &["import", &url, "--importer", "csv"]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.errors.contains("SSRF_Allowlist"), "{refused:?}");
    workspace.set("SSRF_Allowlist", format!("127.0.0.1:{port}")).await;
    let missing = call(&service.address, &["import", &url.replace("export", "other"), "--importer", "csv"]).await;
    assert_eq!((missing.code, operations(&workspace).await), (Some(3), 0), "{missing:?}");
    let finished = call(&service.address, &["import", &url, "--importer", "csv", "--run", "--json"]).await;
    assert!(matches!(finished.code, Some(0 | 1)), "{finished:?}");
    assert_eq!(summary(&finished)["status"]["state"], "done", "{finished:?}");
    assert!(!finished.output.contains("hidden") && !finished.errors.contains("hidden"), "{finished:?}");
    assert!(messages(&workspace).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_goes_through_a_restart_of_the_server() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = Service::start(&[("MONGO_URL", workspace.url.as_str()), ("UPLOAD_RATE", "1")]).await;
    service.ready().await;
    let port = service.address.rsplit(':').next().unwrap().to_owned();
    let file = csv_zip(50, 6_000_000);
    let path = file.path().to_owned();
    let address = service.address.clone();
    let command = tokio::spawn(async move { call(&address, &["import", &path, "--run", "--json"]).await });
    let files = workspace.collection(FILES);
    eventually("some bytes are there", PATIENCE, async || {
        let file = files.find_one(doc! {}).await.unwrap();
        file.is_some_and(|file| file.get_i64("length").unwrap_or_default() > 1_000_000)
    })
    .await;
    service.kill();
    let service = Service::start(&[("MONGO_URL", workspace.url.as_str()), ("PORT", &port)]).await;
    service.ready().await;
    let finished = command.await.unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.errors.contains("trying again in"), "{finished:?}");
    assert_eq!(total(&summary(&finished), "message")["imported"], 50, "{finished:?}");
    assert_eq!(operations(&workspace).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_follows_the_operation_that_goes_on_after_a_start_of_rocket_chat() {
    let (workspace, service) = served().await;
    let file = csv_zip(40_000, 0);
    let (address, path) = (service.address.clone(), file.path().to_owned());
    let command = tokio::spawn(async move { call(&address, &["import", &path, "--run", "--json"]).await });
    eventually("messages arrive", PATIENCE, async || messages(&workspace).await > 500).await;
    let id = service.status().await.json()["operation"]["_id"].as_str().unwrap().to_owned();
    // As a process of Rocket.Chat does when it starts.
    workspace.change_operation(&id, doc! { "valid": false }).await;
    let finished = command.await.unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.errors.contains("Rocket.Chat was started; it goes on as operation "), "{finished:?}");
    let summary = summary(&finished);
    assert_ne!(summary["operation"], json!(id));
    assert_eq!(total(&summary, "message")["imported"], 40_000, "{summary:#}");
    assert_eq!(operations(&workspace).await, 2);
}

/// A way to the service on which the connection breaks after so many bytes of each request, so many times.
pub async fn breaking_way(service: &str, after: usize, times: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let service = service.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        let mut breaks = 0;
        while let Ok((client, _)) = listener.accept().await {
            let breaks_now = breaks < times;
            let Ok(server) = tokio::net::TcpStream::connect(&service).await else { continue };
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await.ok() });
            let mut passed = 0;
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                passed += read;
                if to_server.write_all(&buffer[..read]).await.is_err() {
                    break;
                }
                if breaks_now && passed > after {
                    breaks += 1;
                    answers.abort();
                    break;
                }
            }
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_connections_that_break_in_the_middle() {
    let (workspace, service) = served().await;
    let file = csv_zip(50, 6_000_000);
    let way = breaking_way(&service.address, 1_500_000, 3).await;
    let finished = call(&way, &["import", file.path(), "--run", "--json"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.errors.matches("trying again in").count() >= 3, "{finished:?}");
    assert_eq!(total(&summary(&finished), "message")["imported"], 50);
    assert_eq!((operations(&workspace).await, messages(&workspace).await >= 50), (1, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_through_a_proxy_that_takes_no_large_bodies() {
    let (_workspace, service) = served().await;
    let (file, way) = (csv_zip(50, 4_000_000), Proxy::narrow(&service.address, 1024 * 1024).await);
    let finished = call(&way.address, &["import", file.path()]).await;
    assert_eq!((finished.code, way.troubled() > 0), (Some(0), true), "{finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_begin_and_run_nothing_twice() {
    let (workspace, service) = served().await;
    let file = csv_zip(50, 0);
    let lost = |n: usize| if n == 0 { Fate::AnswerLost } else { Fate::Passed };
    let way = Proxy::before(&service.address, "/api/v1/startImport", lost).await;
    let finished = call(&way.address, &["import", file.path(), "--run"]).await;
    assert_eq!((finished.code, way.troubled()), (Some(0), 1), "{finished:?}");
    assert_eq!(operations(&workspace).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_and_a_restart_of_the_server_leave_bytes_that_the_same_command_goes_on_with() {
    let workspace = workspace().await.ready_for_imports().await;
    let slow = [("MONGO_URL", workspace.url.as_str()), ("UPLOAD_RATE", "1")];
    let service = Service::start(&slow).await;
    service.ready().await;
    let file = csv_zip(50, 8_000_000);
    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", TOKEN),
    ];
    let mut command = program(&["import", file.path(), "--run"], &settings);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let files = workspace.collection(FILES);
    let stored = async || {
        let file = files.find_one(doc! {}).await.unwrap();
        file.map_or(0, |file| file.get_i64("length").unwrap_or_default())
    };
    eventually("some bytes are there", PATIENCE, async || stored().await > 1_000_000).await;
    let pid = nix::unistd::Pid::from_raw(command.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let stopped = tokio::task::spawn_blocking(move || command.wait_with_output().unwrap()).await.unwrap();
    let errors = String::from_utf8_lossy(&stopped.stderr).into_owned();
    assert_eq!(stopped.status.code(), Some(1), "{errors}");
    assert!(errors.contains("the same command again goes on with it"), "{errors}");
    service.kill();
    assert!(stored().await < 8_000_000, "the file was complete before: {errors}");

    let service = workspace.serve().await;
    service.ready().await;
    let finished = call(&service.address, &["import", file.path(), "--run", "--json"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.errors.contains("going on at byte "), "{finished:?}");
    assert_eq!(total(&summary(&finished), "message")["imported"], 50, "{finished:?}");
    assert_eq!(operations(&workspace).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_holds_nothing_ends_with_the_reason() {
    let (_workspace, service) = served().await;
    let empty = File::new("people.csv", "username,email,status\n");
    let finished = call(&service.address, &["import", empty.path(), "--importer", "slack-users", "--run"]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.errors.contains("the file was not loaded: "), "{finished:?}");
}
