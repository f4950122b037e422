//! Files that are not needed any more.

use std::{collections::HashMap, time::Duration};

use tokio::time::{Instant, timeout};

use super::Uploads;
use crate::{
    domain::{field_value::Date, file_source::FileSource},
    engine::pending::is_waited_for,
    repository::{FileId, FileUse, Repositories, RepositoryError, StoredFile, with_default_timeout},
};

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(2);
/// How often to look whether messages wait still for files of an archive.
const WAITING_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How often to look for content without a file.
const LEFTOVERS_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// How long an operation may stand before the point at which its file is loaded: its instance has died.
const BEGINNING_PATIENCE: Duration = Duration::from_secs(15);
/// How long the file of an operation stays that failed or that somebody else ended: it may be gone on with.
const RESUME_PATIENCE: Duration = Duration::from_secs(60 * 60);
/// How long a file stays that never arrived.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// The archive that stays for a call.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    file: FileId,
    /// When a call last fetched from it, or its import was done.
    left_since: i64,
    next_look: Instant,
}

impl Uploads {
    /// Removes files that are not needed any more, for as long as it is polled.
    pub async fn sweep(&self) {
        let mut next_leftovers = Instant::now() + LEFTOVERS_INTERVAL;
        let mut kept = None;
        loop {
            // Nothing to do is the usual case.
            let _ = timeout(INTERVAL, self.shared.unused.notified()).await;
            if let Err(error) = self.sweep_once(&mut kept).await {
                log::debug!("files cannot be removed now: {error}");
            }
            if Instant::now() >= next_leftovers {
                next_leftovers = Instant::now() + LEFTOVERS_INTERVAL;
                match self.repositories().files.remove_leftovers().await {
                    Ok(0) => {}
                    Ok(files) => log::info!("removed what was left of {files} files"),
                    Err(error) => log::debug!("what is left of files cannot be removed now: {error}"),
                }
            }
        }
    }

    async fn sweep_once(&self, kept: &mut Option<Kept>) -> Result<(), RepositoryError> {
        let repositories = self.repositories();
        let left_before = before(BEGINNING_PATIENCE);
        if with_default_timeout(repositories.imports.lead_on(left_before)).await? > 0 {
            log::info!("led on an operation that was left with its file");
        }
        let files = with_default_timeout(repositories.files.all(None)).await?;
        if files.is_empty() {
            return Ok(());
        }
        let mut uses: HashMap<String, Vec<FileUse>> = HashMap::new();
        for used in with_default_timeout(repositories.imports.uses_of_files()).await? {
            uses.entry(used.file.clone()).or_default().push(used);
        }
        let (now, kept_for) = (Date::now().epoch_millis(), self.settings().kept_for);
        for file in files {
            let uses = uses.get(&file.id.0).map(Vec::as_slice).unwrap_or_default();
            if is_needed(&file, uses, now, kept_for) {
                continue;
            }
            if self.stays_for_a_call(&file, uses, now, kept).await? {
                continue;
            }
            repositories.files.remove(&file.id).await?;
            with_default_timeout(repositories.imports.note_archive_gone(&file.id.0)).await?;
            log::info!("removed the file {} of {} bytes", file.id.0, file.length);
        }
        Ok(())
    }

    /// Whether messages wait for files of the archive of the newest import, which is done, and which a call may fetch from.
    async fn stays_for_a_call(
        &self,
        file: &StoredFile,
        uses: &[FileUse],
        now: i64,
        kept: &mut Option<Kept>,
    ) -> Result<bool, RepositoryError> {
        let Repositories { imports, .. } = self.repositories();
        let lifetime = i64::try_from(self.settings().kept_for.as_millis()).unwrap_or(i64::MAX);
        let left = uses.iter().find_map(|used| Some((used.changed_at.saturating_add(lifetime), used.left_since?)));
        let Some((until, left_since)) = left.filter(|(until, _)| now < *until && !file.is_given_up) else {
            return Ok(false);
        };
        let Some(import) = with_default_timeout(imports.newest_import()).await? else { return Ok(false) };
        if import.file_source() != Some(FileSource::Stored(file.id.0.clone())) {
            return Ok(false);
        }
        let is_seen =
            |kept: &Kept| kept.file == file.id && kept.left_since == left_since && Instant::now() < kept.next_look;
        if kept.as_ref().is_some_and(is_seen) {
            return Ok(true);
        }
        if !is_waited_for(self.repositories(), &import).await {
            return Ok(false);
        }
        let next_look = Instant::now() + WAITING_INTERVAL;
        *kept = Some(Kept { file: file.id.clone(), left_since, next_look });
        let id = import.id().unwrap_or_default();
        with_default_timeout(imports.note_archive_stays(id, Date::from_epoch_millis(until))).await?;
        Ok(true)
    }
}

/// Whether a file is needed at this moment, in milliseconds since 1970.
fn is_needed(file: &StoredFile, uses: &[FileUse], now: i64, kept_for: Duration) -> bool {
    let is_younger = |since: i64, patience: Duration| {
        now.saturating_sub(since) < i64::try_from(patience.as_millis()).unwrap_or(i64::MAX)
    };
    if file.is_given_up || uses.iter().any(|used| used.is_done) {
        return false;
    }
    match (uses.iter().map(|used| used.changed_at).max(), &file.upload) {
        (Some(changed_at), _) if uses.iter().any(|used| used.is_going_on || used.is_fetched_from) => {
            is_younger(changed_at, kept_for)
        }
        (Some(changed_at), _) => is_younger(changed_at, RESUME_PATIENCE.min(kept_for)),
        (None, Some(upload)) => now < upload.expires_at.epoch_millis(),
        (None, None) => is_younger(file.changed_at.epoch_millis(), ARRIVAL_PATIENCE),
    }
}

fn before(patience: Duration) -> Date {
    let millis = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX);
    Date::from_epoch_millis(Date::now().epoch_millis().saturating_sub(millis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{Upload, UploadPurpose};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn file(upload: Option<i64>) -> StoredFile {
        StoredFile {
            id: FileId("a".repeat(24)),
            name: String::new(),
            content_type: None,
            owner: "admin".to_owned(),
            length: 1,
            expected: 1,
            is_complete: true,
            is_given_up: false,
            changed_at: Date::from_epoch_millis(0),
            upload: upload.map(|expires_at| Upload {
                size: 1,
                expires_at: Date::from_epoch_millis(expires_at),
                purpose: UploadPurpose::Check,
                sha256: None,
                metadata: String::new(),
            }),
        }
    }

    fn used(is_going_on: bool, is_done: bool) -> FileUse {
        FileUse { file: "a".repeat(24), is_going_on, is_done, is_fetched_from: false, changed_at: 0, left_since: None }
    }

    #[test]
    fn a_file_stays_for_as_long_as_an_import_may_read_it() {
        let hour = 60 * 60 * 1000;
        let day = 24 * hour;
        let needed = |uses: &[FileUse], now| is_needed(&file(None), uses, now, DAY * 14);
        assert!(needed(&[used(true, false)], 13 * day) && !needed(&[used(true, false)], 14 * day));
        assert!(needed(&[used(false, false)], hour - 1) && !needed(&[used(false, false)], hour));
        assert!(needed(&[used(false, false), used(true, false)], day), "it was gone on with");
        assert!(!needed(&[used(false, true)], 1));
        let fetched_from = FileUse { is_fetched_from: true, ..used(false, false) };
        let wanted = [fetched_from];
        assert!(needed(&wanted, 13 * day) && !needed(&wanted, 14 * day));
        assert!(needed(&[], day - 1) && !needed(&[], day));
        let given_up = StoredFile { is_given_up: true, ..file(None) };
        assert!(!is_needed(&given_up, &[used(false, false)], 1, DAY));
        assert!(is_needed(&file(Some(10)), &[], 9, DAY) && !is_needed(&file(Some(10)), &[], 10, DAY));
    }
}
