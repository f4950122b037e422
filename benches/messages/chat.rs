//! A second client of the workspace, who chats while an import goes on.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bson::{DateTime, Document, doc};
use futures::TryStreamExt as _;
use hdrhistogram::Histogram;
use mongodb::Collection;
use tokio::{task::JoinHandle, time::interval};
use tokio_util::sync::CancellationToken;

use crate::workspace::Workspace;

/// The room that the client reads and writes.
pub const ROOM: &str = "GENERAL";
const EXISTING: usize = 1000;
const PACE: Duration = Duration::from_millis(50);
const PAGE: i64 = 50;
/// System messages that a workspace hides. Any list costs the same.
const HIDDEN: [&str; 2] = ["uj", "ul"];

pub struct SecondClient {
    histograms: Arc<Mutex<[Histogram<u64>; 2]>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// How long history queries and insertions took.
pub struct Latencies([Histogram<u64>; 2]);

impl fmt::Display for Latencies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        let [history, insertion] = &self.0;
        write!(
            formatter,
            "history p50 {:.1} ms, p99 {:.1} ms; insertion p50 {:.1} ms, p99 {:.1} ms ({} each)",
            ms(history, 0.5),
            ms(history, 0.99),
            ms(insertion, 0.5),
            ms(insertion, 0.99),
            history.len(),
        )
    }
}

impl SecondClient {
    pub async fn start(workspace: &Workspace) -> Self {
        let messages = workspace.collection::<Document>("rocketchat_message");
        let existing = (0..EXISTING).map(|number| message(&format!("old{number}")));
        messages.insert_many(existing).await.unwrap();
        let histograms = Arc::new(Mutex::new(empty()));
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (histograms, stop) = (Arc::clone(&histograms), stop.clone());
            async move {
                let mut ticks = interval(PACE);
                for number in 0_u64.. {
                    ticks.tick().await;
                    if stop.is_cancelled() {
                        break;
                    }
                    let started = Instant::now();
                    read_history(&messages).await;
                    let read = started.elapsed();
                    let started = Instant::now();
                    messages.insert_one(message(&format!("new{number}"))).await.unwrap();
                    let inserted = started.elapsed();
                    for (histogram, took) in histograms.lock().unwrap().iter_mut().zip([read, inserted]) {
                        histogram.record(u64::try_from(took.as_micros()).unwrap()).unwrap();
                    }
                }
            }
        });
        Self { histograms, stop, task }
    }

    /// What was measured since the last call.
    pub fn latencies(&self) -> Latencies {
        Latencies(std::mem::replace(&mut *self.histograms.lock().unwrap(), empty()))
    }

    pub async fn stop(self) -> Latencies {
        self.stop.cancel();
        let Self { histograms, task, .. } = self;
        task.await.unwrap();
        Latencies(std::mem::replace(&mut *histograms.lock().unwrap(), empty()))
    }
}

fn empty() -> [Histogram<u64>; 2] {
    [(), ()].map(|()| Histogram::new(3).unwrap())
}

fn message(id: &str) -> Document {
    let now = DateTime::now();
    doc! {
        "_id": id, "rid": ROOM, "msg": "Good morning", "ts": now, "_updatedAt": now,
        "u": { "_id": "admin", "username": "admin" },
    }
}

/// Source: `findVisibleByRoomIdNotContainingTypesBeforeTs` in `packages/models/src/models/Messages.ts`.
async fn read_history(messages: &Collection<Document>) {
    let filter = doc! {
        "_hidden": { "$ne": true }, "rid": ROOM, "ts": { "$lt": DateTime::now() },
        "$or": [{ "tmid": { "$exists": false } }, { "tshow": true }], "t": { "$nin": HIDDEN.to_vec() },
    };
    let found = messages.find(filter).sort(doc! { "ts": -1 }).limit(PAGE).await.unwrap();
    let page: Vec<Document> = found.try_collect().await.unwrap();
    assert!(!page.is_empty(), "a history");
}
