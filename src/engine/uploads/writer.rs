//! A file while it comes: bytes are gathered and stored piece by piece.

use tokio::sync::OwnedSemaphorePermit;

use super::{UploadRefusal, Uploads};
use crate::repository::{CHUNK_BYTES, FileId, NewFile, with_default_timeout};

/// Bytes that are stored at once: a whole number of chunks, so that none is written twice.
const PIECE_BYTES: usize = 4 * CHUNK_BYTES;
/// How many more bytes room is kept for in a file whose length is not known: as many as there are, within these bounds.
const FIRST_ROOM_BYTES: u64 = 1024 * 1024;
const LOOK_AFTER_BYTES: u64 = 256 * 1024 * 1024;

/// Adds to a file of the store.
#[derive(Debug)]
pub(crate) struct FileWriter {
    uploads: Uploads,
    id: FileId,
    /// Bytes that are stored.
    stored: u64,
    gathered: Vec<u8>,
    /// Up to which length the file is known to fit.
    fits_up_to: u64,
    /// The most that the file may have; `None` for a file whose length was looked at before.
    limit: Option<u64>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Uploads {
    /// Begins a file that comes in one piece, about `expected` bytes long.
    ///
    /// # Errors
    /// When it does not fit, or too many are on their way.
    pub(crate) async fn begin_file(&self, owner: &str, expected: Option<u64>) -> Result<FileWriter, UploadRefusal> {
        let place = self.shared.whole_files.clone().try_acquire_owned().map_err(|_| UploadRefusal::Busy)?;
        let expected = expected.unwrap_or(0);
        let owner = owner.to_owned();
        let id =
            self.make_file(NewFile { name: String::new(), content_type: None, owner, expected, upload: None }).await?;
        Ok(FileWriter {
            uploads: self.clone(),
            id,
            stored: 0,
            gathered: Vec::new(),
            fits_up_to: expected,
            limit: Some(self.settings().limit_bytes),
            _place: Some(place),
        })
    }

    /// Goes on with a file at its end.
    pub(super) fn go_on_with(&self, id: FileId, stored: u64) -> FileWriter {
        let (uploads, gathered) = (self.clone(), Vec::new());
        FileWriter { uploads, id, stored, gathered, fits_up_to: u64::MAX, limit: None, _place: None }
    }
}

impl Uploads {
    /// Takes a place for an upload that has much in memory, as soon as there is one.
    pub(crate) async fn large_buffer(&self) -> Option<OwnedSemaphorePermit> {
        self.shared.large_buffers.clone().acquire_owned().await.ok()
    }
}

impl FileWriter {
    /// The file that is written.
    pub(crate) fn id(&self) -> &FileId {
        &self.id
    }

    /// The length of the file with all that was given.
    pub(crate) fn length(&self) -> u64 {
        self.stored + self.gathered.len() as u64
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// When there is no room for them, or they could not be stored.
    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), UploadRefusal> {
        let length = self.length() + bytes.len() as u64;
        if let Some(limit) = self.limit.filter(|limit| length > *limit) {
            return Err(UploadRefusal::TooLarge { limit });
        }
        if length > self.fits_up_to {
            self.fits_up_to = self.room_from(length).await?;
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.room_in_piece()));
            self.gathered.extend_from_slice(now);
            bytes = later;
            if self.room_in_piece() == 0 {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Keeps room for a file that has so many bytes, and for some that may follow. Returns up to which length.
    async fn room_from(&self, length: u64) -> Result<u64, UploadRefusal> {
        let more = length.saturating_add(length.clamp(FIRST_ROOM_BYTES, LOOK_AFTER_BYTES));
        match self.uploads.keep_room(&self.id, more).await {
            Err(UploadRefusal::OverQuota { .. } | UploadRefusal::NoRoom { .. }) => {
                self.uploads.keep_room(&self.id, length).await.map(|()| length)
            }
            kept => kept.map(|()| more),
        }
    }

    /// Bytes that are gathered and not stored.
    pub(crate) fn waiting(&self) -> usize {
        self.gathered.len()
    }

    /// The bytes that are missing until a piece ends, at the end of a chunk.
    fn room_in_piece(&self) -> usize {
        let begun = usize::try_from(self.stored % CHUNK_BYTES as u64).unwrap_or_default();
        PIECE_BYTES - begun - self.gathered.len()
    }

    /// Stores the gathered bytes. A majority has it then.
    ///
    /// # Errors
    /// When somebody else has added to the file, or the database does not answer.
    pub(crate) async fn flush(&mut self) -> Result<(), UploadRefusal> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let files = &self.uploads.repositories().files;
        self.uploads.shared.pace.turn(self.gathered.len(), files).await;
        let appended = tokio::time::timeout(STORE_PATIENCE, files.append(&self.id, self.stored, &self.gathered)).await;
        self.stored = appended.unwrap_or(Err(crate::repository::RepositoryError::TimedOut.into()))?;
        self.gathered.clear();
        Ok(())
    }

    /// Gives the file up: it is removed.
    pub(crate) async fn give_up(self) {
        // What is left is removed by the sweep.
        if let Err(error) = with_default_timeout(self.uploads.repositories().files.remove(&self.id)).await {
            log::debug!("a file that did not arrive cannot be removed now: {error}");
        }
    }
}

/// How long the database may take to store a piece.
const STORE_PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
