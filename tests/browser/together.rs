//! One import followed in every way at once: the stream of events, the page, and the command line.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    harness::{Service, run, staged_users, user},
    page::{doomed_user, set_up_signed_in},
};

const STREAM: &str = "/api/v1/import.status.stream";

const IMPORTED: usize = 19_900;
const DOOMED: usize = 100;

/// How long the import may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What an event of the stream says.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: String,
    state: String,
    completed: u64,
    failed: u64,
    percent: f64,
}

impl Event {
    /// An event's lines, or `None` for a comment.
    fn of(lines: &str) -> Option<Self> {
        let field = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let body: Value = serde_json::from_str(field("data:")?).unwrap();
        let count = |name: &str| body["operation"]["count"][name].as_u64().unwrap_or_default();
        Some(Self {
            id: field("id:").unwrap().to_owned(),
            state: body["state"].as_str().unwrap().to_owned(),
            completed: count("completed"),
            failed: count("error"),
            percent: body["progress"]["percent"].as_f64().unwrap_or_default(),
        })
    }
}

/// Follows the import to its end, on one connection, or on one for each so many events.
async fn follow(service: &Service, events_a_connection: usize) -> Vec<Event> {
    let mut seen: Vec<Event> = Vec::new();
    loop {
        let mut request = service.request(Method::GET, STREAM);
        request = request.header("x-user-id", "admin").header("x-auth-token", "admin-token");
        if let Some(last) = seen.last() {
            request = request.header("last-event-id", &last.id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut chunks = response.bytes_stream();
        let mut text = String::new();
        let mut left = events_a_connection;
        while left > 0 {
            text.push_str(std::str::from_utf8(&chunks.next().await.unwrap().unwrap()).unwrap());
            while let Some((lines, rest)) = text.split_once("\n\n") {
                let event = Event::of(lines);
                text = rest.to_owned();
                let Some(event) = event else { continue };
                left = left.saturating_sub(1);
                seen.push(event);
                if seen.last().is_some_and(|last| last.state == "done") {
                    return seen;
                }
            }
        }
    }
}

/// The states in their order, each once.
fn states(events: &[Event]) -> Vec<&str> {
    let mut states: Vec<&str> = events.iter().map(|event| event.state.as_str()).collect();
    states.dedup();
    states
}

#[tokio::test]
async fn an_import_of_20000_users_ends_on_the_same_numbers_for_all_who_follow_it() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    workspace.add_user(user("existing")).await;
    let mut users = staged_users(0..IMPORTED);
    users.extend((0..DOOMED).map(doomed_user));
    service.stage(&users).await;
    browser.says("#state", "Ready").await;

    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
    ];
    let all_of_them = async {
        tokio::join!(
            follow(&service, usize::MAX),
            follow(&service, 3),
            run(&["status", "--watch", "--json"], &settings),
            browser.says("#state", "Done, with failures"),
            service.run_import(),
        )
    };
    let (steady, interrupted, watched, ..) = timeout(PATIENCE, all_of_them).await.expect("all see the end");

    let stored: Value = service.status().await.json()["operation"]["count"].clone();
    let (imported, doomed) = (IMPORTED as u64, DOOMED as u64);
    assert_eq!((stored["completed"].as_u64(), stored["error"].as_u64()), (Some(imported), Some(doomed)));
    for (who, events) in [("steady", &steady), ("interrupted", &interrupted)] {
        assert_eq!(states(events), ["ready", "importing", "done"], "{who}");
        assert!(events.is_sorted_by_key(|event| event.completed), "{who}: {events:?}");
        assert!(events.is_sorted_by_key(|event| event.failed), "{who}: {events:?}");
        assert!(events.is_sorted_by(|before, after| before.percent <= after.percent), "{who}: {events:?}");
        let last = events.last().unwrap();
        assert_eq!((last.completed, last.failed), (imported, doomed), "{who}");
        assert!((last.percent - 100.0).abs() < f64::EPSILON, "{who}");
    }
    assert!(interrupted.len() > 3, "it was interrupted");

    // One user failed at least, which the exit code says.
    assert_eq!(watched.code, Some(1), "{watched:?}");
    let last: Value = serde_json::from_str(watched.output.lines().last().unwrap()).unwrap();
    assert_eq!(last["operation"]["count"], stored);
    for (figure, number) in [("#completed", "19,900"), ("#failed", "100"), ("#total", "20,000"), ("#percent", "100%")] {
        browser.says(figure, number).await;
    }
    browser.assert_no_errors(&[]).await;
}
