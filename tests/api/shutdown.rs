//! The end of the service by a signal.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Mongo, Workspace, eventually, workspace};

const PATIENCE: Duration = Duration::from_secs(10);
const REQUEST: &str =
    "GET /api/v1/import.status HTTP/1.1\r\nHost: x\r\nX-User-Id: admin\r\nX-Auth-Token: admin-token\r\n";

#[tokio::test]
async fn a_stopped_service_answers_what_it_has_begun_and_takes_nothing_new() {
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await;
    let mut service = workspace.serve().await;
    service.ready().await;
    // The first request on the connection makes sure that it is being served before the service is told to stop.
    let mut connection = service.connect().await.unwrap();
    connection.write_all(format!("{REQUEST}\r\n").as_bytes()).await.unwrap();
    let mut first = [0; 12];
    connection.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");

    mongo.freeze();
    connection.write_all(format!("{REQUEST}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(service.get("/livez").await.status, 200);
    service.signal(Signal::SIGTERM);
    eventually("nothing new is accepted", PATIENCE, || async { service.connect().await.is_err() }).await;
    mongo.thaw();

    let mut rest = String::new();
    connection.read_to_string(&mut rest).await.unwrap();
    let (_, answer) = rest.split_once("HTTP/1.1 ").expect("a second answer");
    assert!(answer.starts_with("200 OK"), "{answer}");
    assert!(answer.ends_with(r#"{"state":"none","success":true}"#), "{answer}");
    assert_eq!(service.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_idle_service_ends_well_on_either_signal() {
    let workspace = workspace().await;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut service = workspace.serve().await;
        service.signal(signal);
        assert_eq!(service.ended().await.code(), Some(0), "{signal}");
    }
}
