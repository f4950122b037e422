//! From a file that is there to the operation that reads it.

use super::{FileWriter, UploadRefusal, Uploads};
use crate::{
    domain::{
        field_value::Date,
        file_source::FileSource,
        import_file_name::{base_name, import_file_name},
        importer::Importer,
    },
    repository::{RepositoryError, with_default_timeout},
};

/// A file that is there.
#[derive(Debug)]
pub(crate) struct Arrived<'a> {
    /// The `_id` of the user who sent it.
    pub(crate) user_id: &'a str,
    pub(crate) importer: Importer,
    pub(crate) name: &'a str,
    pub(crate) content_type: Option<&'a str>,
}

/// Returns the importer with this key.
///
/// # Errors
/// When there is none that reads files.
pub(crate) fn known_importer(key: &str) -> Result<Importer, UploadRefusal> {
    let importer = Importer::from_key(key).filter(|importer| importer.reads_files());
    importer.ok_or_else(|| UploadRefusal::UnknownImporter(key.to_owned()))
}

impl Uploads {
    /// Completes a file that came in one piece and begins the import with it. Returns the operation.
    ///
    /// # Errors
    /// The operation may have been made all the same.
    pub(crate) async fn begin_with(&self, mut writer: FileWriter, file: &Arrived<'_>) -> Result<String, UploadRefusal> {
        let id = writer.id().clone();
        let stored = async {
            writer.flush().await?;
            let files = &self.repositories().files;
            let name = base_name(file.name);
            if with_default_timeout(files.complete(&id, Some(&name), file.content_type)).await? {
                Ok(())
            } else {
                Err(UploadRefusal::from(RepositoryError::TimedOut))
            }
        };
        if let Err(refusal) = stored.await {
            writer.give_up().await;
            return Err(refusal);
        }
        self.begin(FileSource::Stored(id.0), file).await
    }

    /// Begins the import with a file that is there.
    pub(super) async fn begin(&self, source: FileSource, file: &Arrived<'_>) -> Result<String, UploadRefusal> {
        let name = import_file_name(Date::now(), file.user_id, file.name);
        let operations = self.shared.engine.operations();
        let operation =
            operations.begin_with_file(file.user_id, file.importer, source, &name, file.content_type).await?;
        self.shared.unused.notify_one();
        Ok(operation)
    }
}
