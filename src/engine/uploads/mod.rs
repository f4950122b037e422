//! Files on their way into the file store and out of it again: which are taken, how fast, and how long they stay.
//!
//! Nothing of the workspace changes before a file is complete and its importer known. What breaks off before that leaves a
//! file that nobody uses, and the sweep removes it.

mod begin;
mod check;
mod fetch;
mod folder;
mod resumable;
mod room;
mod sweep;
mod writer;

use std::{num::NonZeroU64, path::PathBuf, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::sync::{Notify, Semaphore};

use super::{Engine, Refusal, write_pace::WritePace};
use crate::repository::{AppendError, Repositories, RepositoryError};

pub(crate) use begin::{Arrived, known_importer};
pub(crate) use check::CHECKED_BYTES;
pub(crate) use resumable::Announced;
pub(crate) use writer::FileWriter;

const MEBIBYTE: u64 = 1024 * 1024;
/// Files that come in one piece at once: as Base64 or from a URL.
const WHOLE_FILES: usize = 4;
/// Resumable uploads that have much in memory at once.
const LARGE_BUFFERS: usize = 64;

/// The settings of the way of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadSettings {
    /// Bytes of the largest file that comes in one piece.
    pub limit_bytes: u64,
    /// Bytes that all files of the store may have together.
    pub quota_bytes: u64,
    /// Bytes that are written in a second; `None` for as many as the database takes.
    pub bytes_per_second: Option<NonZeroU64>,
    /// How long a file stays whose import nobody goes on with.
    pub kept_for: Duration,
    /// The folder below which files of the server may be read; `None` for none.
    pub folder: Option<PathBuf>,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self {
            limit_bytes: 4096 * MEBIBYTE,
            quota_bytes: 64 * 1024 * MEBIBYTE,
            bytes_per_second: NonZeroU64::new(32 * MEBIBYTE),
            kept_for: Duration::from_secs(14 * 24 * 60 * 60),
            folder: None,
        }
    }
}

/// Takes files in. Cheap to clone; all clones share their bounds.
#[derive(Debug, Clone)]
pub struct Uploads {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    settings: UploadSettings,
    pace: Arc<WritePace>,
    whole_files: Arc<Semaphore>,
    large_buffers: Arc<Semaphore>,
    /// Uploads of which one beginning at a time is under way.
    beginnings: tokio::sync::Mutex<()>,
    /// Files of which one at a time is made.
    makings: tokio::sync::Mutex<()>,
    /// There may be files to remove.
    unused: Notify,
}

/// Why a file is not taken.
#[derive(Debug, Error)]
pub(crate) enum UploadRefusal {
    #[error("The importer ({0}) has no import class defined.")]
    UnknownImporter(String),
    #[error("The file has more than {limit} bytes, which is the most that is taken in this way")]
    TooLarge { limit: u64 },
    #[error("The file takes {needed} bytes, but only {left} of the {quota} bytes for import files are left")]
    OverQuota { needed: u64, left: u64, quota: u64 },
    #[error(
        "The file takes {needed} bytes in the database, but only {free} bytes are free there beside what other uploads will take"
    )]
    NoRoom { needed: u64, free: u64 },
    /// As many files as may come in one piece are on their way.
    #[error("Other files are on their way, please try again")]
    Busy,
    #[error("There is no such upload")]
    NoSuchUpload,
    /// Also when it is another user's.
    #[error("There is no such upload for a check, or its hour is over. Send the file again, then check it")]
    NotForCheck,
    #[error("The upload is not complete: send the rest of its {size} bytes from byte {offset} on, then check it")]
    NotComplete { offset: u64, size: u64 },
    /// The upload goes on elsewhere.
    #[error("The upload goes on at byte {offset}")]
    OtherOffset { offset: u64 },
    /// Two requests added to one upload, and this one lost.
    #[error("Another request was faster: see where the upload goes on")]
    Outpaced,
    #[error("The upload has {size} bytes, and more were sent")]
    BeyondTheEnd { size: u64 },
    #[error("The file that arrived is not the one that was announced: its SHA-256 differs. Send it again")]
    OtherContent,
    /// An import goes on, and the upload may not take its place.
    #[error("{0}")]
    ImportInTheWay(&'static str),
    /// An import was begun with it.
    #[error("An import was begun with this upload; end that instead")]
    InUse,
    /// A path of the server cannot be read.
    #[error("{0}")]
    Path(String),
    #[error("{0}")]
    NoSuchPath(String),
    /// A URL could not be fetched. The reason does not hold its query.
    #[error("{0}")]
    Fetch(String),
    #[error(transparent)]
    Operation(#[from] Refusal),
}

impl From<RepositoryError> for UploadRefusal {
    fn from(error: RepositoryError) -> Self {
        Self::Operation(error.into())
    }
}

impl From<AppendError> for UploadRefusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::OtherEnd => Self::Outpaced,
            AppendError::NotOpen => Self::NoSuchUpload,
            AppendError::Database(error) => error.into(),
        }
    }
}

impl Uploads {
    /// Takes files for the imports of this engine.
    pub fn new(engine: Engine, settings: UploadSettings) -> Self {
        let shared = Shared {
            pace: Arc::clone(engine.write_pace()),
            engine,
            settings,
            whole_files: Arc::new(Semaphore::new(WHOLE_FILES)),
            large_buffers: Arc::new(Semaphore::new(LARGE_BUFFERS)),
            beginnings: tokio::sync::Mutex::default(),
            makings: tokio::sync::Mutex::default(),
            unused: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    fn repositories(&self) -> &Repositories {
        &self.shared.engine.shared.repositories
    }

    fn settings(&self) -> &UploadSettings {
        &self.shared.settings
    }
}
