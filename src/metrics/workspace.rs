//! The newest operation and its lease, read from the database for every answer.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::ConstCounter, family::Family, gauge::ConstGauge, gauge::Gauge, info::Info},
    registry::Registry,
};
use tokio::time::timeout;

use crate::{
    domain::operation::{Operation, State},
    engine::Activity,
    repository::{Repositories, RepositoryError},
};

/// The longest wait for the database. Prometheus itself waits for ten seconds.
const READ_PATIENCE: Duration = Duration::from_secs(3);

/// The state label without any operation.
const NONE: &str = "none";
/// The state label of a step that no release of Rocket.Chat writes.
const UNKNOWN: &str = "unknown";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// Values read from the database.
pub(super) struct Reading {
    newest: Option<Arc<Operation>>,
    holds_lease: bool,
}

impl Reading {
    /// Reads the database; `None` if it does not answer in time.
    pub(super) async fn take(repositories: &Repositories) -> Option<Self> {
        let both = async { tokio::try_join!(repositories.imports.newest(), repositories.leases.holds_any_lease()) };
        let with_default_timeout = timeout(READ_PATIENCE, both).await.unwrap_or(Err(RepositoryError::TimedOut));
        match with_default_timeout {
            Ok((newest, holds_lease)) => Some(Self { newest, holds_lease }),
            Err(error) => {
                log::debug!("metrics without the database: {error}");
                None
            }
        }
    }
}

/// Registers the values.
pub(super) fn register(registry: &mut Registry, reading: Option<&Reading>) {
    let up = ConstGauge::new(i64::from(reading.is_some()));
    registry.register("database_up", "1 if the database has just answered, else 0", up);
    let Some(Reading { newest, holds_lease }) = reading else { return };
    let held = ConstGauge::new(i64::from(*holds_lease));
    registry.register("lease_held", "1 if this instance holds the lease on an operation, else 0", held);

    let states = Family::<StateLabel, Gauge>::default();
    let current = match newest {
        None => NONE,
        Some(operation) => operation.state().map_or(UNKNOWN, State::as_str),
    };
    for state in State::ALL.map(State::as_str).into_iter().chain([NONE, UNKNOWN]) {
        states.get_or_create(&StateLabel { state }).set(i64::from(state == current));
    }
    registry.register("operation_state", "1 for the state that the newest operation is in, 0 for the others", states);

    let count = |name| newest.as_ref().map(|operation| operation.count(name)).unwrap_or_default();
    for (name, counted, help) in [
        ("operation_users", "total", "Users of the newest operation"),
        ("operation_users_completed", "completed", "Users of the newest operation that were imported"),
        ("operation_users_failed", "error", "Users of the newest operation that failed"),
    ] {
        registry.register(name, help, ConstGauge::new(count(counted)));
    }
}

/// Registers the engine's numbers and the program's version.
pub(super) fn register_instance(registry: &mut Registry, activity: &Activity) {
    let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program", build);
    let engine = registry.sub_registry_with_prefix("engine");
    for (name, help, counter) in [
        ("users_imported", "Users that this instance imported", &activity.imported),
        ("users_failed", "Users that this instance could not import", &activity.failed),
        ("records_staged", "Records of files that this instance staged", &activity.records_staged),
        ("elements_failed", "Elements of files that could not be staged", &activity.elements_failed),
        ("files_fetched", "Files and pictures that this instance fetched", &activity.fetched),
        ("bytes_fetched", "Bytes of files and pictures that came to this instance", &activity.bytes_fetched),
        ("files_left_as_they_were", "Files and pictures that had come before", &activity.files_left),
        ("fetches_repeated", "Times that a file or a picture was tried once more", &activity.fetches_repeated),
        ("files_not_fetched", "Files and pictures that this instance could not fetch", &activity.not_fetched),
    ] {
        engine.register(name, help, ConstCounter::new(counter.get()));
    }
    let paused = "Operations that fetch, and wait for a store or a database that is away";
    for (name, help, gauge) in [
        ("runs", "Operations that this instance is running", &activity.runs),
        ("loads", "Files that this instance is loading", &activity.loads),
        ("fetches_paused", paused, &activity.fetches_paused),
        ("users_waiting", "Staged users that the runs of this instance have yet to process", &activity.users_waiting),
        ("batches_in_flight", "Batches of users on their way to the database", &activity.batches_in_flight),
    ] {
        engine.register(name, help, ConstGauge::new(gauge.get()));
    }
}
