//! Following an import by the stream of events.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::Service;

const STREAM: &str = "/api/v1/import.status.stream";
/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long somebody is away who comes back. Something has to happen meanwhile.
const AWAY: Duration = Duration::from_millis(300);

/// An open stream.
pub struct Events {
    pub response: Response,
    rest: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    /// As it was sent.
    pub text: String,
    pub data: Value,
}

impl Event {
    pub fn state(&self) -> &str {
        self.data["state"].as_str().unwrap_or_default()
    }

    /// The text without the progress that it ends with: what `import.status` answers.
    pub fn status_body(&self) -> String {
        let (body, _) = self.text.split_once(r#","progress":{"#).expect("progress at the end");
        format!("{body}}}")
    }

    pub fn count(&self, name: &str) -> u64 {
        self.data["operation"]["count"][name].as_u64().unwrap_or_default()
    }
}

impl Service {
    /// Follows as the user with this token.
    pub async fn follow(&self, user_id: &str, token: &str, last_seen: Option<&str>) -> Events {
        let mut request = self.request(Method::GET, STREAM).header("X-User-Id", user_id).header("X-Auth-Token", token);
        if let Some(id) = last_seen {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Events { response, rest: String::new() }
    }

    /// Follows as the administrator of a [`super::workspace`].
    pub async fn events(&self) -> Events {
        self.follow("admin", "admin-token", None).await
    }

    /// Comes back after having seen the event `id`.
    pub async fn events_after(&self, id: &str) -> Events {
        self.follow("admin", "admin-token", Some(id)).await
    }

    /// Follows to the end of an import, and comes back again and again after so many events.
    pub async fn events_in_pieces(&self, events_at_once: usize) -> Vec<Event> {
        let mut seen: Vec<Event> = Vec::new();
        loop {
            let last = seen.last().and_then(|event| event.id.clone());
            let mut events = self.follow("admin", "admin-token", last.as_deref()).await;
            for _ in 0..events_at_once {
                let event = events.next().await;
                // The newest is told to whoever comes back, also if it was seen.
                if seen.last() != Some(&event) {
                    seen.push(event);
                }
                if seen.last().is_some_and(|event| event.state() == "done") {
                    return seen;
                }
            }
            drop(events);
            sleep(AWAY).await;
        }
    }
}

/// The states in their order, those that follow each other once.
pub fn states(events: &[Event]) -> Vec<&str> {
    let mut states: Vec<&str> = events.iter().map(Event::state).collect();
    states.dedup();
    states
}

impl Events {
    pub fn header(&self, name: &str) -> Option<&str> {
        Some(self.response.headers().get(name)?.to_str().unwrap())
    }

    /// The next event.
    pub async fn next(&mut self) -> Event {
        self.next_or_end().await.expect("another event")
    }

    /// The next event; `None` at the end of the stream.
    pub async fn next_or_end(&mut self) -> Option<Event> {
        let event = timeout(PATIENCE, self.read()).await;
        event.unwrap_or_else(|_| panic!("nothing within {PATIENCE:?}"))
    }

    /// Reads on until `last` says so; everything up to there.
    pub async fn until(&mut self, last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|event| !last(event)) {
            seen.push(self.next().await);
        }
        seen
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (event, rest) = (event_of(block), rest.to_owned());
                self.rest = rest;
                if event.is_some() {
                    return event;
                }
                continue;
            }
            let piece = self.response.chunk().await.expect("the stream ends as it should")?;
            self.rest.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

/// `None` for a comment.
fn event_of(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let text = field("data")?.to_owned();
    Some(Event {
        name: field("event").unwrap_or_default().to_owned(),
        id: field("id").map(str::to_owned),
        data: serde_json::from_str(&text).unwrap(),
        text,
    })
}
