//! Files that imports read: a `GridFS` bucket of ours, so that any instance can read what another one took in.
//!
//! The chunks are written and read by hand, because the driver's streams can neither go on with a file nor begin in its
//! middle. A chunk's `_id` is its file and its number, so no chunk can be there twice, and a file's chunks lie beside each
//! other without another index.
//!
//! Of two writers at one place one wins, without a transaction, which would lock a file for a minute when its instance is
//! killed. A writer takes the file's next *epoch* and marks its chunks with it; a chunk of a later epoch is never
//! overwritten by an earlier one. What was written counts once the file's length says so, and only the holder of the last
//! epoch can change that. What lies beyond the length is nothing.

mod chunks;
mod leftovers;
mod room;

use bson::{DateTime, Document, doc, oid::ObjectId};
use futures::TryStreamExt as _;
use mongodb::Collection;

pub use chunks::AppendError;

use super::{Connection, RepositoryError};
use crate::{
    domain::field_value::Date,
    repository::bson::numbers::{signed, unsigned},
};

const FILES: &str = "rocketchat_import_service_files.files";
const CHUNKS: &str = "rocketchat_import_service_files.chunks";
/// Bytes in every chunk but the last: `GridFS`'s own number, with which a chunk and its head fit into 256 KiB.
pub(crate) const CHUNK_BYTES: usize = 255 * 1024;

/// The stored `purpose` of an upload for a check; one for an import has none.
const PURPOSE_CHECK: &str = "check";

/// How long the beginning of an import is claimed, in milliseconds: it takes some seconds at most.
const CLAIM_MILLIS: i64 = 60_000;

/// Reads and writes files.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "the collections are named as in the database")]
pub struct Files {
    connection: Connection,
    files: Collection<Document>,
    chunks: Collection<Document>,
}

/// The id of a file: 24 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileId(pub String);

/// A file that is to be made, without content.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFile {
    /// The name it has where it comes from.
    pub name: String,
    pub content_type: Option<String>,
    /// The `_id` of the user it belongs to.
    pub owner: String,
    /// Bytes that the whole file is expected to have; 0 where nobody knows.
    pub expected: u64,
    /// What a resumable upload says of itself; `None` for a file that comes in one piece.
    pub upload: Option<Upload>,
}

/// What a resumable upload says of itself before its first byte.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Bytes that the whole file has.
    pub size: u64,
    /// When it ends; one for an import that is complete by then stays.
    pub expires_at: Date,
    pub purpose: UploadPurpose,
    /// The SHA-256 of the whole file, in hex digits.
    pub sha256: Option<String>,
    /// The text in which it said so.
    pub metadata: String,
}

/// What an upload is for.
///
/// The release before checks by upload knows those for an import alone, which have an `importer`. It takes one for a check
/// for a file that came in one piece and that no import reads: nobody can add to it there, and it is removed after a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadPurpose {
    /// An import, begun with its last byte.
    Import {
        /// The key of the importer that is to read it.
        importer: String,
        /// Whether it may take the place of an import that is not over.
        replaces: bool,
    },
    /// The check of a file of users, which begins nothing.
    Check,
}

/// A file as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFile {
    pub id: FileId,
    pub name: String,
    pub content_type: Option<String>,
    /// The `_id` of the user it belongs to.
    pub owner: String,
    /// Bytes that are stored so far.
    pub length: u64,
    /// Bytes that the whole file is expected to have; 0 where nobody knows.
    pub expected: u64,
    /// Whether it is whole, and nothing more can be added.
    pub is_complete: bool,
    /// When it was made or last added to, by the clock of the machine that did.
    pub changed_at: Date,
    pub upload: Option<Upload>,
    /// Whether nobody needs it any more.
    pub is_given_up: bool,
}

impl Files {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
            files: connection.collection(FILES),
            chunks: connection.collection(CHUNKS),
        }
    }

    /// Makes an empty file.
    ///
    /// # Errors
    /// The file may have been made all the same; nobody knows its id then, and it is removed after a day.
    pub async fn create(&self, new: &NewFile) -> Result<FileId, RepositoryError> {
        let id = ObjectId::new();
        let mut metadata = doc! { "owner": &new.owner, "isComplete": false, "expected": signed(new.expected) };
        if let Some(content_type) = &new.content_type {
            metadata.insert("contentType", content_type);
        }
        if let Some(upload) = &new.upload {
            let mut told = doc! {
                "size": signed(upload.size),
                "expiresAt": DateTime::from_millis(upload.expires_at.epoch_millis()),
                "metadata": &upload.metadata,
            };
            match &upload.purpose {
                UploadPurpose::Import { importer, replaces } => {
                    told.extend(doc! { "importer": importer, "replaces": replaces });
                }
                UploadPurpose::Check => drop(told.insert("purpose", PURPOSE_CHECK)),
            }
            if let Some(sha256) = &upload.sha256 {
                told.insert("sha256", sha256);
            }
            metadata.insert("upload", told);
        }
        let file = doc! {
            "_id": id,
            "length": 0_i64,
            "chunkSize": i32::try_from(CHUNK_BYTES).unwrap_or(i32::MAX),
            "uploadDate": DateTime::now(),
            "filename": &new.name,
            "metadata": metadata,
            "epoch": 0_i64,
        };
        self.files.insert_one(file).await?;
        Ok(FileId(id.to_hex()))
    }

    /// Notes how many bytes the file is expected to have now.
    ///
    /// # Errors
    /// It may be noted all the same.
    pub async fn expect(&self, id: &FileId, bytes: u64) -> Result<(), RepositoryError> {
        if let Some(id) = id.stored() {
            self.files.update_one(present(id), doc! { "$set": { "metadata.expected": signed(bytes) } }).await?;
        }
        Ok(())
    }

    /// Makes the file whole, with a name and a content type that were not known before: nothing is added to it any more.
    /// Returns whether it is there.
    ///
    /// # Errors
    /// It may be whole all the same; another call changes nothing then.
    pub async fn complete(
        &self,
        id: &FileId,
        name: Option<&str>,
        content_type: Option<&str>,
    ) -> Result<bool, RepositoryError> {
        let Some(id) = id.stored() else { return Ok(false) };
        let mut change = doc! { "metadata.isComplete": true, "uploadDate": DateTime::now() };
        change.extend(name.map(|name| ("filename".to_owned(), name.into())));
        change.extend(content_type.map(|content_type| ("metadata.contentType".to_owned(), content_type.into())));
        Ok(self.files.update_one(present(id), doc! { "$set": change }).await?.matched_count == 1)
    }

    /// Claims the beginning of the import with this file, unless another instance did that less than a minute ago. Returns
    /// whether it is claimed now.
    ///
    /// # Errors
    /// It may be claimed all the same.
    pub async fn claim(&self, id: &FileId) -> Result<bool, RepositoryError> {
        let Some(id) = id.stored() else { return Ok(false) };
        let mut unclaimed = present(id);
        // By the database's clock: those of two instances may differ.
        let over = doc! { "$lt": ["$metadata.claimedAt", { "$subtract": ["$$NOW", CLAIM_MILLIS] }] };
        unclaimed.insert("$expr", over);
        let claimed = vec![doc! { "$set": { "metadata.claimedAt": "$$NOW" } }];
        Ok(self.files.update_one(unclaimed, claimed).await?.matched_count == 1)
    }

    /// Gives the claim of the file back: no import was begun with it.
    ///
    /// # Errors
    /// It may be given back all the same.
    pub async fn release(&self, id: &FileId) -> Result<(), RepositoryError> {
        if let Some(id) = id.stored() {
            self.files.update_one(present(id), doc! { "$unset": { "metadata.claimedAt": "" } }).await?;
        }
        Ok(())
    }

    /// Notes that nobody needs these files any more.
    ///
    /// # Errors
    /// It may be noted all the same.
    pub async fn give_up(&self, ids: &[String]) -> Result<(), RepositoryError> {
        let ids: Vec<ObjectId> = ids.iter().filter_map(|id| ObjectId::parse_str(id).ok()).collect();
        if !ids.is_empty() {
            let change = doc! { "$set": { "metadata.isGivenUp": true } };
            self.files.update_many(doc! { "_id": { "$in": ids } }, change).await?;
        }
        Ok(())
    }

    /// Returns the file, if it is there.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find(&self, id: &FileId) -> Result<Option<StoredFile>, RepositoryError> {
        let Some(id) = id.stored() else { return Ok(None) };
        Ok(self.files.find_one(present(id)).await?.as_ref().and_then(stored_file))
    }

    /// Returns every file, those of an owner if one is given, the oldest first. There are few.
    ///
    /// # Errors
    /// As for every read.
    pub async fn all(&self, owner: Option<&str>) -> Result<Vec<StoredFile>, RepositoryError> {
        let mut wanted = doc! { "removed": { "$ne": true } };
        if let Some(owner) = owner {
            wanted.insert("metadata.owner", owner);
        }
        let found: Vec<Document> = self.files.find(wanted).sort(doc! { "_id": 1 }).await?.try_collect().await?;
        Ok(found.iter().filter_map(stored_file).collect())
    }

    /// Removes the file and its content. It is gone for everybody at once; the rest of it, when this breaks off, is
    /// removed by [`Files::remove_leftovers`].
    ///
    /// # Errors
    /// The file may be gone all the same.
    pub async fn remove(&self, id: &FileId) -> Result<(), RepositoryError> {
        let Some(id) = id.stored() else { return Ok(()) };
        self.files.update_one(doc! { "_id": id }, doc! { "$set": { "removed": true } }).await?;
        self.remove_content(id).await
    }
}

impl StoredFile {
    /// When the upload ends; `None` for a file that stays for as long as an import wants it.
    #[must_use]
    pub fn expires_at(&self) -> Option<Date> {
        let upload = self.upload.as_ref()?;
        (!self.is_complete || upload.purpose == UploadPurpose::Check).then_some(upload.expires_at)
    }
}

impl FileId {
    /// `None` for a text that is no id of a file.
    fn stored(&self) -> Option<ObjectId> {
        ObjectId::parse_str(&self.0).ok()
    }
}

/// A file that is not being removed.
fn present(id: ObjectId) -> Document {
    doc! { "_id": id, "removed": { "$ne": true } }
}

fn stored_file(file: &Document) -> Option<StoredFile> {
    let metadata = file.get_document("metadata").ok()?;
    let text = |document: &Document, name: &str| document.get_str(name).ok().map(str::to_owned);
    let upload = metadata.get_document("upload").ok().and_then(|upload| {
        Some(Upload {
            size: unsigned(upload.get("size")),
            expires_at: date(upload, "expiresAt"),
            purpose: purpose(upload)?,
            sha256: text(upload, "sha256"),
            metadata: text(upload, "metadata").unwrap_or_default(),
        })
    });
    // An upload that a release before this one made has its size alone.
    let expected = unsigned(metadata.get("expected")).max(upload.as_ref().map_or(0, |upload: &Upload| upload.size));
    Some(StoredFile {
        expected,
        id: FileId(file.get_object_id("_id").ok()?.to_hex()),
        name: text(file, "filename").unwrap_or_default(),
        content_type: text(metadata, "contentType"),
        owner: text(metadata, "owner").unwrap_or_default(),
        length: unsigned(file.get("length")),
        is_complete: metadata.get_bool("isComplete").unwrap_or_default(),
        changed_at: date(file, "uploadDate"),
        upload,
        is_given_up: metadata.get_bool("isGivenUp").unwrap_or_default(),
    })
}

/// `None` for a purpose that this release does not know.
fn purpose(upload: &Document) -> Option<UploadPurpose> {
    if upload.get_str("purpose").is_ok_and(|purpose| purpose == PURPOSE_CHECK) {
        return Some(UploadPurpose::Check);
    }
    let importer = upload.get_str("importer").ok()?.to_owned();
    Some(UploadPurpose::Import { importer, replaces: upload.get_bool("replaces").unwrap_or_default() })
}

fn date(document: &Document, name: &str) -> Date {
    Date::from_epoch_millis(document.get_datetime(name).map_or(0, |date| date.timestamp_millis()))
}
