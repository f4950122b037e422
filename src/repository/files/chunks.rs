//! The content of files, chunk by chunk.

use bson::{Binary, DateTime, Document, doc, oid::ObjectId, spec::BinarySubtype};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::options::ReturnDocument;
use serde::de::Error as _;
use thiserror::Error;

use super::{CHUNK_BYTES, CHUNKS, FileId, Files, present};
use crate::repository::{
    RepositoryError,
    bson::numbers::{signed, unsigned},
    connection::error::is_duplicate_key,
};

/// Chunks of one call that are on their way at once.
const CHUNKS_AT_A_TIME: usize = 4;
const CHUNK_LENGTH: u64 = CHUNK_BYTES as u64;

/// Why bytes were not added to a file.
#[derive(Debug, Error)]
pub enum AppendError {
    /// The file does not end there, or another writer was faster.
    #[error("the file does not end there")]
    OtherEnd,
    /// There is no such file, or it is whole.
    #[error("there is no such file to add to")]
    NotOpen,
    #[error(transparent)]
    Database(#[from] RepositoryError),
}

impl Files {
    /// Adds bytes at `at`, which has to be the file's end, and returns its new length. A majority has stored it then.
    ///
    /// # Errors
    /// When the file ends elsewhere, is whole or gone, or the database does not answer. After that the bytes may have been
    /// added all the same; the file's length says so.
    pub async fn append(&self, id: &FileId, at: u64, bytes: &[u8]) -> Result<u64, AppendError> {
        let id = id.stored().ok_or(AppendError::NotOpen)?;
        let epoch = self.take_epoch(id, at).await?;
        let first = at / CHUNK_LENGTH;
        let kept = self.beginning_of_chunk(id, first, usize::try_from(at % CHUNK_LENGTH).unwrap_or_default()).await?;
        let length = at + bytes.len() as u64;
        let chunks = split(first, kept, bytes);
        let mut stored = stream::iter(chunks)
            .map(|(number, data)| self.store_chunk(id, number, epoch, data))
            .buffer_unordered(CHUNKS_AT_A_TIME);
        while let Some(stored) = stored.next().await {
            stored?;
        }
        drop(stored);
        let mut ours = present(id);
        ours.extend(doc! { "length": signed(at), "epoch": epoch, "metadata.isComplete": false });
        let added = doc! { "$set": { "length": signed(length), "uploadDate": DateTime::now() } };
        if self.files.update_one(ours, added).await.map_err(RepositoryError::from)?.matched_count == 1 {
            return Ok(length);
        }
        Err(self.why_not(id).await?)
    }

    /// Reads up to `length` bytes at `offset`: fewer where the file ends, none beyond it.
    ///
    /// # Errors
    /// Also when the file is gone or a chunk of it is missing.
    pub async fn read_at(&self, id: &FileId, offset: u64, length: usize) -> Result<Vec<u8>, RepositoryError> {
        let missing = |reason: &str| RepositoryError::Unreadable {
            collection: CHUNKS,
            reason: bson::error::Error::custom(reason.to_owned()),
        };
        let id = id.stored().ok_or_else(|| missing("there is no such file"))?;
        let file = self.files.find_one(present(id)).projection(doc! { "length": 1 }).await?;
        let end = unsigned(file.ok_or_else(|| missing("there is no such file"))?.get("length"));
        let end = end.min(offset.saturating_add(length as u64));
        if offset >= end {
            return Ok(Vec::new());
        }
        let (first, last) = (offset / CHUNK_LENGTH, (end - 1) / CHUNK_LENGTH);
        let mut chunks = self.chunks.find(numbered(id, first, last)).sort(doc! { "_id": 1 }).await?;
        let mut bytes = Vec::with_capacity(usize::try_from(end - offset).unwrap_or_default());
        let mut next = first;
        while let Some(chunk) = chunks.try_next().await? {
            let data = data_of(&chunk);
            let begins = next * CHUNK_LENGTH;
            let from = usize::try_from(offset.saturating_sub(begins)).unwrap_or(usize::MAX);
            let to = usize::try_from((end - begins).min(CHUNK_LENGTH)).unwrap_or(CHUNK_BYTES);
            if number_of(&chunk) != Some(next) {
                break;
            }
            bytes.extend_from_slice(data.get(from..to).ok_or_else(|| missing("a chunk is too short"))?);
            next += 1;
        }
        if next == last + 1 { Ok(bytes) } else { Err(missing("a chunk is missing")) }
    }

    /// Takes the next epoch of a file that ends at `at`: no writer before this one can change its length any more.
    async fn take_epoch(&self, id: ObjectId, at: u64) -> Result<i64, AppendError> {
        let mut open = present(id);
        open.extend(doc! { "length": signed(at), "metadata.isComplete": false });
        let taken = self
            .files
            .find_one_and_update(open, doc! { "$inc": { "epoch": 1_i64 } })
            .return_document(ReturnDocument::After)
            .await
            .map_err(RepositoryError::from)?;
        match taken.and_then(|file| file.get_i64("epoch").ok()) {
            Some(epoch) => Ok(epoch),
            None => Err(self.why_not(id).await?),
        }
    }

    async fn why_not(&self, id: ObjectId) -> Result<AppendError, RepositoryError> {
        let file = self.files.find_one(doc! { "_id": id }).await?;
        let Some(file) = file.filter(|file| !file.get_bool("removed").unwrap_or_default()) else {
            // What this writer left may have come after the rest was removed.
            self.remove_content(id).await?;
            return Ok(AppendError::NotOpen);
        };
        let is_complete =
            file.get_document("metadata").is_ok_and(|kept| kept.get_bool("isComplete").unwrap_or_default());
        Ok(if is_complete { AppendError::NotOpen } else { AppendError::OtherEnd })
    }

    /// What of the chunk belongs to the file already.
    async fn beginning_of_chunk(&self, id: ObjectId, number: u64, length: usize) -> Result<Vec<u8>, RepositoryError> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let chunk = self.chunks.find_one(doc! { "_id": chunk_id(id, number) }).await?.unwrap_or_default();
        let kept = data_of(&chunk).get(..length).map(<[u8]>::to_vec);
        kept.ok_or_else(|| RepositoryError::Unreadable {
            collection: CHUNKS,
            reason: bson::error::Error::custom("a chunk is missing or too short"),
        })
    }

    /// Stores a chunk unless one of a later epoch is there.
    async fn store_chunk(&self, id: ObjectId, number: u64, epoch: i64, data: Vec<u8>) -> Result<(), AppendError> {
        let older = doc! { "_id": chunk_id(id, number), "epoch": { "$lte": epoch } };
        let chunk = doc! {
            "files_id": id,
            "n": i64::try_from(number).unwrap_or(i64::MAX),
            "data": Binary { subtype: BinarySubtype::Generic, bytes: data },
            "epoch": epoch,
        };
        let store = doc! { "$set": chunk };
        match self.chunks.update_one(older.clone(), store.clone()).upsert(true).await {
            Ok(_) => return Ok(()),
            Err(error) if is_duplicate_key(&error) => {}
            Err(error) => return Err(RepositoryError::from(error).into()),
        }
        // The chunk is of a later epoch, or an earlier writer stored it after this one had found none.
        let stored = self.chunks.update_one(older, store).await.map_err(RepositoryError::from)?;
        if stored.matched_count == 1 { Ok(()) } else { Err(AppendError::OtherEnd) }
    }
}

/// The chunks that `bytes` make, the first of which begins with the bytes that are `kept` of it.
fn split(first: u64, mut kept: Vec<u8>, mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut chunks = Vec::new();
    let mut number = first;
    while !bytes.is_empty() {
        let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - kept.len()));
        kept.extend_from_slice(now);
        chunks.push((number, std::mem::take(&mut kept)));
        number += 1;
        bytes = later;
    }
    chunks
}

pub(super) fn chunk_id(file: ObjectId, number: u64) -> Document {
    doc! { "file": file, "n": i64::try_from(number).unwrap_or(i64::MAX) }
}

/// The chunks of a file from one number to another, both included.
pub(super) fn numbered(file: ObjectId, first: u64, last: u64) -> Document {
    doc! { "_id": { "$gte": chunk_id(file, first), "$lte": chunk_id(file, last) } }
}

fn number_of(chunk: &Document) -> Option<u64> {
    u64::try_from(chunk.get_document("_id").ok()?.get_i64("n").ok()?).ok()
}

fn data_of(chunk: &Document) -> &[u8] {
    chunk.get_binary_generic("data").map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_fill_up_the_last_chunk_and_begin_new_ones() {
        let chunks = split(3, vec![1; 10], &vec![2; CHUNK_BYTES]);
        let lengths: Vec<_> = chunks.iter().map(|(number, data)| (*number, data.len())).collect();
        assert_eq!(lengths, [(3, CHUNK_BYTES), (4, 10)]);
        assert!(chunks[0].1.starts_with(&[1; 10]) && chunks[0].1[10..].iter().all(|byte| *byte == 2));
        assert_eq!(split(0, Vec::new(), &[]), []);
    }
}
