//! The bytes of Rocket.Chat's `GridFS` buckets.
//!
//! The chunks are written by hand: the driver's stream makes ids of its own, and file documents without a type.

use bson::{Binary, Bson, DateTime, Document, doc, oid::ObjectId, spec::BinarySubtype};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use mongodb::{Collection, IndexModel, options::IndexOptions};

use super::{RocketChatFiles, Shelf, name_of};
use crate::repository::{
    CHUNK_BYTES, PRIMARY_ONLY, RepositoryError,
    bson::numbers::{smallest, unsigned},
    connection::error::{UNAUTHORIZED, has_code, is_duplicate_key},
};

/// Chunks that come from the database together.
const CHUNKS_AT_A_TIME: u32 = 8;
/// An index with this key is there under another name or with other options.
const INDEX_CONFLICTS: [i32; 2] = [85, 86];

/// The bytes of one bucket.
#[derive(Debug, Clone)]
pub struct FileBytes {
    files: Collection<Document>,
    chunks: Collection<Document>,
}

impl RocketChatFiles {
    /// The bucket in which Rocket.Chat keeps such files.
    pub fn bytes(&self, on: Shelf) -> FileBytes {
        let name = name_of(on);
        FileBytes {
            files: self.connection.collection(&format!("{name}.files")),
            chunks: self.connection.collection(&format!("{name}.chunks")),
        }
    }
}

impl FileBytes {
    /// Makes the indexes of a bucket that every driver makes with the first file.
    ///
    /// # Errors
    /// When the database does not answer. A database user who may not make them is no error.
    pub async fn prepare(&self) -> Result<(), RepositoryError> {
        let unique = IndexOptions::builder().unique(true).build();
        let chunks = IndexModel::builder().keys(doc! { "files_id": 1, "n": 1 }).options(unique).build();
        let files = IndexModel::builder().keys(doc! { "filename": 1, "uploadDate": 1 }).build();
        for made in [self.chunks.create_index(chunks).await, self.files.create_index(files).await] {
            match made {
                Err(error) if has_code(&error, &INDEX_CONFLICTS) || has_code(&error, &[UNAUTHORIZED]) => {}
                made => drop(made?),
            }
        }
        Ok(())
    }

    /// Adds whole chunks to a file, the first of which has the number `first`. The primary alone has stored them then.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn append(&self, id: &str, first: u32, chunks: Vec<Vec<u8>>) -> Result<(), RepositoryError> {
        let numbered = (i64::from(first)..).zip(chunks);
        let documents = numbered.map(|(number, bytes)| {
            doc! {
                "_id": ObjectId::new(),
                "files_id": id,
                "n": i32::try_from(number).unwrap_or(i32::MAX),
                "data": Binary { subtype: BinarySubtype::Generic, bytes },
            }
        });
        let documents: Vec<Document> = documents.collect();
        if !documents.is_empty() {
            self.chunks.insert_many(documents).write_concern(PRIMARY_ONLY.clone()).await?;
        }
        Ok(())
    }

    /// Makes a file of the chunks that were added, stored by a majority with all of them. A file that is there already is
    /// no error.
    ///
    /// # Errors
    /// The file may have been made all the same.
    pub async fn complete(&self, id: &str, length: u64, media_type: &str) -> Result<(), RepositoryError> {
        let file = doc! {
            "_id": id,
            "length": smallest(length),
            "chunkSize": i32::try_from(CHUNK_BYTES).unwrap_or(i32::MAX),
            "uploadDate": DateTime::now(),
            "filename": id,
            "contentType": media_type,
        };
        match self.files.insert_one(file).await {
            Err(error) if !is_duplicate_key(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Returns the bytes of a file; `None` for one that is not there, not whole, or larger than `most`.
    pub async fn read(&self, id: &str, most: u64) -> Result<Option<Vec<u8>>, RepositoryError> {
        let Some(file) = self.files.find_one(doc! { "_id": id }).await? else { return Ok(None) };
        let length = unsigned(file.get("length"));
        if length > most {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        let mut chunks = self.chunks.find(doc! { "files_id": id }).sort(doc! { "n": 1 }).await?;
        while let Some(mut chunk) = chunks.try_next().await? {
            bytes.extend(data_of(&mut chunk));
            if bytes.len() as u64 > length {
                return Ok(None);
            }
        }
        Ok((bytes.len() as u64 == length).then_some(bytes))
    }

    /// Returns the chunks that are stored of a file, in their order and a few at a time; `None` for a file that is not there.
    pub async fn chunks(
        &self,
        id: &str,
    ) -> Result<Option<impl Stream<Item = Result<Vec<u8>, RepositoryError>> + Send + use<>>, RepositoryError> {
        if self.files.find_one(doc! { "_id": id }).projection(doc! { "_id": 1 }).await?.is_none() {
            return Ok(None);
        }
        let found =
            self.chunks.find(doc! { "files_id": id }).sort(doc! { "n": 1 }).batch_size(CHUNKS_AT_A_TIME).await?;
        Ok(Some(found.map(|chunk| Ok(data_of(&mut chunk?)))))
    }

    /// Removes a file with all its bytes. The id has to be one of ours.
    ///
    /// # Errors
    /// Some may have been removed all the same.
    pub async fn remove(&self, id: &str) -> Result<(), RepositoryError> {
        self.files.delete_one(doc! { "_id": id }).await?;
        self.chunks.delete_many(doc! { "files_id": id }).await?;
        Ok(())
    }
}

/// The bytes of a chunk.
fn data_of(chunk: &mut Document) -> Vec<u8> {
    match chunk.remove("data") {
        Some(Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes })) => bytes,
        _ => Vec::new(),
    }
}
