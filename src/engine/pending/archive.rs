//! Files that lie in the archive of the import beside its messages, and need not be fetched from anywhere.

use std::{
    io::{self, Read as _},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::spawn_blocking,
};
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use crate::{
    domain::{importer::Importer, operation::Operation},
    engine::{attempts::Stop, load::source},
    importers::{HeldFile, HeldFiles, OpenError},
    repository::{Repositories, RepositoryError, with_default_timeout, with_timeout},
};

/// How long the database may take to look at every message.
const LOOK_PATIENCE: Duration = Duration::from_secs(60);
/// Files that are read at once. The reader of a stored archive keeps six blocks of it.
const READ_AT_ONCE: usize = 4;
const PIECE_BYTES: usize = 128 * 1024;
/// Pieces of one file that wait to be stored.
const PIECES: usize = 2;

/// The files of the archive of an import.
#[derive(Debug, Clone)]
pub(super) struct HeldArchive {
    files: Arc<HeldFiles>,
    places: Arc<Semaphore>,
}

/// A file of the archive on its way.
#[derive(Debug)]
pub(super) struct HeldPieces {
    /// Bytes of the whole file.
    pub(super) size: u64,
    pieces: mpsc::Receiver<io::Result<Bytes>>,
}

impl HeldArchive {
    /// Opens the archive of the import that the operation follows, of the newest one if it follows none. `None` if it
    /// holds no files, or is gone.
    pub(super) async fn of(repositories: &Repositories, operation: &Operation) -> Result<Option<Self>, Stop> {
        let imports = &repositories.imports;
        let import = match operation.follows() {
            Some(followed) => with_default_timeout(imports.find(followed)).await?,
            None => with_default_timeout(imports.newest_import()).await?,
        };
        let Some(import) = import.filter(|import| import.importer() == Some(Importer::Slack)) else { return Ok(None) };
        let Some(place) = import.file_source() else { return Ok(None) };
        let file = match source::open(repositories, &place, CancellationToken::new()).await {
            Ok(file) => file,
            Err(Stop::Failed(reason)) => {
                log::info!("files cannot be taken from the archive of operation {:?}: {reason}", import.id());
                return Ok(None);
            }
            Err(stop) => return Err(stop),
        };
        match spawn_blocking(move || HeldFiles::open(file)).await {
            Ok(Ok(files)) if files.count() > 0 => {
                log::info!("the archive of operation {:?} holds {} files", import.id(), files.count());
                let places = Arc::new(Semaphore::new(READ_AT_ONCE));
                Ok(Some(Self { files: Arc::new(files), places }))
            }
            Ok(Ok(_)) => Ok(None),
            Ok(Err(OpenError::Unreachable(error))) => match out_of_reach(&error) {
                Some(stop) => Err(stop),
                None => Ok(None),
            },
            Ok(Err(OpenError::Refused(refusal))) => {
                log::warn!("no files can be taken from the archive of operation {:?}: {}", import.id(), refusal.reason);
                Ok(None)
            }
            Err(panic) => Err(Stop::Failed(format!("The archive cannot be read: {panic}."))),
        }
    }

    /// Begins to read the file with this id; `None` if the archive does not hold it.
    pub(super) async fn begin(&self, id: &str) -> Result<Option<HeldPieces>, Problem> {
        // Nobody closes it.
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return Ok(None) };
        let (files, id) = (Arc::clone(&self.files), id.to_owned());
        let found = spawn_blocking(move || files.find(&id)).await;
        let found = found.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| unreadable(&error))?;
        let Some(file) = found else { return Ok(None) };
        let (size, (sender, pieces)) = (file.size, mpsc::channel(PIECES));
        spawn_blocking(move || send(file, &sender, place));
        Ok(Some(HeldPieces { size, pieces }))
    }
}

/// Whether the archive of this import, the newest, holds files, and messages wait for files. Also true if nobody can say now.
pub(in crate::engine) async fn is_waited_for(repositories: &Repositories, import: &Operation) -> bool {
    if matches!(HeldArchive::of(repositories, import).await, Ok(None)) {
        return false;
    }
    let waits = with_timeout(LOOK_PATIENCE, repositories.pending_messages.any()).await;
    waits.unwrap_or_else(|error| {
        log::debug!("cannot look for messages that wait for files: {error}");
        true
    })
}

impl HeldPieces {
    /// Returns the next piece; `None` at the end of the file.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Problem> {
        self.pieces.recv().await.transpose().map_err(|error| unreadable(&error))
    }
}

/// Reads the file to its end, or until nobody wants its pieces any more.
fn send(mut file: HeldFile, pieces: &mpsc::Sender<io::Result<Bytes>>, _place: OwnedSemaphorePermit) {
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let read = (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece);
        let piece = match read {
            Ok(0) => return,
            Ok(_) => Ok(piece.into()),
            Err(error) => Err(error),
        };
        let is_last = piece.is_err();
        if pieces.blocking_send(piece).is_err() || is_last {
            return;
        }
    }
}

/// The reason to stop that a failure to read stands for; `None` if the file is at fault, or gone.
fn out_of_reach(error: &io::Error) -> Option<Stop> {
    let error = source::database_error(error)?;
    error.may_pass().then(|| Stop::from(error))
}

fn unreadable(error: &io::Error) -> Problem {
    if let Some(stop) = out_of_reach(error) {
        return Problem::Stop(stop);
    }
    match source::database_error(error) {
        Some(RepositoryError::Unreadable { .. }) => Problem::final_one(GONE),
        _ => Problem::final_one(format!("the archive of the import, in which it lies, cannot be read: {error}.")),
    }
}

/// Why a file cannot be had whose archive is not there.
pub(super) const GONE: &str =
    "it lies in the archive of its import, which is not there any more; import the archive once more.";
