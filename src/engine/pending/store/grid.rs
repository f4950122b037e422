//! Rocket.Chat's buckets in the workspace's own database.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::StreamExt as _;

use super::{Placed, StoreError};
use crate::{
    domain::upload::content::{Content, ContentReader},
    engine::write_pace::WritePace,
    repository::{CHUNK_BYTES, FileBytes, Files, Repositories, RocketChatFiles, Shelf, with_timeout},
};

/// `FileUpload_Storage_Type`.
pub(super) const NAME: &str = "GridFS";
/// Chunks that go to the database together.
const CHUNKS_AT_A_TIME: usize = 4;
/// How long the database may take for them.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(in crate::engine::pending) struct Grid {
    files: RocketChatFiles,
    pace: Pace,
}

/// The pace of all that this instance writes into the database.
#[derive(Debug, Clone)]
struct Pace {
    shared: Arc<WritePace>,
    database: Files,
}

/// A file whose chunks are being written.
#[derive(Debug)]
pub(in crate::engine::pending) struct GridWriter {
    bytes: FileBytes,
    pace: Pace,
    id: String,
    media_type: String,
    full: Vec<Vec<u8>>,
    open: Vec<u8>,
    /// The number of the next chunk to write.
    next: u32,
    length: u64,
}

impl Grid {
    pub(super) fn new(repositories: &Repositories, pace: &Arc<WritePace>) -> Self {
        let pace = Pace { shared: Arc::clone(pace), database: repositories.files.clone() };
        Self { files: repositories.rocketchat_files.clone(), pace }
    }

    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        for shelf in [Shelf::Uploads, Shelf::Avatars] {
            with_timeout(PATIENCE, self.files.bytes(shelf).prepare()).await?;
        }
        Ok(())
    }

    pub(super) fn begin(&self, placed: Placed<'_>, media_type: &str) -> GridWriter {
        GridWriter {
            bytes: self.files.bytes(placed.shelf),
            pace: self.pace.clone(),
            id: placed.id.to_owned(),
            media_type: media_type.to_owned(),
            full: Vec::new(),
            open: Vec::new(),
            next: 0,
            length: 0,
        }
    }

    pub(super) async fn read(&self, placed: Placed<'_>, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(with_timeout(PATIENCE, self.files.bytes(placed.shelf).read(placed.id, most)).await?)
    }

    /// Reads the chunks of the file, a few at a time.
    pub(super) async fn content(&self, placed: Placed<'_>) -> Result<Option<Content>, StoreError> {
        let bytes = self.files.bytes(placed.shelf);
        let Some(chunks) = with_timeout(PATIENCE, bytes.chunks(placed.id)).await? else { return Ok(None) };
        let mut chunks = pin!(chunks);
        let mut content = ContentReader::default();
        while let Some(chunk) = with_timeout(PATIENCE, async { chunks.next().await.transpose() }).await? {
            content.add(&chunk);
        }
        Ok(Some(content.end()))
    }

    pub(super) async fn remove(&self, placed: Placed<'_>) -> Result<(), StoreError> {
        Ok(with_timeout(PATIENCE, self.files.bytes(placed.shelf).remove(placed.id)).await?)
    }
}

impl GridWriter {
    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        self.length += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.open.len()));
            if self.open.is_empty() {
                self.open.reserve_exact(CHUNK_BYTES);
            }
            self.open.extend_from_slice(now);
            bytes = later;
            if self.open.len() == CHUNK_BYTES {
                self.full.push(std::mem::take(&mut self.open));
                if self.full.len() == CHUNKS_AT_A_TIME {
                    self.flush().await?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        if !self.open.is_empty() {
            self.full.push(std::mem::take(&mut self.open));
        }
        self.flush().await?;
        Ok(with_timeout(PATIENCE, self.bytes.complete(&self.id, self.length, &self.media_type)).await?)
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        let chunks = std::mem::take(&mut self.full);
        let number = u32::try_from(chunks.len()).unwrap_or_default();
        let bytes = chunks.iter().map(Vec::len).sum();
        self.pace.shared.turn(bytes, &self.pace.database).await;
        with_timeout(PATIENCE, self.bytes.append(&self.id, self.next, chunks)).await?;
        self.next += number;
        Ok(())
    }
}
