//! What the tasks of one operation share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    FetchSettings,
    archive::HeldArchive,
    hosts::Hosts,
    store::{Means, Store},
};
use crate::{
    domain::{importer::Importer, operation::Operation},
    engine::{
        Shared,
        activity::Activity,
        attempts::Stop,
        outgoing::{Outgoing, Resolver},
        write_pace::WritePace,
    },
    repository::{FileSettings, Repositories, with_default_timeout},
};

/// How often the workspace's settings are read anew.
const SETTINGS_LIFETIME: Duration = Duration::from_secs(5);
/// Pictures that are decoded at once. Each takes up to 100 MB.
const PICTURES_AT_ONCE: usize = 1;

/// What the tasks of one operation share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) repositories: Repositories,
    pub(super) fetch: FetchSettings,
    /// The `_id` of the operation.
    pub(super) operation: String,
    pub(super) hosts: Hosts,
    pub(super) pictures: Arc<Semaphore>,
    /// The archive of the import, if it holds files.
    pub(super) archive: Option<HeldArchive>,
    activity: Activity,
    write_pace: Arc<WritePace>,
    resolver: Resolver,
    writes_to_store: bool,
    /// Bytes that were fetched.
    bytes: AtomicU64,
    live: RwLock<(Instant, Arc<Live>)>,
}

/// What follows the workspace's settings.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) settings: FileSettings,
    pub(super) outgoing: Outgoing,
    /// The store of the workspace, or why this service cannot use it.
    store: Result<Store, String>,
}

/// What the workspace's settings are read with.
#[derive(Debug, Clone, Copy)]
struct LiveReader<'a> {
    repositories: &'a Repositories,
    fetch: &'a FetchSettings,
    write_pace: &'a Arc<WritePace>,
    resolver: &'a Resolver,
    /// Whether the store is to be ready for files. Pictures that Rocket.Chat sets go into none of ours.
    writes_to_store: bool,
}

impl Context {
    /// Reads the workspace's settings and gets its store ready, if anything is to be written there.
    pub(super) async fn new(shared: &Shared, operation: &Operation, bytes: u64) -> Result<Self, Stop> {
        let Shared { repositories, fetch, activity, write_pace, resolver, .. } = shared;
        let is_set_by_rocketchat = operation.importer() == Some(Importer::PendingAvatars) && fetch.avatar_api.is_some();
        let writes_to_store = !is_set_by_rocketchat;
        let reader = LiveReader { repositories, fetch, write_pace, resolver, writes_to_store };
        let live = Arc::new(reader.read(None).await?);
        let archive = match operation.importer() {
            Some(Importer::PendingFiles) => HeldArchive::of(repositories, operation).await?,
            _ => None,
        };
        Ok(Self {
            archive,
            activity: activity.clone(),
            resolver: resolver.clone(),
            write_pace: Arc::clone(write_pace),
            writes_to_store,
            repositories: repositories.clone(),
            operation: operation.id().unwrap_or_default().to_owned(),
            hosts: Hosts::new(fetch.per_host),
            fetch: fetch.clone(),
            pictures: Arc::new(Semaphore::new(PICTURES_AT_ONCE)),
            bytes: AtomicU64::new(bytes),
            live: RwLock::new((Instant::now() + SETTINGS_LIFETIME, live)),
        })
    }

    pub(super) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().1)
    }

    /// Reads the workspace's settings anew when it is time to.
    pub(super) async fn refresh(&self) -> Result<(), Stop> {
        if self.live.read().0 > Instant::now() {
            return Ok(());
        }
        let before = self.live();
        let live = Arc::new(self.reader().read(Some(&before)).await?);
        *self.live.write() = (Instant::now() + SETTINGS_LIFETIME, live);
        Ok(())
    }

    const fn reader(&self) -> LiveReader<'_> {
        LiveReader {
            repositories: &self.repositories,
            fetch: &self.fetch,
            write_pace: &self.write_pace,
            resolver: &self.resolver,
            writes_to_store: self.writes_to_store,
        }
    }

    /// Everything that a store may be reached by.
    pub(super) const fn means<'a>(&'a self, live: &'a Live) -> Means<'a> {
        Means {
            repositories: &self.repositories,
            fetch: &self.fetch,
            settings: &live.settings,
            write_pace: &self.write_pace,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn add_bytes(&self, more: u64) {
        self.bytes.fetch_add(more, Ordering::Relaxed);
        self.activity.bytes_fetched.add(more);
    }

    /// A file or a picture is tried once more.
    pub(super) fn repeat(&self) {
        self.activity.fetches_repeated.add(1);
    }

    /// These bytes have to come once more.
    pub(super) fn take_back_bytes(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Live {
    /// The store of the workspace.
    ///
    /// # Errors
    /// When this service cannot use it.
    pub(super) fn store(&self) -> Result<&Store, Stop> {
        self.store.as_ref().map_err(|reason| Stop::Failed(reason.clone()))
    }
}

impl LiveReader<'_> {
    /// The store of `before` stays while its settings do, with its connections and its tokens.
    async fn read(self, before: Option<&Live>) -> Result<Live, Stop> {
        let Self { repositories, fetch, write_pace, resolver, writes_to_store } = self;
        let settings = with_default_timeout(repositories.settings.files()).await?;
        let allowlist = with_default_timeout(repositories.settings.outgoing_allowlist()).await?;
        let store = match before.filter(|before| before.settings.store_hash == settings.store_hash) {
            Some(before) => before.store.clone(),
            None => Store::of(Means { repositories, fetch, settings: &settings, write_pace }),
        };
        let live = Live { settings, outgoing: Outgoing::new(allowlist, resolver.clone()), store };
        if writes_to_store {
            live.store()?.prepare().await?;
        }
        Ok(live)
    }
}
