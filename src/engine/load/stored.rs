//! A file of the file store, for a thread that may wait.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::{
    importers::ReadAt,
    repository::{FileId, Files, with_timeout},
};

/// The bytes that are read with one query, four chunks of the store, and how many such blocks are kept. Importers read
/// forwards, in two or three places of a file at a time.
const BLOCK_BYTES: usize = 4 * 255 * 1024;
const BLOCKS: usize = 6;
/// How long the database may take for one block.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file of the file store.
#[derive(Debug)]
pub(super) struct StoredFile {
    files: Files,
    id: FileId,
    length: u64,
    runtime: Handle,
    /// The block that was used last comes last.
    blocks: Mutex<VecDeque<(u64, Arc<Vec<u8>>)>>,
}

impl StoredFile {
    /// The file with this id and this many bytes, read on the current runtime.
    pub(super) fn new(files: Files, id: FileId, length: u64) -> Self {
        Self { files, id, length, runtime: Handle::current(), blocks: Mutex::default() }
    }

    /// The block of this number. No lock is held while the database is waited for.
    fn block(&self, number: u64) -> io::Result<Arc<Vec<u8>>> {
        {
            let mut blocks = self.blocks.lock();
            if let Some(position) = blocks.iter().position(|(other, _)| *other == number)
                && let Some(block) = blocks.remove(position)
            {
                let content = Arc::clone(&block.1);
                blocks.push_back(block);
                return Ok(content);
            }
        }
        let offset = number * BLOCK_BYTES as u64;
        let read = with_timeout(PATIENCE, self.files.read_at(&self.id, offset, BLOCK_BYTES));
        let content = self.runtime.block_on(read).map_err(io::Error::other)?;
        let expected = self.length.saturating_sub(offset).min(BLOCK_BYTES as u64);
        if (content.len() as u64) < expected {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a part of the stored file is gone"));
        }
        let content = Arc::new(content);
        let mut blocks = self.blocks.lock();
        if blocks.len() >= BLOCKS {
            blocks.pop_front();
        }
        blocks.push_back((number, Arc::clone(&content)));
        Ok(content)
    }
}

impl ReadAt for StoredFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.length)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= self.length || buffer.is_empty() {
            return Ok(0);
        }
        let block = self.block(offset / BLOCK_BYTES as u64)?;
        let start = usize::try_from(offset % BLOCK_BYTES as u64).unwrap_or(usize::MAX);
        let rest = block.get(start..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}
