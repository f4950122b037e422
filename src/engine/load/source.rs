//! The bytes of an operation's file, for the thread that reads them.

use std::{fs::File, io, path::Path, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::stored::StoredFile;
use crate::{
    domain::file_source::FileSource,
    engine::attempts::{PassingError, Stop},
    importers::ReadAt,
    repository::{FileId, Repositories, RepositoryError, with_default_timeout},
};

/// Opens the file. Reading ends with an error once `stop` is cancelled.
pub(in crate::engine) async fn open(
    repositories: &Repositories,
    source: &FileSource,
    stop: CancellationToken,
) -> Result<Arc<dyn ReadAt>, Stop> {
    let file: Arc<dyn ReadAt> = match source {
        FileSource::Folder(path) => on_disk(path).await?,
        FileSource::Stored(id) => stored(repositories, id).await?,
    };
    Ok(Arc::new(Stoppable { file, stop }))
}

async fn stored(repositories: &Repositories, id: &str) -> Result<Arc<dyn ReadAt>, Stop> {
    let id = FileId(id.to_owned());
    match with_default_timeout(repositories.files.find(&id)).await? {
        Some(file) if file.is_complete => Ok(Arc::new(StoredFile::new(repositories.files.clone(), id, file.length))),
        _ => Err(Stop::Failed("The file is no longer stored; it has to be sent again.".to_owned())),
    }
}

async fn on_disk(path: &Path) -> Result<Arc<dyn ReadAt>, Stop> {
    let owned = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let file = File::open(&owned)?;
        // Links were resolved when the import began. One that was put there since may lead anywhere.
        if owned.canonicalize()? != owned {
            return Err(io::Error::other("there is a link on the way to it now"));
        }
        if file.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        Ok(file)
    });
    let name = || path.file_name().unwrap_or_default().to_string_lossy();
    match opened.await {
        Ok(Ok(file)) => Ok(Arc::new(file)),
        Ok(Err(error)) => Err(Stop::Failed(format!("The file {} of the server cannot be read: {error}.", name()))),
        Err(error) => Err(Stop::Again(PassingError::new(error.to_string()))),
    }
}

/// The database's error that a failure to read stands for.
pub(in crate::engine) fn database_error(error: &io::Error) -> Option<RepositoryError> {
    error.get_ref()?.downcast_ref::<RepositoryError>().cloned()
}

/// A file that cannot be read any more once loading stops.
#[derive(Debug)]
struct Stoppable {
    file: Arc<dyn ReadAt>,
    stop: CancellationToken,
}

impl ReadAt for Stoppable {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "loading stops"));
        }
        self.file.read_at(offset, buffer)
    }
}
