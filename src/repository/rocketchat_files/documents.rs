//! The documents that name Rocket.Chat's files.

use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;

use super::{RocketChatFiles, Shelf, name_of, own_uploads::STORES};
use crate::{
    domain::{
        field_value::{FieldValue, Fields},
        upload::{document::StoredAt, picture::Thumbnail},
    },
    repository::{
        RepositoryError,
        bson::{read::read_fields, write::document_of},
        connection::error::is_duplicate_key,
    },
};

/// An upload that is complete.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredUpload {
    pub id: String,
    pub fields: Fields,
}

impl RocketChatFiles {
    /// Returns the upload with this id if it is complete.
    pub async fn complete_upload(&self, on: Shelf, id: &str) -> Result<Option<StoredUpload>, RepositoryError> {
        let documents = self.documents(on).clone_with_type::<RawDocumentBuf>();
        let found = documents.find_one(doc! { "_id": id, "complete": true }).await?;
        found.map(|stored| read(on, &stored)).transpose()
    }

    /// Stores the document of a file whose bytes are stored. One that is there already is no error.
    ///
    /// # Errors
    /// It may have been stored all the same.
    pub async fn insert(&self, on: Shelf, document: &Fields) -> Result<(), RepositoryError> {
        match self.documents(on).insert_one(document_of(document)).await {
            Err(error) if !is_duplicate_key(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Returns the ids of the pictures of an account.
    pub async fn avatars_of(&self, account: &str, username: &str) -> Result<Vec<String>, RepositoryError> {
        let of_account = doc! { "$or": [{ "userId": account }, { "name": username }] };
        let found = self.documents(Shelf::Avatars).find(of_account).projection(doc! { "_id": 1 }).await?;
        let found: Vec<Document> = found.try_collect().await?;
        Ok(found.iter().filter_map(|avatar| avatar.get_str("_id").ok().map(str::to_owned)).collect())
    }

    /// Removes the document of a picture of ours.
    pub async fn remove_avatar(&self, id: &str) -> Result<(), RepositoryError> {
        self.documents(Shelf::Avatars).delete_one(doc! { "_id": id }).await?;
        Ok(())
    }
}

fn read(on: Shelf, stored: &RawDocumentBuf) -> Result<StoredUpload, RepositoryError> {
    let fields =
        read_fields(stored).map_err(|reason| RepositoryError::Unreadable { collection: name_of(on), reason })?;
    let id = fields.get("_id").and_then(FieldValue::as_text).unwrap_or_default().to_owned();
    Ok(StoredUpload { id, fields })
}

impl StoredUpload {
    /// The text of a field.
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(FieldValue::as_text).unwrap_or_default()
    }

    /// Bytes, as the document gives them.
    pub fn size(&self) -> u64 {
        let size = self.fields.get("size").and_then(FieldValue::as_integer).unwrap_or_default();
        u64::try_from(size).unwrap_or_default()
    }

    /// Where its bytes are; `None` for a store that this service does not know.
    pub fn stored_at(&self) -> Option<StoredAt> {
        let store = self.text("store").split(':').next().unwrap_or_default();
        let (storage, field) = STORES.into_iter().find(|(name, _)| *name == store)?;
        let path = |field: &'static str| {
            let path = self.fields.get(field)?.as_object()?.get("path")?.as_text()?;
            Some((field, path.to_owned()))
        };
        Some(StoredAt { storage, key: field.and_then(path) })
    }

    /// Width and height, where the upload is a picture.
    pub fn dimensions(&self) -> Option<(u32, u32)> {
        let dimensions = self.fields.get("identify")?.as_object()?.get("size")?.as_object()?;
        let side = |name: &str| dimensions.get(name)?.as_integer().and_then(|side| u32::try_from(side).ok());
        Some((side("width")?, side("height")?))
    }

    /// The upload as a smaller copy, of the type it has.
    pub fn as_thumbnail(&self) -> Option<Thumbnail> {
        let (width, height) = self.dimensions()?;
        let media_type = ["image/jpeg", "image/png"].into_iter().find(|kind| *kind == self.text("type"))?;
        Some(Thumbnail { id: self.id.clone(), media_type, width, height })
    }
}
