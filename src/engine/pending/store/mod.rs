//! The stores in which Rocket.Chat keeps the bytes of files.

mod grid;

use crate::{
    domain::upload::document::StoredAt,
    engine::load::stop::Stop,
    repository::{FileSettings, Repositories, RepositoryError, Shelf},
};

use grid::{Grid, GridWriter};

/// A store that cannot take or give bytes now.
#[derive(Debug)]
pub(super) enum StoreError {
    Database(RepositoryError),
    /// In a sentence for people.
    Away(String),
}

impl From<RepositoryError> for StoreError {
    fn from(error: RepositoryError) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(error) => error.into(),
            StoreError::Away(reason) => Self::Again(reason),
        }
    }
}

/// What a file is stored as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) shelf: Shelf,
    /// The `_id` of the upload.
    pub(super) id: &'a str,
}

/// The store of new files.
#[derive(Debug, Clone)]
pub(super) enum Store {
    Grid(Grid),
}

/// A file on its way into a store.
#[derive(Debug)]
pub(super) enum Writer {
    Grid(GridWriter),
}

impl Store {
    /// The store that the workspace's settings name.
    ///
    /// # Errors
    /// When this service cannot use it.
    pub(super) fn of(settings: &FileSettings, repositories: &Repositories) -> Result<Self, String> {
        Self::named(&settings.storage, repositories)
    }

    /// The store that a file lies in already.
    pub(super) fn holding(at: &StoredAt, repositories: &Repositories) -> Result<Self, String> {
        Self::named(at.storage, repositories)
    }

    fn named(storage: &str, repositories: &Repositories) -> Result<Self, String> {
        match storage {
            grid::NAME => Ok(Self::Grid(Grid::new(repositories.rocketchat_files.clone()))),
            other => Err(format!("The workspace keeps files in {other}, which this service does not write to.")),
        }
    }

    /// Gets the store ready for the first file.
    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        match self {
            Self::Grid(grid) => grid.prepare().await,
        }
    }

    /// Where a file with this id will be.
    pub(super) fn place(&self) -> StoredAt {
        match self {
            Self::Grid(_) => StoredAt { storage: grid::NAME, key: None },
        }
    }

    /// Begins a file. Its id has to be recorded.
    pub(super) fn begin(&self, placed: Placed<'_>) -> Writer {
        match self {
            Self::Grid(grid) => Writer::Grid(grid.begin(placed)),
        }
    }

    /// Returns the bytes of a file that has no more than `most`.
    pub(super) async fn read(&self, placed: Placed<'_>, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Grid(grid) => grid.read(placed, most).await,
        }
    }

    /// Removes everything under an id, which has to be a recorded one.
    pub(super) async fn remove(&self, placed: Placed<'_>) -> Result<(), StoreError> {
        match self {
            Self::Grid(grid) => grid.remove(placed).await,
        }
    }
}

impl Writer {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        match self {
            Self::Grid(writer) => writer.write(bytes).await,
        }
    }

    /// Ends the file, and returns the number of its bytes.
    pub(super) async fn finish(self, media_type: &str) -> Result<u64, StoreError> {
        match self {
            Self::Grid(writer) => writer.finish(media_type).await,
        }
    }
}
