//! The newest operation as it changes, by a change stream on `rocketchat_import`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bson::{RawDocumentBuf, Timestamp, doc};
use mongodb::{
    Collection,
    change_stream::{
        ChangeStream,
        event::{ChangeStreamEvent, OperationType, ResumeToken},
    },
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use crate::{
    domain::operation::Operation,
    repository::{
        Connection, Imports, RepositoryError,
        connection::shared_reads::SharedReads,
        import::{
            newest_operation::{Effect, NewestOperation},
            operations,
        },
    },
};

/// How long the database waits for a change before it says that there is none.
const AWAIT_TIME: Duration = Duration::from_secs(1);
/// How long the database may take for anything else. A server that vanishes without a word says nothing for ever.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where there are no change streams.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The first rest after the database failed; each further one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// Reads and follows the newest operation.
#[derive(Debug, Clone)]
pub struct OperationFeed {
    connection: Connection,
    imports: Imports,
    operations: Collection<RawDocumentBuf>,
    readings: SharedReads<(), Reading>,
    /// Whether it is known that there are no change streams.
    has_warned: Arc<AtomicBool>,
}

/// A moment by the database's own clock, which orders all changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterTime(Timestamp);

/// The newest operation as it was read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// `None` if there never was one.
    pub operation: Option<Arc<Operation>>,
    /// Whatever changed after this moment is not in it; `None` on a server that has no such clock.
    pub read_by: Option<ClusterTime>,
}

/// One state of the newest operation.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// `None` if there is no operation.
    pub operation: Option<Arc<Operation>>,
    /// When it came to be so, where that is known.
    pub moment: Option<ClusterTime>,
    /// Whether every change since the sighting before was seen.
    pub is_next: bool,
}

impl OperationFeed {
    pub(in crate::repository) fn new(connection: &Connection, imports: &Imports) -> Self {
        Self {
            connection: connection.clone(),
            imports: imports.clone(),
            operations: connection.collection(operations::COLLECTION),
            readings: SharedReads::default(),
            has_warned: Arc::default(),
        }
    }

    /// The operation with the highest `ts` as it is now, and the moment by which that was read.
    ///
    /// # Errors
    /// When the database does not answer, or the document is not valid BSON.
    pub async fn read(&self) -> Result<Reading, RepositoryError> {
        let source = self.clone();
        let read = || async move {
            let (newest, read_by) = source.read_newest().await?;
            Ok(Reading { operation: newest.operation().cloned(), read_by })
        };
        self.readings.get((), read).await
    }

    /// Follows the newest operation. Where there are no change streams, it is read every second, and whenever `wanted` is
    /// notified.
    pub fn follow(&self, wanted: Arc<Notify>) -> OperationFollower {
        OperationFollower {
            source: self.clone(),
            wanted,
            way: Source::ToBeFound,
            newest: NewestOperation::default(),
            read_by: None,
            resume: None,
            is_outdated: true,
            is_unbroken: false,
            is_certain: true,
            doubt: None,
            told: None,
        }
    }

    async fn read_newest(&self) -> Result<(NewestOperation, Option<ClusterTime>), RepositoryError> {
        // As a change stream does, this tells only of what a majority has stored.
        let stored = self.imports.find_newest().await?;
        // Asked afterwards, so what was read is not of a later time than this.
        let pong = self.connection.database().run_command(doc! { "ping": 1 }).await?;
        let read_by = pong.get_timestamp("operationTime").ok().map(ClusterTime);
        Ok((NewestOperation::read(stored.as_ref())?, read_by))
    }
}

type Event = ChangeStreamEvent<RawDocumentBuf>;

/// Tells of the newest operation, one state after the other.
#[derive(Debug)]
pub struct OperationFollower {
    source: OperationFeed,
    wanted: Arc<Notify>,
    way: Source,
    newest: NewestOperation,
    /// Changes up to this moment may be in `newest` already.
    read_by: Option<ClusterTime>,
    /// Where a new stream has to go on.
    resume: Option<ResumeToken>,
    /// Whether `newest` must be read before anything else.
    is_outdated: bool,
    /// Whether nothing was missed since the last sighting.
    is_unbroken: bool,
    /// Whether `newest` has been compared with the database since the last change.
    is_certain: bool,
    /// What the database said when it was last compared and said something else. A change may be on its way.
    doubt: Option<Newest>,
    told: Option<Newest>,
}

/// The newest operation, if there is one.
#[derive(Debug, Clone, PartialEq)]
struct Newest(Option<Arc<Operation>>);

/// How changes are learnt of.
#[derive(Debug)]
enum Source {
    ToBeFound,
    Stream(Box<ChangeStream<Event>>),
    Polling,
}

impl OperationFollower {
    /// Waits for the next state of the newest operation; the first is the present one. However long the database is
    /// away, it goes on where it was.
    pub async fn next(&mut self) -> Snapshot {
        let mut backoff = FIRST_BACKOFF;
        loop {
            match self.step().await {
                Ok(Some(sighting)) => return sighting,
                Ok(None) => backoff = FIRST_BACKOFF,
                Err(error) => {
                    log::debug!("the import cannot be followed for {backoff:?}: {error}");
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(LONGEST_BACKOFF);
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<Snapshot>, RepositoryError> {
        let Source::Stream(stream) = &mut self.way else {
            return match self.way {
                Source::Polling => self.poll().await,
                _ => self.open().await.map(|()| None),
            };
        };
        if self.is_outdated {
            return self.read_again().await;
        }
        let told = timeout(AWAIT_TIME + PATIENCE, stream.next_if_any()).await;
        match told {
            Ok(Ok(Some(event))) => Ok(self.apply(event)),
            Ok(Ok(None)) if !stream.is_alive() => {
                self.start_over();
                Ok(None)
            }
            Ok(Ok(None)) => {
                self.resume = stream.resume_token().or(self.resume.take());
                // In a quiet moment it costs nothing to be sure.
                if self.is_certain { Ok(None) } else { self.compare().await }
            }
            Ok(Err(error)) => {
                let error = RepositoryError::from(error);
                if let RepositoryError::Unavailable(_) | RepositoryError::TimedOut = error {
                    self.way = Source::ToBeFound;
                } else {
                    self.start_over();
                }
                Err(error)
            }
            Err(_) => {
                self.way = Source::ToBeFound;
                Err(RepositoryError::TimedOut)
            }
        }
    }

    async fn open(&mut self) -> Result<(), RepositoryError> {
        let watch = self.source.operations.watch().resume_after(self.resume.clone()).max_await_time(AWAIT_TIME);
        match timeout(PATIENCE, watch).await.map_err(|_| RepositoryError::TimedOut)? {
            Ok(stream) => {
                self.is_outdated |= self.resume.is_none();
                self.way = Source::Stream(Box::new(stream));
                return Ok(());
            }
            Err(error) => match RepositoryError::from(error) {
                error @ (RepositoryError::Unavailable(_) | RepositoryError::TimedOut) => return Err(error),
                error if self.resume.is_some() => {
                    log::info!("the changes of the import cannot be taken up where they were left: {error}");
                    self.start_over();
                }
                error => {
                    if !self.source.has_warned.swap(true, Ordering::Relaxed) {
                        log::warn!("no change stream, so the import is read every {POLL_INTERVAL:?} instead: {error}");
                    }
                    self.way = Source::Polling;
                }
            },
        }
        Ok(())
    }

    /// Forgets everything but what was sent.
    fn start_over(&mut self) {
        self.way = Source::ToBeFound;
        self.resume = None;
        self.is_outdated = true;
        self.is_unbroken = false;
    }

    async fn poll(&mut self) -> Result<Option<Snapshot>, RepositoryError> {
        if self.told.is_some() {
            tokio::select! {
                () = sleep(POLL_INTERVAL) => {}
                () = self.wanted.notified() => {}
            }
        }
        self.read_again().await
    }

    async fn read_again(&mut self) -> Result<Option<Snapshot>, RepositoryError> {
        let read = timeout(PATIENCE, self.source.read_newest()).await.unwrap_or(Err(RepositoryError::TimedOut));
        (self.newest, self.read_by) = read?;
        self.is_outdated = false;
        self.is_certain = true;
        self.doubt = None;
        Ok(self.sighting(None))
    }

    /// Makes sure that `newest` is what the database has, once no change is on its way.
    async fn compare(&mut self) -> Result<Option<Snapshot>, RepositoryError> {
        let operation = self.source.read().await?.operation;
        self.is_certain = operation.as_ref() == self.newest.operation();
        if !self.is_certain {
            let found = Some(Newest(operation));
            self.is_outdated = self.doubt == found;
            self.doubt = found;
        }
        Ok(None)
    }

    fn apply(&mut self, event: Event) -> Option<Snapshot> {
        self.resume = Some(event.id.clone());
        self.is_certain = false;
        self.doubt = None;
        if let OperationType::Drop
        | OperationType::Rename
        | OperationType::DropDatabase
        | OperationType::Invalidate
        | OperationType::Other(_) = event.operation_type
        {
            self.start_over();
            return None;
        }
        let moment = event.cluster_time.map(ClusterTime);
        if moment <= self.read_by {
            // It may have been in what was read, or not.
            self.is_outdated = true;
            return None;
        }
        match self.newest.apply(event) {
            Effect::None => None,
            Effect::Changed => self.sighting(moment),
            Effect::Unclear => {
                self.is_outdated = true;
                None
            }
        }
    }

    /// What there is to tell, if anything.
    fn sighting(&mut self, moment: Option<ClusterTime>) -> Option<Snapshot> {
        let newest = Newest(self.newest.operation().cloned());
        let is_next = std::mem::replace(&mut self.is_unbroken, true);
        if is_next && self.told.as_ref() == Some(&newest) {
            return None;
        }
        self.told = Some(newest.clone());
        Some(Snapshot { operation: newest.0, moment, is_next })
    }
}
