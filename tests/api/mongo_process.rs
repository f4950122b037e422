//! The program's own MongoDB: `demo` from nothing, and nothing left of it.

use std::{fs, time::Duration};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Service, eventually, program, run, workspace};

const USER: &str = "rbAXPnMktTFbNpwtJ";
const TOKEN: &str = "QizJozLOnWMi_2vWaLHhjfd-XYKT6XM40lTZ3zg1UMd";
const DOCUMENTED_ANSWER: &str = r#"{"state":"ready","operation":{"_id":"64d51ea91558939980aab371","type":"api","importerKey":"api","ts":"2023-08-10T17:30:17.519Z","status":"importer_user_selection","valid":true,"user":"7TY57bBj3xQXvf2i2","_updatedAt":"2023-08-10T17:41:20.052Z","count":{"total":2,"users":2}},"success":true}"#;
const NO_DOCKER: (&str, &str) = ("DOCKER_HOST", "unix:///nowhere");
const PATIENCE: Duration = Duration::from_secs(30);

/// A demo on a port of its own whose MongoDB keeps its files in `folder`.
async fn demo_in(folder: &TempDir) -> Service {
    let settings = [("PORT", "0"), ("TMPDIR", folder.path().to_str().unwrap()), NO_DOCKER];
    Service::launch(program(&["demo"], &settings)).await
}

/// The address of the demo's MongoDB, as it is printed.
async fn mongo_of(demo: &Service) -> String {
    let line = demo.logged("Its MongoDB: mongodb://").await;
    let (_, rest) = line.split_once("mongodb://").unwrap();
    rest.split('/').next().unwrap().to_owned()
}

/// Waits until no process is left that names `folder`: neither a `mongod` nor the guard beside it.
async fn nothing_runs_in(folder: &TempDir) {
    let name = folder.path().to_str().unwrap();
    eventually("no process is left", PATIENCE, || async {
        let processes = fs::read_dir("/proc").unwrap().map_while(Result::ok);
        !processes
            .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
            .any(|command| String::from_utf8_lossy(&command).contains(name))
    })
    .await;
}

#[tokio::test]
async fn the_demo_answers_the_documented_call_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = demo_in(&folder).await;
    assert_eq!(demo.status_as(USER, TOKEN).await.told(), (200, DOCUMENTED_ANSWER));
    assert_eq!(demo.get("/readyz").await.status, 200);
    let call = demo.logged("curl http://").await;
    for part in [demo.address.as_str(), "/api/v1/import.status", USER, TOKEN] {
        assert!(call.contains(part), "{part} in {call}");
    }
    let mongo = mongo_of(&demo).await;
    TcpStream::connect(&mongo).await.expect("its MongoDB listens");

    demo.signal(Signal::SIGINT);
    assert_eq!(demo.ended().await.code(), Some(0));
    nothing_runs_in(&folder).await;
    TcpStream::connect(&mongo).await.expect_err("its MongoDB is gone");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slack_export_of_the_demo_is_imported_by_the_commands_that_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let demo = demo_in(&folder).await;
    demo.logged("rocketchat-import verify").await;
    let lines = demo.log_lines("rocketchat-import ").into_iter().map(|line| line.trim().to_owned());
    let commands: Vec<String> = lines.filter(|line| line.starts_with("rocketchat-import ")).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    let settings =
        [("ROCKETCHAT_URL", demo.address.as_str()), ("ROCKETCHAT_USER_ID", USER), ("ROCKETCHAT_AUTH_TOKEN", TOKEN)];
    let mut errors = String::new();
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').skip(1).collect();
        let mut command = program(&arguments, &settings);
        let output = command.current_dir(folder.path()).output().unwrap();
        errors += &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    }
    assert!(errors.contains("0 failed") && errors.contains("passed over: 1 "), "{errors}");
}

#[tokio::test]
async fn a_killed_demo_takes_its_mongodb_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = demo_in(&folder).await;
    let mongo = mongo_of(&demo).await;
    demo.signal(Signal::SIGKILL);
    demo.ended().await;
    nothing_runs_in(&folder).await;
    TcpStream::connect(&mongo).await.expect_err("its MongoDB is gone");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn without_any_mongodb_the_demo_says_what_it_tried_and_what_helps() {
    let nothing = tempfile::tempdir().unwrap();
    let empty = nothing.path().to_str().unwrap();
    let settings = [("PORT", "0"), ("PATH", empty), ("XDG_CACHE_HOME", empty), NO_DOCKER];
    let finished = run(&["demo"], &settings).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for part in ["no MongoDB", "TEST_MONGO_URL", "Docker: ", "TEST_MONGO_IMAGE", "mongod", "MONGOD", "python3", "pip"] {
        assert!(finished.errors.contains(part), "{part} in {}", finished.errors);
    }
}

#[tokio::test]
async fn the_health_check_succeeds_only_while_the_service_is_ready() {
    async fn code(address: &str) -> Option<i32> {
        let port = address.rsplit_once(':').unwrap().1;
        run(&["healthcheck"], &[("PORT", port)]).await.code
    }
    let workspace = workspace().await;
    let service = workspace.serve().await;
    service.ready().await;
    assert_eq!(code(&service.address).await, Some(0));

    let unready = Service::start(&[("MONGO_URL", "mongodb://127.0.0.1:1/rocketchat")]).await;
    assert_eq!(code(&unready.address).await, Some(1), "its database is away");

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    drop(taken);
    assert_eq!(code(&address).await, Some(1), "nobody listens");
}
