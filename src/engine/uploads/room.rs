//! Whether a file fits in, before its first byte.
//!
//! A file is made first and then looked at beside all others: of files that are made at once, on one instance or on several,
//! each sees the others, so together they never get more room than there is.

use super::{UploadRefusal, Uploads};
use crate::{
    domain::field_value::Date,
    repository::{FileId, NewFile, StoredFile, with_default_timeout},
};

/// What a file takes in the database beside its own bytes, in tenths of them: the heads of its chunks and their index.
const TENTHS_MORE: u64 = 1;

impl Uploads {
    /// Makes sure that a file of so many bytes may come in one piece.
    pub(crate) fn within_limit(&self, bytes: u64) -> Result<(), UploadRefusal> {
        let limit = self.settings().limit_bytes;
        if bytes > limit { Err(UploadRefusal::TooLarge { limit }) } else { Ok(()) }
    }

    /// Makes a file and keeps room for all bytes that it is expected to have.
    ///
    /// # Errors
    /// When it does not fit; it is removed again then.
    pub(super) async fn make_file(&self, new: NewFile) -> Result<FileId, UploadRefusal> {
        let this = self.clone();
        // To its end, also if the client goes away: a file that is left would keep its room for a day.
        let made = self.shared.engine.shared.runtime.spawn(async move {
            // One after the other, so that those of this instance do not refuse each other while one of them would fit.
            let _one_at_a_time = this.shared.makings.lock().await;
            let files = &this.repositories().files;
            let id = with_default_timeout(files.create(&new)).await?;
            match this.has_room(&id).await {
                Ok(()) => Ok(id),
                Err(refusal) => {
                    if let Err(error) = with_default_timeout(files.remove(&id)).await {
                        log::debug!("a file that does not fit cannot be removed now: {error}");
                    }
                    Err(refusal)
                }
            }
        });
        made.await.unwrap_or(Err(UploadRefusal::Busy))
    }

    /// Keeps room for a file that turns out to have so many bytes.
    ///
    /// # Errors
    /// When it does not fit.
    pub(super) async fn keep_room(&self, id: &FileId, bytes: u64) -> Result<(), UploadRefusal> {
        with_default_timeout(self.repositories().files.expect(id, bytes)).await?;
        self.has_room(id).await
    }

    /// Makes sure that there is room for this file beside all others, with the bytes that each is expected to have.
    async fn has_room(&self, id: &FileId) -> Result<(), UploadRefusal> {
        let files = &self.repositories().files;
        let now = Date::now();
        let (own, others): (Vec<StoredFile>, Vec<StoredFile>) =
            with_default_timeout(files.all(None)).await?.into_iter().partition(|file| file.id == *id);
        let own = own.first().ok_or(UploadRefusal::NoSuchUpload)?;
        let (needed, quota) = (taken(own, now), self.settings().quota_bytes);
        let left = quota.saturating_sub(others.iter().map(|file| taken(file, now)).sum());
        if needed > left {
            return Err(UploadRefusal::OverQuota { needed, left, quota });
        }
        let Some(free) = with_default_timeout(files.free_bytes()).await? else { return Ok(()) };
        let needed = in_database(missing(own, now));
        let free = free.saturating_sub(others.iter().map(|file| in_database(missing(file, now))).sum());
        if needed > free { Err(UploadRefusal::NoRoom { needed, free }) } else { Ok(()) }
    }
}

/// The bytes that a file takes or will take.
fn taken(file: &StoredFile, now: Date) -> u64 {
    let is_over = file.upload.as_ref().is_some_and(|upload| upload.expires_at <= now);
    if file.is_complete || file.is_given_up || is_over { file.length } else { file.length.max(file.expected) }
}

/// The bytes that a file will take beside those that are stored.
fn missing(file: &StoredFile, now: Date) -> u64 {
    taken(file, now) - file.length
}

const fn in_database(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 10 * TENTHS_MORE)
}
