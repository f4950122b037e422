//! Files as a live Rocket.Chat reads them: the documents of its uploads and avatars, and the bytes of its `GridFS` buckets.
//!
//! Only bytes under ids that stand in [`OwnUploads`] are ever removed. Rocket.Chat writes the chunks of an upload before
//! its file document, so bytes without a document may be an upload that somebody has under way.

mod bucket;
mod documents;
mod own_uploads;

use bson::Document;
use mongodb::Collection;

pub use bucket::FileBytes;
pub use documents::StoredUpload;
pub use own_uploads::{OwnUpload, OwnUploads, UploadKind};

use super::Connection;

/// Source: `apps/meteor/server/lib/media/file-upload/config/GridFS.ts`, `packages/models/src/models/{Uploads,Avatars}.ts`.
const UPLOADS: &str = "rocketchat_uploads";
const AVATARS: &str = "rocketchat_avatars";

/// Where a file belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shelf {
    /// Files of messages, and smaller copies of their pictures.
    Uploads,
    /// Pictures of people.
    Avatars,
}

/// Reads and writes Rocket.Chat's files.
#[derive(Debug, Clone)]
pub struct RocketChatFiles {
    uploads: Collection<Document>,
    avatars: Collection<Document>,
    connection: Connection,
}

impl RocketChatFiles {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self {
            uploads: connection.collection(UPLOADS),
            avatars: connection.collection(AVATARS),
            connection: connection.clone(),
        }
    }

    const fn documents(&self, on: Shelf) -> &Collection<Document> {
        match on {
            Shelf::Uploads => &self.uploads,
            Shelf::Avatars => &self.avatars,
        }
    }
}

const fn name_of(on: Shelf) -> &'static str {
    match on {
        Shelf::Uploads => UPLOADS,
        Shelf::Avatars => AVATARS,
    }
}
