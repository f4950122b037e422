//! Uploads for the check of a file of users, which begins nothing: for people whose way to the server lets no large bodies
//! through.

use std::time::Duration;

use futures::TryStreamExt as _;

use super::{UploadRefusal, Uploads};
use crate::repository::{StoredFile, UploadPurpose};

/// Bytes of the largest file of users that is checked.
pub(crate) const CHECKED_BYTES: usize = 50 * 1024 * 1024;
/// How long an upload for a check stays from its creation on: it is checked as soon as it is there.
pub(super) const CHECK_LIFETIME: Duration = Duration::from_secs(60 * 60);

impl Uploads {
    /// Returns the complete upload of this user for a check.
    ///
    /// # Errors
    /// When there is none: also when it is another user's, for an import, or its time is over; or when bytes of it are missing.
    pub(crate) async fn upload_for_check(&self, user_id: &str, id: &str) -> Result<StoredFile, UploadRefusal> {
        let (file, upload) = self.upload_of(user_id, id).await.map_err(|refusal| match refusal {
            UploadRefusal::NoSuchUpload => UploadRefusal::NotForCheck,
            refusal => refusal,
        })?;
        match upload.purpose {
            UploadPurpose::Import { .. } => Err(UploadRefusal::NotForCheck),
            UploadPurpose::Check if file.is_complete => Ok(file),
            UploadPurpose::Check => Err(UploadRefusal::NotComplete { offset: file.length, size: upload.size }),
        }
    }

    /// Reads the whole of a file, and hands over one piece after the other.
    ///
    /// # Errors
    /// When the file was removed meanwhile, or the database does not answer.
    pub(crate) async fn read_whole(&self, file: &StoredFile, mut take: impl FnMut(&[u8])) -> Result<(), UploadRefusal> {
        let mut pieces = self.pieces_of(file);
        while let Some(piece) = pieces.try_next().await? {
            take(&piece);
        }
        Ok(())
    }
}
