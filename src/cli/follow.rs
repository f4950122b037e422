//! Following an import to its end.

use std::time::Duration;

use tokio::time::sleep;

use super::{console::Console, words::printable};
use crate::client::{Client, ClientError, Patience, Status};

/// How an import is followed.
#[derive(Debug)]
pub(super) struct Follow<'a> {
    pub(super) client: &'a Client,
    pub(super) interval: Duration,
    /// How long the server may be away in between.
    pub(super) patience: Patience,
}

impl Follow<'_> {
    /// Tells `seen` every status that differs from the one before, and gives the last. Numbers that go backwards, as
    /// those of a database that fell back to an older state, are passed over.
    pub(super) async fn to_the_end<E: From<ClientError>>(
        &self,
        mut seen: impl FnMut(&Status) -> Result<(), E>,
    ) -> Result<Status, E> {
        let mut last = self.client.status().await?;
        seen(&last)?;
        while !last.state.is_end() {
            sleep(self.interval).await;
            let status = self.client.status_with(self.patience).await?;
            if status.body == last.body || goes_backwards(&last, &status) {
                continue;
            }
            seen(&status)?;
            last = status;
        }
        Ok(last)
    }
}

/// Says once of every standstill that nothing moves.
#[derive(Debug, Default)]
pub(super) struct StalledNotice {
    /// The operation and its last change.
    told: Option<(String, Option<String>)>,
}

impl StalledNotice {
    pub(super) fn tell(&mut self, console: &Console, status: &Status) {
        let Some(words) = &status.stalled else { return };
        let standstill = Some((status.operation.clone(), status.updated.clone()));
        if self.told != standstill {
            console.notice(&printable(words));
            self.told = standstill;
        }
    }
}

fn goes_backwards(last: &Status, next: &Status) -> bool {
    next.operation == last.operation && !next.state.is_end() && {
        let (last, next) = (last.counts, next.counts);
        next.completed < last.completed || next.failed < last.failed
    }
}
