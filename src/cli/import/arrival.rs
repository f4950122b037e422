//! The way of the file to the server, or on from the bytes that are there.

use reqwest::StatusCode;
use tokio::sync::oneshot;

use super::{
    super::{
        CommandError,
        console::{Console, Unit},
        pace::Pace,
    },
    source::{LocalFile, Source},
};
use crate::client::{Client, ClientError, FileToSend, ReportedState};

/// How many records the file has, once that is counted.
pub(super) type Records = Option<oneshot::Receiver<Option<u64>>>;

/// How a file gets there.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    pub(super) client: &'a Client,
    pub(super) console: &'a Console,
    /// Whether an import that is in the way is ended.
    pub(super) replaces: bool,
}

impl Arrival<'_> {
    /// Brings the file there. Returns the `_id` of the operation that was begun with it, and the number of its records.
    pub(super) async fn bring(&self, source: &Source) -> Result<(String, Records), CommandError> {
        match source {
            Source::Here(file) => {
                let records = file.count_records();
                Ok((self.send(file, source.importer()).await?, Some(records)))
            }
            Source::There { place, importer } => Ok((self.have_it_taken(place, importer, source.name()).await?, None)),
        }
    }

    /// Sends a file, or the missing bytes of it.
    async fn send(&self, file: &LocalFile, importer: &str) -> Result<String, CommandError> {
        self.console.begin_with("checked", Unit::Bytes, true);
        let sha256 = file.sha256(|done| self.console.progress(done, file.size, "")).await?;
        self.console.end();
        let sent = FileToSend { name: &file.name, importer, size: file.size, sha256: &sha256, replaces: self.replaces };
        let id = match self.begun_before(&sent).await? {
            Begun::Operation(operation) => return Ok(operation),
            Begun::Upload(id) => id,
            Begun::Nothing => self.client.announce_upload(&sent).await.map_err(|error| refused(error, sent.name))?,
        };
        self.console.begin_with("sent", Unit::Bytes, true);
        let mut pace = Pace::of(Unit::Bytes);
        let seen = |offset| self.console.progress(offset, file.size, &pace.note(offset, Some(file.size)));
        let operation =
            self.client.send_file(&id, &sent, async |offset, length| file.read(offset, length).await, seen).await;
        self.console.end();
        match operation.map_err(|error| refused(error, sent.name))? {
            Ok(operation) => Ok(operation),
            Err(error) => Err(file.unreadable(&error)),
        }
    }

    /// What an earlier call of this command has left: an import that is under way, or a part of the file.
    async fn begun_before(&self, file: &FileToSend<'_>) -> Result<Begun, CommandError> {
        let uploads = self.client.uploads().await.map_err(|error| match error {
            ClientError::Refused { status: StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, .. } => {
                CommandError::Server(
                    "this server takes no uploads in pieces: give the address of rocketchat-import with --url"
                        .to_owned(),
                )
            }
            other => other.into(),
        })?;
        let is_it = |sha256: Option<&str>| sha256.is_some_and(|hash| hash.eq_ignore_ascii_case(file.sha256));
        for upload in uploads {
            if upload.size != file.size || upload.importer_key != file.importer || !is_it(upload.sha256.as_deref()) {
                continue;
            }
            let Some(progress) = self.client.upload_progress(&upload.id).await? else { continue };
            let Some(operation) = progress.operation else {
                if progress.offset > 0 {
                    self.console.notice(&format!("going on at byte {} of {}", progress.offset, file.size));
                }
                return Ok(Begun::Upload(upload.id));
            };
            let status = self.client.status().await?;
            let is_newest = status.operation == operation || status.root.as_ref() == Some(&operation);
            if is_newest && !status.state.is_end() {
                self.console.notice(&format!("going on with the import {} of this file", status.operation));
                return Ok(Begun::Operation(status.operation));
            }
            // Its import is over. The file is not removed here: an operation to come may go on with it.
        }
        Ok(Begun::Nothing)
    }

    /// Has the server take a file that it reaches itself, unless an import of it is under way.
    async fn have_it_taken(&self, place: &str, importer: &str, name: &str) -> Result<String, CommandError> {
        let status = self.client.status().await?;
        if !self.replaces {
            if status.goes_on_with(importer, name) {
                self.console.notice(&format!("going on with the import {} of {name}", status.operation));
                return Ok(status.operation);
            }
            let in_the_way = match status.state {
                ReportedState::Loading => "An import is being loaded",
                ReportedState::Ready => "An import is ready to be run",
                ReportedState::Importing => "An import is running",
                _ => "",
            };
            if !in_the_way.is_empty() {
                return Err(in_the_way_of(in_the_way));
            }
        }
        self.console.notice("the server takes the file");
        self.client.take_file(place, importer).await.map_err(|error| refused(error, name))
    }
}

/// What there is of a file on the server.
enum Begun {
    Nothing,
    Upload(String),
    Operation(String),
}

fn in_the_way_of(reason: &str) -> CommandError {
    CommandError::Server(format!(
        "{}; wait for its end, or have it ended: the same command with --replace",
        reason.trim_end_matches('.')
    ))
}

/// The sentence for a refusal, with the way out.
fn refused(error: ClientError, name: &str) -> CommandError {
    match error {
        ClientError::Refused { status: StatusCode::CONFLICT, reason } => in_the_way_of(&reason),
        ClientError::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, reason } => CommandError::Server(format!(
            "{name}: {reason}; raise the server's UPLOAD_QUOTA_MB, or put the file below its IMPORT_FOLDER and give \
             --on-server"
        )),
        ClientError::Unavailable { status: StatusCode::INSUFFICIENT_STORAGE, reason } => CommandError::Server(format!(
            "{name}: {reason}; make room there, or put the file below the server's IMPORT_FOLDER and give --on-server"
        )),
        ClientError::Refused { status: StatusCode::UNPROCESSABLE_ENTITY, .. } => {
            CommandError::Server(format!("{name}: the file changed while it was sent; the same command sends it again"))
        }
        other => other.into(),
    }
}
