//! The ids under which this service has put bytes into Rocket.Chat's stores: recorded before the first byte, so that bytes
//! that belong to nothing are found again, and no others are taken for such.

use bson::{Bson, DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use crate::{
    domain::upload::{content::Content, document::StoredAt},
    repository::{
        Connection, RepositoryError,
        bson::numbers::{smallest, unsigned},
        connection::error::is_duplicate_key,
    },
};

/// Ours; Rocket.Chat does not know it.
const COLLECTION: &str = "rocketchat_import_service_uploads";
/// Bytes may be on their way, or have been left on it.
const BEGUN: &str = "begun";
/// The document of the upload is stored, too.
const STORED: &str = "stored";

/// Reads and writes the ids of our uploads.
#[derive(Debug, Clone)]
pub struct OwnUploads {
    uploads: Collection<Document>,
}

/// A kind of upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadKind {
    File,
    Thumbnail,
    Avatar,
}

/// An upload of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnUpload {
    /// The `_id` of the upload.
    pub id: String,
    pub kind: UploadKind,
    /// The file that it holds, the same for the same file.
    pub key: String,
    pub at: StoredAt,
    /// The operation that began it last.
    pub operation: String,
    /// Whether its document is stored.
    pub is_stored: bool,
    /// The SHA-256 of what its store was given, in hex digits; `None` for one that releases before stored, or that is on
    /// its way.
    pub sha256: Option<String>,
}

impl UploadKind {
    const ALL: [Self; 3] = [Self::File, Self::Thumbnail, Self::Avatar];

    const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Thumbnail => "thumbnail",
            Self::Avatar => "avatar",
        }
    }
}

/// The stores, and the fields in which Rocket.Chat keeps the keys of their objects.
pub(super) const STORES: [(&str, Option<&str>); 5] = [
    ("GridFS", None),
    ("FileSystem", None),
    ("AmazonS3", Some("AmazonS3")),
    ("GoogleCloudStorage", Some("GoogleStorage")),
    ("Webdav", Some("Webdav")),
];

impl OwnUploads {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { uploads: connection.collection(COLLECTION) }
    }

    /// Records an id, stored by a majority, before the first byte is written under it.
    ///
    /// # Errors
    /// It may have been recorded all the same.
    pub async fn begin(&self, upload: &OwnUpload) -> Result<(), RepositoryError> {
        let OwnUpload { id, kind, key, at, operation, .. } = upload;
        let mut fields = doc! {
            "kind": kind.word(),
            "key": key,
            "store": at.storage,
            "operation": operation,
            "state": BEGUN,
            "at": DateTime::now(),
        };
        if let Some((_, key)) = &at.key {
            fields.insert("objectKey", key);
        }
        // What an attempt before this one wrote is gone.
        let begun = doc! { "$set": fields, "$unset": { "bytes": "", "sha256": "" } };
        match self.uploads.update_one(doc! { "_id": id }, begun).upsert(true).await {
            // Two instances recorded it at once.
            Err(error) if !is_duplicate_key(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Notes what the store was given. That comes before the document of the upload, so that no document is without it.
    pub async fn note_written(&self, id: &str, content: &Content) -> Result<(), RepositoryError> {
        let written = doc! { "bytes": smallest(content.bytes), "sha256": &content.sha256 };
        self.uploads.update_one(doc! { "_id": id }, doc! { "$set": written }).await?;
        Ok(())
    }

    /// Notes that the document of the upload, which has so many bytes, is stored.
    pub async fn note_stored(&self, id: &str, bytes: u64) -> Result<(), RepositoryError> {
        let stored = doc! { "state": STORED, "at": DateTime::now(), "bytes": smallest(bytes) };
        self.uploads.update_one(doc! { "_id": id }, doc! { "$set": stored }).await?;
        Ok(())
    }

    /// Returns the bytes of the files and pictures that the operation stored, without their smaller copies. The database
    /// looks at every upload of ours.
    pub async fn bytes_of(&self, operation: &str) -> Result<u64, RepositoryError> {
        let kinds = [UploadKind::File, UploadKind::Avatar].map(UploadKind::word);
        let of_operation = doc! { "operation": operation, "state": STORED, "kind": { "$in": kinds.to_vec() } };
        let sum = doc! { "_id": Bson::Null, "bytes": { "$sum": "$bytes" } };
        let mut sums = self.uploads.aggregate([doc! { "$match": of_operation }, doc! { "$group": sum }]).await?;
        Ok(sums.try_next().await?.map_or(0, |sum| unsigned(sum.get("bytes"))))
    }

    /// Forgets an id under which nothing is stored any more.
    pub async fn forget(&self, id: &str) -> Result<(), RepositoryError> {
        self.uploads.delete_one(doc! { "_id": id }).await?;
        Ok(())
    }

    /// Returns the upload with this id, if it is one of ours.
    pub async fn find(&self, id: &str) -> Result<Option<OwnUpload>, RepositoryError> {
        Ok(self.uploads.find_one(doc! { "_id": id }).await?.as_ref().and_then(own_upload))
    }

    /// Returns the uploads of this kind that hold this file.
    pub async fn of_key(&self, kind: UploadKind, key: &str) -> Result<Vec<OwnUpload>, RepositoryError> {
        let found = self.uploads.find(doc! { "key": key, "kind": kind.word() }).await?;
        let found: Vec<Document> = found.try_collect().await?;
        Ok(found.iter().filter_map(own_upload).collect())
    }

    /// Returns up to `most` uploads that were begun, and whose documents are not known to be stored.
    pub async fn begun(&self, most: i64) -> Result<Vec<OwnUpload>, RepositoryError> {
        let found = self.uploads.find(doc! { "state": BEGUN }).limit(most).await?;
        let found: Vec<Document> = found.try_collect().await?;
        Ok(found.iter().filter_map(own_upload).collect())
    }
}

fn own_upload(stored: &Document) -> Option<OwnUpload> {
    let store = stored.get_str("store").ok()?;
    let (storage, field) = STORES.into_iter().find(|(name, _)| *name == store)?;
    let key = field.zip(stored.get_str("objectKey").ok()).map(|(field, key)| (field, key.to_owned()));
    let kind = stored.get_str("kind").ok()?;
    Some(OwnUpload {
        id: stored.get_str("_id").ok()?.to_owned(),
        kind: UploadKind::ALL.into_iter().find(|one| one.word() == kind)?,
        key: stored.get_str("key").unwrap_or_default().to_owned(),
        at: StoredAt { storage, key },
        operation: stored.get_str("operation").unwrap_or_default().to_owned(),
        is_stored: stored.get_str("state").is_ok_and(|state| state == STORED),
        sha256: stored.get_str("sha256").ok().map(str::to_owned),
    })
}
