//! Content that belongs to no file any more: an instance died while it removed one, or added to one that another removed.

use bson::{Bson, Document, doc, oid::ObjectId};
use futures::TryStreamExt as _;

use super::{
    Files,
    chunks::{chunk_id, numbered},
};
use crate::repository::RepositoryError;

impl Files {
    /// Removes the files whose removal was begun and not finished, and content without a file. Returns of how many.
    ///
    /// # Errors
    /// Some may have been removed all the same.
    pub async fn remove_leftovers(&self) -> Result<u64, RepositoryError> {
        let removed = self.files.find(doc! { "removed": true }).projection(doc! { "_id": 1 }).await?;
        let removed: Vec<Document> = removed.try_collect().await?;
        let mut leftovers: Vec<ObjectId> = removed.iter().filter_map(|file| file.get_object_id("_id").ok()).collect();
        let mut after = Bson::MinKey;
        // One look into the index for each file.
        while let Some(chunk) = self
            .chunks
            .find_one(doc! { "_id": { "$gt": after } })
            .sort(doc! { "_id": 1 })
            .projection(doc! { "_id": 1 })
            .await?
        {
            let Ok(id) = chunk.get_document("_id").and_then(|chunk| chunk.get_object_id("file")) else { break };
            if self.files.find_one(doc! { "_id": id }).projection(doc! { "_id": 1 }).await?.is_none() {
                leftovers.push(id);
            }
            after = Bson::Document(chunk_id(id, u64::MAX));
        }
        for id in &leftovers {
            self.remove_content(*id).await?;
        }
        Ok(leftovers.len() as u64)
    }

    /// Removes the content of a file, and then the rest of the file itself.
    pub(super) async fn remove_content(&self, id: ObjectId) -> Result<(), RepositoryError> {
        self.chunks.delete_many(numbered(id, 0, u64::MAX)).await?;
        self.files.delete_one(doc! { "_id": id, "removed": true }).await?;
        Ok(())
    }
}
