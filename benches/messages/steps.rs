//! How long an operation stays at each of its steps.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use bson::{Document, doc};
use tokio::{task::JoinHandle, time::sleep};

use crate::workspace::Workspace;

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Follows the newest operation until it is done.
pub struct Steps(JoinHandle<String>);

impl Steps {
    pub fn follow(workspace: &Workspace) -> Self {
        let operations = workspace.collection::<Document>("rocketchat_import");
        Self(tokio::spawn(async move {
            let (mut shown, mut step, mut since) = (String::new(), String::new(), Instant::now());
            while step != "importer_done" {
                sleep(POLL_INTERVAL).await;
                let operation = operations.find_one(doc! {}).await.unwrap().expect("an operation");
                let now = operation.get_str("status").unwrap();
                if now != step {
                    if !step.is_empty() {
                        let name = step.trim_start_matches("importer_");
                        write!(shown, "{name} {:.1} s; ", since.elapsed().as_secs_f64()).unwrap();
                    }
                    (step, since) = (now.to_owned(), Instant::now());
                }
            }
            shown
        }))
    }

    /// The steps, with the seconds of each.
    pub async fn ended(self) -> String {
        self.0.await.unwrap()
    }
}
