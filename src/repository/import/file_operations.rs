//! Operations that begin with a file.

use bson::{DateTime, Document, doc, oid::ObjectId};
use futures::TryStreamExt as _;

use super::operations::Imports;
use crate::{
    domain::{
        field_value::Date, file_source::FileSource, importer::Importer, operation::Operation,
        progress_step::ProgressStep,
    },
    repository::{RepositoryError, bson::write::document_of},
};

/// The file of a new operation, and what reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct FileOfOperation {
    pub importer: Importer,
    pub source: FileSource,
    /// The name that the operation keeps.
    pub name: String,
    pub content_type: Option<String>,
}

/// The use that operations make of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUse {
    /// The id of the file in the store.
    pub file: String,
    /// Whether the operation is valid and not over.
    pub is_going_on: bool,
    /// Whether it has imported everything.
    pub is_done: bool,
    /// When it last changed, in milliseconds since 1970.
    pub changed_at: i64,
}

impl Imports {
    /// Makes a new operation, the newest, for the user `user_id`, ends those before it, and leads it to the point where its
    /// file can be loaded, by Rocket.Chat's statuses.
    ///
    /// The source is there from the beginning, so whatever instance finds the operation left on its way can lead it on. With
    /// a file of the store it has the file's id, so there is never a second one.
    ///
    /// Source: `apps/meteor/server/meteor-methods/import/uploadImportFile.ts`.
    ///
    /// # Errors
    /// The operation may have been made all the same.
    pub async fn create_with_file(&self, user_id: &str, file: &FileOfOperation) -> Result<Operation, RepositoryError> {
        let id = match &file.source {
            FileSource::Stored(id) => id.clone(),
            FileSource::Folder(_) => ObjectId::new().to_hex(),
        };
        let made = self.insert_newest(|ts| {
            doc! {
                "_id": &id,
                "type": file.importer.name(),
                "importerKey": file.importer.key(),
                "ts": ts,
                "status": ProgressStep::New.as_str(),
                "valid": true,
                "user": user_id,
                "_updatedAt": DateTime::now(),
                "import": { "source": document_of(&file.source.to_fields()) },
            }
        });
        let made = made.await?;
        self.step(&id, ProgressStep::New, doc! { "status": ProgressStep::Uploading.as_str() }).await?;
        let mut named = doc! { "file": &file.name };
        if let Some(content_type) = file.content_type.as_deref().filter(|content_type| !content_type.is_empty()) {
            named.insert("contentType", content_type);
        }
        self.step(&id, ProgressStep::Uploading, named).await?;
        self.step(&id, ProgressStep::Uploading, doc! { "status": ProgressStep::FileLoaded.as_str() }).await?;
        Ok(made)
    }

    /// Leads on the operations with a file whose instance died right after it had made them.
    ///
    /// # Errors
    /// Some may have been led on all the same.
    pub async fn lead_on(&self, left_before: Date) -> Result<u64, RepositoryError> {
        let begun = [ProgressStep::New, ProgressStep::Uploading].map(ProgressStep::as_str);
        let left = doc! {
            "valid": true,
            "status": { "$in": begun.to_vec() },
            "import.source": { "$exists": true },
            "_updatedAt": { "$lt": DateTime::from_millis(left_before.epoch_millis()) },
        };
        let loaded = doc! { "status": ProgressStep::FileLoaded.as_str(), "_updatedAt": DateTime::now() };
        Ok(self.operations.update_many(left, doc! { "$set": loaded }).await?.modified_count)
    }

    /// Returns the use that every operation makes of a file of the store.
    pub async fn uses_of_files(&self) -> Result<Vec<FileUse>, RepositoryError> {
        let shown = doc! { "import.source": 1, "valid": 1, "status": 1, "_updatedAt": 1 };
        let operations = self.operations.clone_with_type::<Document>();
        let mut found = operations.find(doc! { "import.source.kind": "stored" }).projection(shown).await?;
        let mut uses = Vec::new();
        while let Some(operation) = found.try_next().await? {
            let source = operation.get_document("import").and_then(|import| import.get_document("source"));
            let Ok(file) = source.and_then(|source| source.get_str("id")) else { continue };
            let step = operation.get_str("status").ok().and_then(ProgressStep::from_stored);
            let is_over = step.is_some_and(|step| step.state().is_end());
            uses.push(FileUse {
                file: file.to_owned(),
                is_going_on: operation.get_bool("valid").unwrap_or_default() && !is_over,
                is_done: step == Some(ProgressStep::Done),
                changed_at: operation.get_datetime("_updatedAt").map_or(0, |date| date.timestamp_millis()),
            });
        }
        Ok(uses)
    }

    /// Changes an operation that is still valid and at this step.
    async fn step(&self, id: &str, at: ProgressStep, mut change: Document) -> Result<(), RepositoryError> {
        change.insert("_updatedAt", DateTime::now());
        let valid = doc! { "_id": id, "valid": true, "status": at.as_str() };
        self.operations.update_one(valid, doc! { "$set": change }).await?;
        Ok(())
    }
}
