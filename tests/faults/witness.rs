//! Clients that poll `import.status` all the time and hold every answer against all earlier answers.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bson::doc;
use mongodb::{Collection, bson::Document};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};

use crate::harness::Workspace;

const POLLERS: usize = 3;
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Every so many answers the accounts are counted, which have to be there before the status says so.
const AUDIT_EVERY: usize = 20;
const AUDIT_PATIENCE: Duration = Duration::from_secs(1);
/// A caller hears of an outage within five seconds; one more for a machine that has other things to do.
const ANSWER_PATIENCE: Duration = Duration::from_secs(6);
/// No client waits longer.
const CLIENT_PATIENCE: Duration = Duration::from_secs(15);

/// The only words for an outage.
const UNAVAILABLE: &str = r#"{"success":false,"error":"The database cannot be reached, please try again [error-database-unavailable]","errorType":"error-database-unavailable"}"#;

/// The order in which an operation may be seen at its steps.
const STEPS: [&str; 9] = [
    "importer_new",
    "importer_user_selection",
    "importer_importing_started",
    "importer_importing_users",
    "importer_importing_contacts",
    "importer_importing_channels",
    "importer_importing_messages",
    "importer_finishing",
    "importer_done",
];
const FAILED: &str = "importer_import_failed";

/// One answer.
#[derive(Debug, Clone)]
pub struct Seen {
    pub asked: Instant,
    pub answered: Instant,
    pub told: Told,
}

#[derive(Debug, Clone)]
pub enum Told {
    /// 200, with this operation.
    Operation(Version),
    /// 200, and there is none.
    NoOperation,
    /// 503, in the words for it.
    Unavailable,
    /// The answers that should not have been given, and why.
    Wrong(String),
}

/// What an answer says of how far an operation is. Nothing of it ever becomes less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub made: String,
    pub changed: String,
    pub step: usize,
    pub completed: u64,
    pub error: u64,
}

impl Version {
    /// Whether this may be the answer to a question that came after the answer `before`.
    pub fn may_follow(&self, before: &Self) -> bool {
        self.made > before.made
            || (self.made == before.made
                && self.changed >= before.changed
                && self.step >= before.step
                && self.completed >= before.completed
                && self.error >= before.error)
    }

    pub fn is_over(&self) -> bool {
        self.step >= STEPS.len() - 1
    }
}

/// The pollers of a service.
pub struct Witness {
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    pollers: Vec<JoinHandle<()>>,
}

impl Witness {
    /// Polls the service at `address` in the name of the administrator.
    pub fn of(address: &str, workspace: &Workspace) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let stop: Arc<AtomicBool> = Arc::default();
        let pollers = (0..POLLERS).map(|number| {
            let (seen, stop, address) = (Arc::clone(&seen), Arc::clone(&stop), address.to_owned());
            let accounts = workspace.collection("users");
            tokio::spawn(async move {
                let client = Client::builder().timeout(CLIENT_PATIENCE).build().unwrap();
                let mut ticks = tokio::time::interval(POLL_INTERVAL);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                let mut count = number;
                while !stop.load(Ordering::Relaxed) {
                    ticks.tick().await;
                    count += 1;
                    let mut answer = ask(&client, &address).await;
                    if count.is_multiple_of(AUDIT_EVERY) {
                        answer.told = audit(answer.told, &accounts).await;
                    }
                    seen.lock().unwrap().push(answer);
                }
            })
        });
        let pollers = pollers.collect();
        Self { seen, stop, pollers }
    }

    /// The furthest answer so far.
    pub fn furthest(&self) -> Option<Version> {
        furthest(&self.seen.lock().unwrap())
    }

    /// All answers so far.
    pub fn so_far(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// All answers, once the pollers have stopped.
    pub async fn stop(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        for poller in self.pollers {
            poller.await.unwrap();
        }
        let mut seen = self.seen.lock().unwrap().clone();
        seen.sort_by_key(|answer| answer.asked);
        seen
    }
}

/// The furthest any of the answers is.
pub fn furthest(seen: &[Seen]) -> Option<Version> {
    let versions = seen.iter().filter_map(|answer| match &answer.told {
        Told::Operation(version) => Some(version),
        _ => None,
    });
    versions.max_by_key(|version| (version.made.clone(), version.completed + version.error, version.step)).cloned()
}

/// The faults of the answers, which are in the order of their requests.
pub fn wrongs(seen: &[Seen]) -> Vec<String> {
    let mut by_answer: Vec<&Seen> = seen.iter().collect();
    by_answer.sort_by_key(|answer| answer.answered);
    let mut told_before = by_answer.into_iter().peekable();
    let mut floor: Option<Version> = None;
    let mut wrongs = Vec::new();
    for answer in seen {
        while let Some(earlier) = told_before.next_if(|earlier| earlier.answered < answer.asked) {
            if let Told::Operation(version) = &earlier.told
                && floor.as_ref().is_none_or(|floor| version.may_follow(floor))
            {
                floor = Some(version.clone());
            }
        }
        let took = answer.answered - answer.asked;
        if took > ANSWER_PATIENCE {
            wrongs.push(format!("an answer took {took:.1?}: {:?}", answer.told));
        }
        match (&answer.told, &floor) {
            (Told::Wrong(what), _) => wrongs.push(what.clone()),
            (Told::NoOperation, Some(floor)) => wrongs.push(format!("no operation, after {floor:?}")),
            (Told::Operation(version), Some(floor)) if !version.may_follow(floor) => {
                wrongs.push(format!("{version:?} after {floor:?}"));
            }
            _ => {}
        }
    }
    wrongs
}

async fn ask(client: &Client, address: &str) -> Seen {
    let asked = Instant::now();
    let request = client
        .get(format!("{address}/api/v1/import.status"))
        .header("X-User-Id", "admin")
        .header("X-Auth-Token", "admin-token");
    let answer = async {
        let response = request.send().await?;
        let (status, kind) = (response.status().as_u16(), response.headers().get("content-type").cloned());
        Ok::<_, reqwest::Error>((status, kind, response.text().await?))
    };
    let told = match answer.await {
        Err(error) => Told::Wrong(format!("no answer: {error:?}")),
        Ok((_, kind, body)) if kind.as_ref().is_none_or(|kind| kind != "application/json") => {
            Told::Wrong(format!("{kind:?}: {body}"))
        }
        Ok((503, _, body)) if body == UNAVAILABLE => Told::Unavailable,
        Ok((200, _, body)) => read(&body).unwrap_or(Told::Wrong(body)),
        Ok((status, _, body)) => Told::Wrong(format!("{status}: {body}")),
    };
    Seen { asked, answered: Instant::now(), told }
}

/// Reads a success; `None` if it contradicts itself.
fn read(body: &str) -> Option<Told> {
    let body: Value = serde_json::from_str(body).ok()?;
    if body == json!({ "state": "none", "success": true }) {
        return Some(Told::NoOperation);
    }
    let (state, operation) = (body["state"].as_str()?, &body["operation"]);
    let status = operation["status"].as_str()?;
    let step = if status == FAILED { STEPS.len() } else { STEPS.iter().position(|step| *step == status)? };
    let expected = match step {
        0 => "new",
        1 => "ready",
        8 => "done",
        9 => "error",
        _ => "importing",
    };
    let count = |name: &str| operation["count"][name].as_u64();
    let (completed, error) = (count("completed").unwrap_or(0), count("error").unwrap_or(0));
    let total = count("total").unwrap_or(0);
    // The names of the fields are those of a whole document, in stored order.
    let whole = operation["_id"].is_string() && operation["type"] == "api" && operation["user"] == "admin";
    let sound = whole
        && body["success"] == true
        && body.as_object()?.len() == 3
        && operation["valid"] == (step <= STEPS.len())
        && completed + error <= total
        && count("users").unwrap_or(0) == total
        && (expected != "done" || completed + error == total);
    (state == expected && sound).then(|| {
        let text = |name: &str| operation[name].as_str().map(str::to_owned);
        Some(Told::Operation(Version { made: text("ts")?, changed: text("_updatedAt")?, step, completed, error }))
    })?
}

/// Makes sure that what an answer counts as imported is there.
async fn audit(told: Told, accounts: &Collection<Document>) -> Told {
    let Told::Operation(version) = &told else { return told };
    let counting = async { accounts.count_documents(doc! { "_id": { "$ne": "admin" } }).await };
    match timeout(AUDIT_PATIENCE, counting).await {
        Ok(Ok(there)) if there < version.completed => {
            Told::Wrong(format!("{} completed, but {there} accounts are there", version.completed))
        }
        // A server that cannot be asked contradicts nobody.
        _ => told,
    }
}
