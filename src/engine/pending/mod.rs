//! Operations that fetch what an import left to be fetched: the files of messages and the pictures of people.
//!
//! A file or a picture is a record like any other: it has an outcome and a receipt, and an instance that dies is followed
//! by another one. The list of records is made once, at the beginning. What fails is tried once more at the end.

mod archive;
mod avatar_api;
mod avatars;
mod context;
mod download;
mod files;
mod follow;
mod hosts;
mod leftovers;
mod list;
mod pictures;
mod problem;
mod read_back;
mod store;
mod work;

use std::{path::PathBuf, time::Duration};

use super::{
    Shared,
    activity::GaugeGuard,
    attempts::{Attempts, LeasedWork, PassingError, Repeatable, Stop, until_ended},
    kept_lease::KeptLease,
};
use crate::{
    domain::{api::name_servers::NameServers, importer::Importer, record_type::RecordType},
    repository::{
        IfInvalid, Lease, LeasedOperation, OperationUpdate, Repositories, RepositoryError, with_default_timeout,
    },
};

pub(super) use archive::is_waited_for;
pub use avatar_api::AvatarApi;
pub(super) use leftovers::look_after;
pub(super) use read_back::{ReadBack, StoredBytes};
pub use store::GoogleEndpoints;

/// How often to look whether somebody ended the operation.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The settings of fetching.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Files on their way at once.
    pub at_once: usize,
    /// Files on their way from one host at once.
    pub per_host: usize,
    /// Whether messages show a note in place of a file that could not be fetched.
    pub notes: bool,
    /// Whether files and pictures follow an import of a file by themselves.
    pub after_import: bool,
    /// Where this service sees the folder in which Rocket.Chat keeps files; `None` for nowhere.
    pub folder: Option<PathBuf>,
    /// The servers that resolve the names of hosts, for everything that is fetched.
    pub name_servers: NameServers,
    /// Where Google is reached, for the store `GoogleCloudStorage`.
    pub google: GoogleEndpoints,
    /// Rocket.Chat's API, if that is to set the pictures of people.
    pub avatar_api: Option<AvatarApi>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            at_once: 10,
            per_host: 10,
            notes: true,
            after_import: true,
            folder: None,
            name_servers: NameServers::default(),
            google: GoogleEndpoints::default(),
            avatar_api: None,
        }
    }
}

/// What an importer fetches; `None` for one that fetches nothing.
pub(super) const fn fetched_by(importer: Importer) -> Option<RecordType> {
    match importer {
        Importer::PendingFiles => Some(RecordType::File),
        Importer::PendingAvatars => Some(RecordType::Avatar),
        _ => None,
    }
}

struct PendingRun<'a> {
    shared: &'a Shared,
    id: String,
    kind: RecordType,
    operation: LeasedOperation,
    kept: KeptLease,
}

/// Fetches what the operation of the lease is about until it is done or there is a reason to stop.
pub(super) async fn run(shared: &Shared, lease: Lease, kind: RecordType) {
    let _going = shared.activity.runs.one_more();
    let leases = shared.repositories.leases.clone();
    let run = PendingRun {
        shared,
        id: lease.operation.clone(),
        kind,
        operation: LeasedOperation::new(leases.clone(), lease.clone()),
        kept: KeptLease::new(leases, lease),
    };
    let retry_for = shared.settings.retry_for;
    let attempts = Attempts { retry_for, lost: &run.kept.lost, shutdown: &shared.shutdown };
    attempts.at(&run).await;
}

impl Repeatable for PendingRun<'_> {
    fn operation(&self) -> &str {
        &self.id
    }

    /// Goes on from wherever the receipts say. Files on their way when it stops are dropped; their ids are recorded, and
    /// whatever was stored under them is removed later.
    async fn attempt(&self) -> Result<(), Stop> {
        tokio::select! {
            end = self.work() => end,
            reason = until_ended(&self.repositories().imports, &self.id, LOOK_INTERVAL) => Err(reason),
            () = self.kept.lost.cancelled() => Err(Stop::LeaseLost),
            () = self.shared.shutdown.cancelled() => Err(Stop::Shutdown),
        }
    }

    async fn stop(&self, stop: Stop) -> Result<(), PassingError> {
        self.stop_because(stop).await
    }

    async fn done(&self) -> Option<u64> {
        let summary = with_default_timeout(self.repositories().receipts.summary(&self.id)).await;
        Some(summary.ok()?.counts.processed())
    }

    fn rests(&self) -> Option<GaugeGuard> {
        Some(self.shared.activity.fetches_paused.one_more())
    }
}

impl LeasedWork for PendingRun<'_> {
    fn kept(&self) -> &KeptLease {
        &self.kept
    }

    async fn leave_ended(&self) -> Result<(), RepositoryError> {
        self.end(OperationUpdate::default(), IfInvalid::WriteAnyway).await
    }

    async fn leave_failed(&self, update: OperationUpdate) -> Result<(), RepositoryError> {
        self.end(update, IfInvalid::Refuse).await
    }
}

impl PendingRun<'_> {
    const fn repositories(&self) -> &Repositories {
        &self.shared.repositories
    }

    async fn write(&self, update: &OperationUpdate) -> Result<(), Stop> {
        with_default_timeout(self.operation.write(update, IfInvalid::Refuse)).await?.or_stop()
    }

    /// Ends an operation that is not done: late receipts are shut out, and the counters are those of the receipts.
    async fn end(&self, mut update: OperationUpdate, if_invalid: IfInvalid) -> Result<(), RepositoryError> {
        let fenced = self.repositories().receipts.fence(&self.id, self.kept.lease.epoch);
        update.counts = Some(with_default_timeout(fenced).await?.counts);
        // Whether it was ended meanwhile makes no difference.
        with_default_timeout(self.operation.write(&update, if_invalid)).await?;
        self.leave().await;
        Ok(())
    }

    /// Removes the list of the operation and gives the lease back.
    async fn leave(&self) {
        if let Err(error) = with_default_timeout(self.repositories().worklists.remove(&self.id)).await {
            log::debug!("the list of operation {} stays for now: {error}", self.id);
        }
        // If this fails, the lease runs out, and the instance that finds it sees that the operation is over.
        if let Err(error) = self.kept.release().await {
            log::debug!("the lease on operation {} is left to run out: {error}", self.id);
        }
    }
}
