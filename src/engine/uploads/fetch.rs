//! Files that are fetched from a URL.

use std::time::Duration;

use tokio::time::timeout;

use super::{Arrived, FileWriter, UploadRefusal, Uploads};
use crate::{engine::outgoing::Outgoing, repository::with_default_timeout};

/// How long a server may take for the head of its answer, and for each piece of a file.
const PIECE_PATIENCE: Duration = Duration::from_secs(60);
/// How long a whole file may take.
const FILE_PATIENCE: Duration = Duration::from_secs(6 * 60 * 60);

impl Uploads {
    /// Fetches the file and begins the import with it. Returns the operation.
    ///
    /// # Errors
    /// When the file cannot be had; nothing has changed then.
    pub(crate) async fn begin_with_url(&self, url: &str, file: &Arrived<'_>) -> Result<String, UploadRefusal> {
        let (this, url) = (self.clone(), url.to_owned());
        let (user_id, name) = (file.user_id.to_owned(), file.name.to_owned());
        let importer = file.importer;
        // To its end, also if the caller goes away: so it is in Rocket.Chat, which answers before the file is there.
        let fetched = self.shared.engine.shared.runtime.spawn(async move {
            let file = Arrived { user_id: &user_id, importer, name: &name, content_type: None };
            let writer = timeout(FILE_PATIENCE, this.fetch(&url, &user_id)).await;
            let writer = writer.unwrap_or_else(|_| Err(failed("The file took too long")))?;
            this.begin_with(writer, &file).await
        });
        fetched.await.unwrap_or_else(|_| Err(failed("The file could not be fetched")))
    }

    async fn fetch(&self, url: &str, owner: &str) -> Result<FileWriter, UploadRefusal> {
        let allowlist = with_default_timeout(self.repositories().settings.outgoing_allowlist()).await?;
        let outgoing = Outgoing::new(allowlist, self.shared.engine.shared.resolver.clone());
        let mut answer = outgoing.get(url, PIECE_PATIENCE).await.map_err(|error| failed(&error.to_string()))?;
        let expected = answer.content_length();
        self.within_limit(expected.unwrap_or_default())?;
        let mut writer = self.begin_file(owner, expected).await?;
        loop {
            let piece = match timeout(PIECE_PATIENCE, answer.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return Ok(writer),
                Ok(Err(_)) => {
                    writer.give_up().await;
                    return Err(failed("The connection broke before the file was whole"));
                }
                Err(_) => {
                    writer.give_up().await;
                    return Err(failed("The server stopped sending"));
                }
            };
            if let Err(refusal) = writer.write(&piece).await {
                writer.give_up().await;
                return Err(refusal);
            }
        }
    }
}

fn failed(reason: &str) -> UploadRefusal {
    UploadRefusal::Fetch(reason.to_owned())
}
