//! Operations that begin with a file.

use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
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
    /// Whether it has imported everything, and nothing waits to be fetched from the file.
    pub is_done: bool,
    /// Whether it has imported everything, and files of its messages are fetched, or will be, from the file.
    pub is_fetched_from: bool,
    /// When it last changed, in milliseconds since 1970.
    pub changed_at: i64,
    /// When a call last fetched something, or it was done, in milliseconds since 1970, if a call alone can fetch what it
    /// left.
    pub left_since: Option<i64>,
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
        let shown = doc! { "import.source": 1, "import.fetchNext": 1, "valid": 1, "status": 1, "_updatedAt": 1 };
        let operations = self.operations.clone_with_type::<Document>();
        let mut found = operations.find(doc! { "import.source.kind": "stored" }).projection(shown).await?;
        let mut read = Vec::new();
        while let Some(operation) = found.try_next().await? {
            let source = operation.get_document("import").and_then(|import| import.get_document("source"));
            let Ok(file) = source.and_then(|source| source.get_str("id")) else { continue };
            let step = operation.get_str("status").ok().and_then(ProgressStep::from_stored);
            let is_over = step.is_some_and(|step| step.state().is_end());
            let used = FileUse {
                file: file.to_owned(),
                is_going_on: operation.get_bool("valid").unwrap_or_default() && !is_over,
                is_done: step == Some(ProgressStep::Done),
                is_fetched_from: false,
                changed_at: changed_at(&operation),
                left_since: None,
            };
            read.push((operation, used));
        }
        // What follows an import is there before it is noted that nothing is to follow any more, so it is read afterwards.
        let fetching = if read.iter().any(|(_, used)| used.is_done) { self.fetching().await? } else { Vec::new() };
        Ok(read.into_iter().map(|(operation, used)| fetched_from(used, &operation, &fetching)).collect())
    }

    /// Notes of an import until when its archive stays at most, since messages wait for files in it.
    pub async fn note_archive_stays(&self, id: &str, until: Date) -> Result<(), RepositoryError> {
        let until = DateTime::from_millis(until.epoch_millis());
        self.operations.update_one(doc! { "_id": id }, doc! { "$set": { "import.archiveUntil": until } }).await?;
        Ok(())
    }

    /// Notes that this file of the store is removed.
    pub async fn note_archive_gone(&self, file: &str) -> Result<(), RepositoryError> {
        let noted = doc! { "import.source.id": file, "import.archiveUntil": { "$exists": true } };
        self.operations.update_many(noted, doc! { "$unset": { "import.archiveUntil": "" } }).await?;
        Ok(())
    }

    /// Returns the operations that fetch, or fetched, files.
    async fn fetching(&self) -> Result<Vec<Document>, RepositoryError> {
        let of_files = doc! { "importerKey": Importer::PendingFiles.key(), "import.fetches": true };
        let shown = doc! { "import": 1, "valid": 1, "status": 1, "_updatedAt": 1 };
        let operations = self.operations.clone_with_type::<Document>();
        Ok(operations.find(of_files).projection(shown).await?.try_collect().await?)
    }

    /// Changes an operation that is still valid and at this step.
    async fn step(&self, id: &str, at: ProgressStep, mut change: Document) -> Result<(), RepositoryError> {
        change.insert("_updatedAt", DateTime::now());
        let valid = doc! { "_id": id, "valid": true, "status": at.as_str() };
        self.operations.update_one(valid, doc! { "$set": change }).await?;
        Ok(())
    }
}

/// The use of the file, once its import is done, by the operations that fetch what the import left.
fn fetched_from(mut used: FileUse, operation: &Document, fetching: &[Document]) -> FileUse {
    if !used.is_done {
        return used;
    }
    let own =
        |document: &Document, name: &str| document.get_document("import").ok().and_then(|own| own.get(name).cloned());
    let is_to_be_followed = own(operation, "fetchNext") == Some(Bson::Boolean(true));
    let id = operation.get("_id").cloned();
    let step = |fetching: &Document| fetching.get_str("status").ok().and_then(ProgressStep::from_stored);
    let is_going_on = |fetching: &Document| {
        fetching.get_bool("valid").unwrap_or_default() && !step(fetching).is_some_and(|step| step.state().is_end())
    };
    // One that a call began takes the files of the newest import, whichever that is.
    let of_import = |fetching: &&Document| match own(fetching, "follows") {
        Some(followed) => Some(followed) == id,
        None => is_going_on(fetching),
    };
    let of_import: Vec<&Document> = fetching.iter().filter(of_import).collect();
    used.is_fetched_from = is_to_be_followed || of_import.iter().any(|fetching| is_going_on(fetching));
    let newest = of_import.into_iter().max_by_key(|fetching| changed_at(fetching));
    if let Some(newest) = newest {
        used.is_done = step(newest) == Some(ProgressStep::Done);
        used.changed_at = used.changed_at.max(changed_at(newest));
    } else if !is_to_be_followed && operation.get_bool("valid").unwrap_or_default() {
        let by_call = fetching.iter().filter(|fetching| own(fetching, "follows").is_none()).map(changed_at).max();
        used.left_since = Some(used.changed_at.max(by_call.unwrap_or_default()));
    }
    used.is_done &= !used.is_fetched_from;
    used
}

fn changed_at(operation: &Document) -> i64 {
    operation.get_datetime("_updatedAt").map_or(0, |date| date.timestamp_millis())
}
