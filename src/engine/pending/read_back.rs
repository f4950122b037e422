//! Reading stored files back, to see that they are all there.

use super::store::{Means, Placed, Store, StoreError};
use crate::{
    domain::upload::content::Content,
    engine::Engine,
    repository::{FileSettings, RepositoryError, Shelf, StoredUpload, with_default_timeout},
};

/// Reads files back from the stores that hold them.
#[derive(Debug)]
pub(in crate::engine) struct ReadBack {
    engine: Engine,
    settings: FileSettings,
    /// Stores that could not be read, with the sentences that say why: they are not tried again.
    away: Vec<(&'static str, String)>,
}

/// What a store has of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum StoredBytes {
    /// All of them, none if the file is not there.
    Read(Option<Content>),
    /// The store cannot be read now; why, in a sentence.
    Unread(String),
}

impl ReadBack {
    /// Reads with the settings that the workspace has now.
    pub(in crate::engine) async fn new(engine: &Engine) -> Result<Self, RepositoryError> {
        let settings = with_default_timeout(engine.shared.repositories.settings.files()).await?;
        Ok(Self { engine: engine.clone(), settings, away: Vec::new() })
    }

    /// Reads the file of an upload to its end, a piece at a time.
    pub(in crate::engine) async fn bytes_of(
        &mut self,
        on: Shelf,
        upload: &StoredUpload,
    ) -> Result<StoredBytes, RepositoryError> {
        let Some(at) = upload.stored_at() else {
            return Ok(StoredBytes::Unread("This service does not know the store of the file.".to_owned()));
        };
        if let Some((_, reason)) = self.away.iter().find(|(store, _)| *store == at.storage) {
            return Ok(StoredBytes::Unread(reason.clone()));
        }
        let shared = &self.engine.shared;
        let means = Means {
            repositories: &shared.repositories,
            fetch: &shared.fetch,
            settings: &self.settings,
            write_pace: &shared.write_pace,
        };
        let content = match Store::holding(&at, means) {
            Ok(store) => store.content(Placed { shelf: on, id: &upload.id, at: &at }).await,
            Err(reason) => Err(StoreError::Away(reason)),
        };
        match content {
            Ok(content) => Ok(StoredBytes::Read(content)),
            Err(StoreError::Database(error)) => Err(error),
            Err(StoreError::Away(reason)) => {
                self.away.push((at.storage, reason.clone()));
                Ok(StoredBytes::Unread(reason))
            }
        }
    }
}
