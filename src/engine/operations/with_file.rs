//! The beginning of an import whose data come from a file.

use super::{Operations, Refusal};
use crate::{
    domain::{file_source::FileSource, importer::Importer},
    repository::FileOfOperation,
};

impl Operations {
    /// Ends the import that goes on, if any, and makes a new operation for the user whose data are to be loaded from the
    /// file. The file has to be complete. Loading begins by itself.
    ///
    /// `file` is the name that the operation keeps, see [`crate::domain::import_file_name`].
    ///
    /// # Errors
    /// With the reason, or when the database does not answer. The operation may have been made all the same.
    pub(crate) async fn begin_with_file(
        &self,
        user_id: &str,
        importer: Importer,
        source: FileSource,
        file: &str,
        content_type: Option<&str>,
    ) -> Result<String, Refusal> {
        if !importer.reads_files() {
            return Err(Refusal::NoImporter);
        }
        let (this, user_id) = (self.clone(), user_id.to_owned());
        let content_type = content_type.map(str::to_owned);
        let file = FileOfOperation { importer, source, name: file.to_owned(), content_type };
        self.to_the_end(async move {
            let ended = this.end().await?;
            let made = this.repositories().imports.create_with_file(&user_id, &file).await?;
            this.engine.look_for_files();
            this.wait_until_ended(ended).await;
            Ok(made.id().map(str::to_owned).unwrap_or_default())
        })
        .await
    }
}
