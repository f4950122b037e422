//! Whether a file fits in, before its first byte.

use super::{UploadRefusal, Uploads};
use crate::repository::{StoredFile, with_default_timeout};

/// What a file takes in the database beside its own bytes, in tenths of them: the heads of its chunks and their index.
const TENTHS_MORE: u64 = 1;

impl Uploads {
    /// Makes sure that a file of so many bytes may come in one piece.
    pub(crate) fn within_limit(&self, bytes: u64) -> Result<(), UploadRefusal> {
        let limit = self.settings().limit_bytes;
        if bytes > limit { Err(UploadRefusal::TooLarge { limit }) } else { Ok(()) }
    }

    /// Makes sure that there is room for so many bytes more.
    pub(super) async fn has_room(&self, bytes: u64) -> Result<(), UploadRefusal> {
        let quota = self.settings().quota_bytes;
        let files = &self.repositories().files;
        let stored: u64 = with_default_timeout(files.all(None)).await?.iter().map(taken).sum();
        let left = quota.saturating_sub(stored);
        if bytes > left {
            return Err(UploadRefusal::OverQuota { needed: bytes, left, quota });
        }
        let needed = bytes.saturating_add(bytes / 10 * TENTHS_MORE);
        match with_default_timeout(files.free_bytes()).await? {
            Some(free) if needed > free => Err(UploadRefusal::NoRoom { needed, free }),
            _ => Ok(()),
        }
    }
}

/// The bytes that a file takes or will take.
fn taken(file: &StoredFile) -> u64 {
    let announced = file.upload.as_ref().map_or(0, |upload| upload.size);
    file.length.max(announced)
}
