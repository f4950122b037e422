//! A folder that Rocket.Chat's process and this service both see.

use std::{
    fs::{File, OpenOptions, create_dir_all, metadata, read, remove_file},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use tokio::task::spawn_blocking;

use super::{Placed, StoreError};
use crate::domain::upload::content::{Content, ContentReader};

/// `FileUpload_Storage_Type`.
pub(super) const NAME: &str = "FileSystem";
/// Everybody may read a file: Rocket.Chat may run as another user.
const MODE: u32 = 0o644;
/// Bytes that are written together.
const BLOCK_BYTES: usize = 1024 * 1024;

#[derive(Debug, Clone)]
pub(in crate::engine::pending) struct Folder {
    path: PathBuf,
}

/// A file that is being written.
#[derive(Debug)]
pub(in crate::engine::pending) struct FolderWriter {
    path: PathBuf,
    file: Option<File>,
    block: Vec<u8>,
}

impl Folder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Looks whether the folder is there.
    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        let path = self.path.clone();
        blocking(move || {
            create_dir_all(&path)?;
            if metadata(&path)?.is_dir() { Ok(()) } else { Err(io::Error::from(ErrorKind::NotADirectory)) }
        })
        .await
    }

    pub(super) fn begin(&self, placed: Placed<'_>) -> FolderWriter {
        FolderWriter { path: self.file(placed), file: None, block: Vec::new() }
    }

    pub(super) async fn read(&self, placed: Placed<'_>, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.file(placed);
        blocking(move || match metadata(&path) {
            Ok(found) if found.len() <= most => read(&path).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// Reads the file to its end.
    pub(super) async fn content(&self, placed: Placed<'_>) -> Result<Option<Content>, StoreError> {
        let path = self.file(placed);
        blocking(move || match File::open(path) {
            Ok(mut file) => {
                let mut content = ContentReader::default();
                io::copy(&mut file, &mut content)?;
                Ok(Some(content.end()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    pub(super) async fn remove(&self, placed: Placed<'_>) -> Result<(), StoreError> {
        let path = self.file(placed);
        blocking(move || match remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }

    /// Source: `apps/meteor/server/ufs/ufs-local.ts` (`getFilePath`). An id has hex digits only.
    fn file(&self, placed: Placed<'_>) -> PathBuf {
        self.path.join(placed.id)
    }
}

impl FolderWriter {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK_BYTES { self.flush(false).await } else { Ok(()) }
    }

    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        self.flush(true).await
    }

    async fn flush(&mut self, is_end: bool) -> Result<(), StoreError> {
        let (path, file, block) = (self.path.clone(), self.file.take(), std::mem::take(&mut self.block));
        let file = blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&path)?,
            };
            file.write_all(&block)?;
            if is_end {
                file.sync_all()?;
            }
            Ok(file)
        });
        self.file = Some(file.await?);
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, StoreError> {
    let done = spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| StoreError::Away(format!("The folder of files (FILE_STORE_FOLDER) cannot be used: {error}.")))
}
