//! The stores in which Rocket.Chat keeps the bytes of files.

mod folder;
mod google;
mod grid;
mod over_http;
mod s3;
mod signature;
mod webdav;

use std::sync::Arc;

use super::FetchSettings;
use crate::{
    domain::upload::{
        content::{Content, ContentReader},
        document::StoredAt,
    },
    engine::{
        attempts::{PassingError, Stop},
        write_pace::WritePace,
    },
    repository::{FileSettings, Repositories, RepositoryError, Shelf},
};

pub use google::GoogleEndpoints;

use folder::{Folder, FolderWriter};
use google::{Google, GoogleWriter};
use grid::{Grid, GridWriter};
use s3::{Bucket, BucketWriter};
use webdav::{Webdav, WebdavWriter};

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
            StoreError::Away(reason) => Self::Again(PassingError::new(reason)),
        }
    }
}

/// Everything that a store may be reached by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) repositories: &'a Repositories,
    pub(super) fetch: &'a FetchSettings,
    pub(super) settings: &'a FileSettings,
    pub(super) write_pace: &'a Arc<WritePace>,
}

/// The owner of a file, by which stores of objects sort.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    Message { room: &'a str, author: &'a str },
    Account(&'a str),
}

/// What a file is stored as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) shelf: Shelf,
    /// The `_id` of the upload.
    pub(super) id: &'a str,
    pub(super) at: &'a StoredAt,
}

impl Placed<'_> {
    /// The key of its object, or the path of its file, in stores that have one.
    fn key(&self) -> String {
        self.at.key.as_ref().map_or_else(|| self.id.to_owned(), |(_, key)| key.clone())
    }
}

/// The store of new files.
#[derive(Debug, Clone)]
pub(super) enum Store {
    Grid(Grid),
    Folder(Folder),
    Bucket(Bucket),
    Google(Google),
    Webdav(Webdav),
}

/// A file on its way into a store.
#[derive(Debug)]
pub(super) struct Writer {
    into: StoreWriter,
    content: ContentReader,
}

#[derive(Debug)]
enum StoreWriter {
    Grid(GridWriter),
    Folder(FolderWriter),
    Bucket(BucketWriter),
    Google(GoogleWriter),
    Webdav(WebdavWriter),
}

impl Store {
    /// The store that the workspace's settings name.
    ///
    /// # Errors
    /// When this service cannot use it.
    pub(super) fn of(means: Means<'_>) -> Result<Self, String> {
        Self::named(&means.settings.storage, means)
    }

    /// The store that a file lies in already.
    pub(super) fn holding(at: &StoredAt, means: Means<'_>) -> Result<Self, String> {
        Self::named(at.storage, means)
    }

    fn named(storage: &str, means: Means<'_>) -> Result<Self, String> {
        match storage {
            grid::NAME => Ok(Self::Grid(Grid::new(means.repositories, means.write_pace))),
            folder::NAME => match &means.fetch.folder {
                Some(folder) => Ok(Self::Folder(Folder::new(folder.clone()))),
                None => {
                    Err("The workspace keeps files in a folder (FileUpload_FileSystemPath): set FILE_STORE_FOLDER \
                             to where this service sees it."
                        .to_owned())
                }
            },
            s3::NAME => Bucket::new(&means.settings.s3).map(Self::Bucket),
            google::NAME => Google::new(&means.settings.google, &means.fetch.google).map(Self::Google),
            webdav::NAME => Webdav::new(&means.settings.webdav).map(Self::Webdav),
            other => Err(format!("The workspace keeps files in {other}, which this service does not write to.")),
        }
    }

    /// Gets the store ready for the first file.
    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        match self {
            Self::Grid(grid) => grid.prepare().await,
            Self::Folder(folder) => folder.prepare().await,
            Self::Bucket(_) | Self::Google(_) => Ok(()),
            Self::Webdav(webdav) => webdav.prepare().await,
        }
    }

    /// Where a file with this id will be.
    ///
    /// Source: `apps/meteor/server/lib/media/file-upload/lib/FileUpload.ts` (`defaultUploads`, `defaultAvatars`). The key of a
    /// picture ends with its id here, so that a new one never overwrites the one before.
    pub(super) fn place(&self, owner: Owner<'_>, id: &str, settings: &FileSettings) -> StoredAt {
        let unique = &settings.unique_id;
        let key = || match owner {
            Owner::Message { room, author } => format!("{unique}/uploads/{room}/{author}/{id}"),
            Owner::Account(account) => format!("{unique}/avatars/{account}/{id}"),
        };
        match self {
            Self::Grid(_) => StoredAt { storage: grid::NAME, key: None },
            Self::Folder(_) => StoredAt { storage: folder::NAME, key: None },
            Self::Bucket(_) => StoredAt { storage: s3::NAME, key: Some((s3::FIELD, key())) },
            Self::Google(_) => StoredAt { storage: google::NAME, key: Some((google::FIELD, key())) },
            Self::Webdav(webdav) => StoredAt { storage: webdav::NAME, key: Some((webdav::FIELD, webdav.path_of(id))) },
        }
    }

    /// Begins a file of this type. Its id has to be recorded.
    pub(super) fn begin(&self, placed: Placed<'_>, media_type: &str) -> Writer {
        let into = match self {
            Self::Grid(grid) => StoreWriter::Grid(grid.begin(placed, media_type)),
            Self::Folder(folder) => StoreWriter::Folder(folder.begin(placed)),
            Self::Bucket(bucket) => StoreWriter::Bucket(bucket.begin(placed).typed(media_type)),
            Self::Google(google) => StoreWriter::Google(google.begin(placed, media_type)),
            Self::Webdav(webdav) => StoreWriter::Webdav(webdav.begin(placed)),
        };
        Writer { into, content: ContentReader::default() }
    }

    /// Returns the bytes of a file that has no more than `most`.
    pub(super) async fn read(&self, placed: Placed<'_>, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Grid(grid) => grid.read(placed, most).await,
            Self::Folder(folder) => folder.read(placed, most).await,
            Self::Bucket(bucket) => bucket.read(placed, most).await,
            Self::Google(google) => google.read(placed, most).await,
            Self::Webdav(webdav) => webdav.read(placed, most).await,
        }
    }

    /// Reads a file back to its end, a piece at a time; `None` if it is not there.
    pub(super) async fn content(&self, placed: Placed<'_>) -> Result<Option<Content>, StoreError> {
        match self {
            Self::Grid(grid) => grid.content(placed).await,
            Self::Folder(folder) => folder.content(placed).await,
            Self::Bucket(bucket) => bucket.content(placed).await,
            Self::Google(google) => google.content(placed).await,
            Self::Webdav(webdav) => webdav.content(placed).await,
        }
    }

    /// Removes everything under an id, which has to be a recorded one.
    pub(super) async fn remove(&self, placed: Placed<'_>) -> Result<(), StoreError> {
        match self {
            Self::Grid(grid) => grid.remove(placed).await,
            Self::Folder(folder) => folder.remove(placed).await,
            Self::Bucket(bucket) => bucket.remove(placed).await,
            Self::Google(google) => google.remove(placed).await,
            Self::Webdav(webdav) => webdav.remove(placed).await,
        }
    }
}

impl Writer {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.content.add(bytes);
        match &mut self.into {
            StoreWriter::Grid(writer) => writer.write(bytes).await,
            StoreWriter::Folder(writer) => writer.write(bytes).await,
            StoreWriter::Bucket(writer) => writer.write(bytes).await,
            StoreWriter::Google(writer) => writer.write(bytes).await,
            StoreWriter::Webdav(writer) => writer.write(bytes).await,
        }
    }

    /// Ends the file, and returns what the store was given.
    pub(super) async fn finish(self) -> Result<Content, StoreError> {
        match self.into {
            StoreWriter::Grid(writer) => writer.finish().await,
            StoreWriter::Folder(writer) => writer.finish().await,
            StoreWriter::Bucket(writer) => writer.finish().await,
            StoreWriter::Google(writer) => writer.finish().await,
            StoreWriter::Webdav(writer) => writer.finish().await,
        }?;
        Ok(self.content.end())
    }
}
