//! Those who want to know how it goes.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::{Method, StatusCode};
use tokio::time::{sleep, timeout};

use crate::client::Client;

const STATUS: &str = "/api/v1/import.status";
const STREAM: &str = "/api/v1/import.status.stream";
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const READ_INTERVAL: Duration = Duration::from_millis(200);
/// How long one follows before he comes anew.
const FOLLOWED: Duration = Duration::from_secs(7);

pub async fn poll_status(client: Client) {
    loop {
        client.get(STATUS).await;
        sleep(POLL_INTERVAL).await;
    }
}

pub async fn read_everything(client: Client) {
    loop {
        for path in [
            "/api/v1/import.errors?count=50",
            "/api/v1/getLatestImportOperations",
            "/api/v1/getCurrentImportOperation",
            "/api/v1/importers.list",
            "/readyz",
            "/livez",
        ] {
            client.get(path).await;
        }
        sleep(READ_INTERVAL).await;
    }
}

/// Follows the stream of events, again and again. A service without one is reported once.
pub async fn follow(client: Client) {
    loop {
        let answer = match client.request(Method::GET, STREAM).send().await {
            Ok(answer) => answer,
            Err(error) => {
                client.tally.not_expected(STREAM, &format!("{error:?}"));
                continue;
            }
        };
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                println!("{STREAM} is not there: nobody follows it");
                return;
            }
            other => {
                client.tally.not_expected(STREAM, &other.to_string());
                sleep(FOLLOWED).await;
                continue;
            }
        }
        let mut events = answer.bytes_stream();
        let mut heard = false;
        // It has no end of its own.
        let ended = timeout(FOLLOWED, async {
            while let Some(Ok(_)) = events.next().await {
                heard = true;
            }
        })
        .await
        .is_ok();
        if heard && !ended {
            client.tally.as_expected(STREAM);
        } else {
            client.tally.not_expected(STREAM, &format!("it ended: {ended}, said something: {heard}"));
        }
    }
}
