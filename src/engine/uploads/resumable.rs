//! Uploads that go on after a broken connection, also on another instance.

use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use super::{
    Arrived, FileWriter, UploadRefusal, Uploads,
    check::{CHECK_LIFETIME, CHECKED_BYTES},
    known_importer,
};
use crate::{
    domain::{
        field_value::Date,
        file_source::FileSource,
        import_file_name::base_name,
        operation::{Operation, State},
        record_type::RecordType,
    },
    engine::Refusal,
    repository::{
        CHUNK_BYTES, FileId, NewFile, RepositoryError, StoredFile, Upload, UploadPurpose, setup::Work,
        with_default_timeout,
    },
};

/// How long an upload for an import may take from its creation to its end.
const UPLOAD_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How long another instance may take to begin the import with an upload, and how often to look.
const BEGINNING_PATIENCE: Duration = Duration::from_secs(15);
const BEGINNING_INTERVAL: Duration = Duration::from_millis(100);
/// How much of a file is read at once, and how many such pieces.
const READ_BYTES: u64 = 16 * CHUNK_BYTES as u64;
const READ_AT_A_TIME: usize = 2;

/// The announcement of an upload, before its first byte.
#[derive(Debug)]
pub(crate) struct Announced<'a> {
    pub(crate) owner: &'a str,
    pub(crate) name: &'a str,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) size: u64,
    pub(crate) purpose: UploadPurpose,
    /// The SHA-256 of the whole file, in hex digits.
    pub(crate) sha256: Option<String>,
    /// The text in which all this was said.
    pub(crate) metadata: &'a str,
}

impl Uploads {
    /// Makes an upload without content.
    ///
    /// # Errors
    /// When its importer is not known, the database user may not do what its import takes, or it does not fit.
    pub(crate) async fn announce(&self, upload: &Announced<'_>) -> Result<StoredFile, UploadRefusal> {
        let lifetime = match &upload.purpose {
            UploadPurpose::Import { importer, .. } => {
                self.require_privileges()?;
                known_importer(importer)?;
                UPLOAD_LIFETIME
            }
            UploadPurpose::Check if upload.size > CHECKED_BYTES as u64 => {
                return Err(UploadRefusal::TooLarge { limit: CHECKED_BYTES as u64 });
            }
            UploadPurpose::Check => CHECK_LIFETIME,
        };
        let lifetime = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
        let expires_at = Date::from_epoch_millis(Date::now().epoch_millis().saturating_add(lifetime));
        let file = NewFile {
            name: base_name(upload.name),
            content_type: upload.content_type.map(str::to_owned),
            owner: upload.owner.to_owned(),
            expected: upload.size,
            upload: Some(Upload {
                size: upload.size,
                expires_at,
                purpose: upload.purpose.clone(),
                sha256: upload.sha256.clone(),
                metadata: upload.metadata.to_owned(),
            }),
        };
        let id = self.make_file(file).await?;
        let (file, _) = self.upload_of(upload.owner, &id.0).await?;
        Ok(file)
    }

    /// Returns the upload of this user.
    ///
    /// # Errors
    /// When there is none: also when it is another user's, or its time is over.
    pub(crate) async fn upload_of(&self, user_id: &str, id: &str) -> Result<(StoredFile, Upload), UploadRefusal> {
        let file = with_default_timeout(self.repositories().files.find(&FileId(id.to_owned()))).await?;
        let file = file.filter(|file| file.owner == user_id && !file.is_given_up);
        let found = file.and_then(|file| file.upload.clone().map(|upload| (file, upload)));
        found.filter(|(file, _)| !is_over(file)).ok_or(UploadRefusal::NoSuchUpload)
    }

    /// Returns all uploads of this user for imports, each with the key of its importer.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn uploads_of(&self, user_id: &str) -> Result<Vec<(StoredFile, Upload, String)>, UploadRefusal> {
        let files = with_default_timeout(self.repositories().files.all(Some(user_id))).await?;
        let uploads = files.into_iter().filter(|file| !file.is_given_up && !is_over(file)).filter_map(|file| {
            let upload = file.upload.clone()?;
            match upload.purpose.clone() {
                UploadPurpose::Import { importer, .. } => Some((file, upload, importer)),
                UploadPurpose::Check => None,
            }
        });
        Ok(uploads.collect())
    }

    /// Goes on with the upload at `offset`.
    ///
    /// # Errors
    /// When it goes on elsewhere.
    pub(crate) fn go_on(&self, file: &StoredFile, offset: u64) -> Result<FileWriter, UploadRefusal> {
        if offset != file.length {
            return Err(UploadRefusal::OtherOffset { offset: file.length });
        }
        Ok(self.go_on_with(file.id.clone(), file.length))
    }

    /// Removes the upload, unless an import was begun with it.
    ///
    /// # Errors
    /// When an import was, or the database does not answer.
    pub(crate) async fn terminate(&self, file: &StoredFile) -> Result<(), UploadRefusal> {
        // Another operation may go on with that which was begun with it.
        let newest = with_default_timeout(self.repositories().imports.newest()).await?;
        let source = Some(FileSource::Stored(file.id.0.clone()));
        let reads_it = |operation: &Operation| operation.file_source() == source && is_going_on(operation);
        if newest.is_some_and(|operation| reads_it(&operation))
            || self.operation_with(&file.id).await?.is_some_and(|operation| is_going_on(&operation))
        {
            return Err(UploadRefusal::InUse);
        }
        self.repositories().files.remove(&file.id).await?;
        Ok(())
    }

    /// Begins the import with an upload of which every byte is there. Returns the operation, the same one however often this
    /// is called; `None` for an upload for a check, which is complete then.
    ///
    /// # Errors
    /// When the content is not the announced one, or an import is in the way: then the bytes stay.
    pub(crate) async fn finish(
        &self,
        user_id: &str,
        id: &str,
        replaces: bool,
    ) -> Result<Option<String>, UploadRefusal> {
        let (this, user_id, id) = (self.clone(), user_id.to_owned(), id.to_owned());
        // To its end, also if the client goes away: it knows that all bytes are there.
        let finished = self.shared.engine.shared.runtime.spawn(async move {
            let _only_one = this.shared.beginnings.lock().await;
            let (file, upload) = this.upload_of(&user_id, &id).await?;
            let UploadPurpose::Import { importer, replaces: is_to_replace } = &upload.purpose else {
                this.complete(&file, &upload).await?;
                return Ok(None);
            };
            if let Some(operation) = this.operation_with(&file.id).await? {
                return Ok(Some(operation.id().unwrap_or_default().to_owned()));
            }
            let importer = known_importer(importer)?;
            this.complete(&file, &upload).await?;
            this.require_privileges()?;
            // Another instance that begins the same import now would end this one, and have its file removed.
            if let Some(operation) = this.claim_or_begun(&file.id).await? {
                return Ok(Some(operation));
            }
            let begun = async {
                if !(replaces || *is_to_replace) {
                    this.nothing_in_the_way().await?;
                }
                let (name, content_type) = (&file.name, file.content_type.as_deref());
                let arrived = Arrived { user_id: &user_id, importer, name, content_type };
                this.begin(FileSource::Stored(file.id.0.clone()), &arrived).await
            };
            let begun = begun.await;
            if begun.is_err() {
                with_default_timeout(this.repositories().files.release(&file.id)).await?;
            }
            begun.map(Some)
        });
        finished.await.unwrap_or_else(|_| Err(UploadRefusal::Busy))
    }

    /// Refuses an import of a file while the database user may not do what it takes.
    fn require_privileges(&self) -> Result<(), UploadRefusal> {
        let missing = self.shared.engine.shared.readiness.missing_for(Work::ImportFile);
        if missing.is_empty() { Ok(()) } else { Err(Refusal::MissingPrivileges(missing).into()) }
    }

    /// Makes a file whole of which every byte is there, unless it is.
    async fn complete(&self, file: &StoredFile, upload: &Upload) -> Result<(), UploadRefusal> {
        if !file.is_complete {
            self.check_content(file, upload).await?;
            with_default_timeout(self.repositories().files.complete(&file.id, None, None)).await?;
        }
        Ok(())
    }

    /// Claims the beginning of the import with this file, or returns the operation with which another instance has begun it.
    async fn claim_or_begun(&self, id: &FileId) -> Result<Option<String>, UploadRefusal> {
        let deadline = Instant::now() + BEGINNING_PATIENCE;
        loop {
            let is_claimed = with_default_timeout(self.repositories().files.claim(id)).await?;
            if let Some(operation) = self.operation_with(id).await? {
                return Ok(Some(operation.id().unwrap_or_default().to_owned()));
            }
            if is_claimed {
                return Ok(None);
            }
            if Instant::now() >= deadline {
                return Err(UploadRefusal::Outpaced);
            }
            sleep(BEGINNING_INTERVAL).await;
        }
    }

    /// The operation that was begun with the file: it has the same id.
    pub(crate) async fn operation_with(&self, id: &FileId) -> Result<Option<Operation>, UploadRefusal> {
        Ok(with_default_timeout(self.repositories().imports.find(&id.0)).await?)
    }

    /// Reads the whole file again, if its hash was announced.
    async fn check_content(&self, file: &StoredFile, upload: &Upload) -> Result<(), UploadRefusal> {
        let Some(announced) = &upload.sha256 else { return Ok(()) };
        let mut pieces = self.pieces_of(file);
        let mut hash = Sha256::new();
        while let Some(piece) = pieces.next().await {
            hash.update(piece?);
            tokio::task::yield_now().await;
        }
        drop(pieces);
        let found = format!("{:x}", hash.finalize());
        if found.eq_ignore_ascii_case(announced) {
            return Ok(());
        }
        self.repositories().files.remove(&file.id).await?;
        Err(UploadRefusal::OtherContent)
    }

    /// The content of a file, piece by piece.
    pub(super) fn pieces_of(&self, file: &StoredFile) -> impl Stream<Item = Result<Vec<u8>, RepositoryError>> + Unpin {
        let files = &self.repositories().files;
        let offsets = (0..file.length.div_ceil(READ_BYTES)).map(|piece| piece * READ_BYTES);
        let length = usize::try_from(READ_BYTES).unwrap_or(CHUNK_BYTES);
        stream::iter(offsets)
            .map(move |offset| with_default_timeout(files.read_at(&file.id, offset, length)))
            .buffered(READ_AT_A_TIME)
    }

    /// Makes sure that no import is lost by a new one.
    async fn nothing_in_the_way(&self) -> Result<(), UploadRefusal> {
        let repositories = self.repositories();
        let Some(newest) = with_default_timeout(repositories.imports.newest()).await? else { return Ok(()) };
        let reason = match newest.state() {
            Some(State::Loading) => "An import is being loaded",
            Some(State::Ready) => "An import is ready to be run",
            Some(State::Importing) => "An import is running",
            Some(State::Done) if self.has_failures(&newest).await? => "Records of the last import have failed",
            Some(State::New | State::Done | State::Error | State::Canceled) | None => return Ok(()),
        };
        Err(UploadRefusal::ImportInTheWay(reason))
    }

    async fn has_failures(&self, ended: &Operation) -> Result<bool, UploadRefusal> {
        if ended.counts().error == 0 || !ended.is_valid() {
            return Ok(false);
        }
        let staging = &self.repositories().staging;
        let root = ended.root().unwrap_or_default();
        Ok(with_default_timeout(staging.count_importable(root, RecordType::User, 0)).await? > 0)
    }
}

/// Whether the time of the upload is over.
fn is_over(file: &StoredFile) -> bool {
    file.expires_at().is_some_and(|expires_at| expires_at <= Date::now())
}

fn is_going_on(operation: &Operation) -> bool {
    operation.is_valid() && operation.state().is_some_and(|state| !state.is_end())
}
