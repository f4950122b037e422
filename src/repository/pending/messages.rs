//! The messages that wait for files.

use std::collections::HashMap;

use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use super::worklist::Worklists;
use crate::{
    domain::{
        field_value::{FieldValue, Fields},
        upload::{
            attachment::{Showing, note, without_notes},
            pending_file::{IMPORT_FILE, PendingFile, cleaned, file_key},
        },
    },
    repository::{
        Connection, RepositoryError,
        bson::{read::read_fields, write::document_of},
    },
};

const COLLECTION: &str = "rocketchat_message";
const ROOMS: &str = "rocketchat_room";
/// Messages that are listed together.
const LISTED_AT_A_TIME: usize = 1000;

/// Reads and changes messages that wait for files.
#[derive(Debug, Clone)]
pub struct PendingMessages {
    messages: Collection<RawDocumentBuf>,
    rooms: Collection<Document>,
}

/// A message that waits for a file.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitingMessage {
    pub file: PendingFile,
    /// As it is stored.
    pub fields: Fields,
}

/// A message that is listed as waiting.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageState {
    /// It waits still.
    Waiting(Box<WaitingMessage>),
    /// It has its file; the link to it.
    HasFile(String),
    /// It is gone, or waits for nothing that could be fetched.
    Gone,
}

impl PendingMessages {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { messages: connection.collection(COLLECTION), rooms: connection.collection(ROOMS) }
    }

    /// Returns the number of messages that wait for files. Rocket.Chat has no index for this: the database looks at every
    /// message.
    pub async fn count(&self) -> Result<u64, RepositoryError> {
        Ok(self.messages.count_documents(waiting()).await?)
    }

    /// Whether a message waits for a file. If none does, the database looks at every message.
    pub async fn any(&self) -> Result<bool, RepositoryError> {
        Ok(self.messages.find_one(waiting()).projection(doc! { "_id": 1 }).await?.is_some())
    }

    /// Lists every message that waits for a file as one of the operation's, and returns the bytes of the files together, as
    /// far as they are known.
    ///
    /// # Errors
    /// Some may have been listed all the same.
    pub async fn list(&self, worklists: &Worklists, operation: &str) -> Result<u64, RepositoryError> {
        let shown =
            ["id", "source", "downloadUrl", "size"].map(|field| (format!("{IMPORT_FILE}.{field}"), Bson::Int32(1)));
        let shown: Document = shown.into_iter().collect();
        let mut found = self.messages.find(waiting()).projection(shown).await?;
        let (mut records, mut bytes) = (Vec::new(), 0_u64);
        let mut last_key = String::new();
        while let Some(message) = found.try_next().await? {
            let message = fields_of(&message)?;
            let Some(id) = message.get("_id").and_then(FieldValue::as_text) else { continue };
            let Some(file) = message.get(IMPORT_FILE).and_then(FieldValue::as_object) else { continue };
            let key = file_key(file, id);
            let size = file.get("size").and_then(FieldValue::as_integer).unwrap_or_default();
            if key != last_key {
                bytes = bytes.saturating_add(u64::try_from(size).unwrap_or_default());
            }
            last_key.clone_from(&key);
            records.push((key, id.to_owned()));
            if records.len() == LISTED_AT_A_TIME {
                worklists.add(operation, &records).await?;
                records.clear();
            }
        }
        worklists.add(operation, &records).await?;
        Ok(bytes)
    }

    /// Returns how each of these messages stands now.
    pub async fn states(&self, ids: &[&str]) -> Result<HashMap<String, MessageState>, RepositoryError> {
        let mut found = self.messages.find(doc! { "_id": { "$in": ids } }).await?;
        let mut states: HashMap<String, MessageState> =
            ids.iter().map(|id| ((*id).to_owned(), MessageState::Gone)).collect();
        while let Some(message) = found.try_next().await? {
            let message = fields_of(&message)?;
            let Some(id) = message.get("_id").and_then(FieldValue::as_text).map(str::to_owned) else { continue };
            states.insert(id, state_of(message));
        }
        Ok(states)
    }

    /// Returns those of these rooms that everybody may enter.
    pub async fn public_rooms(&self, ids: &[&str]) -> Result<Vec<String>, RepositoryError> {
        let public = doc! { "_id": { "$in": ids }, "t": "c" };
        let found = self.rooms.find(public).projection(doc! { "_id": 1 }).await?;
        let found: Vec<Document> = found.try_collect().await?;
        Ok(found.iter().filter_map(|room| room.get_str("_id").ok().map(str::to_owned)).collect())
    }

    /// Shows the file in the message and ends the message's hiding, in one step. The tokens go out of its addresses. False if
    /// the message is gone, or shows a file already.
    pub async fn show(&self, message: &Fields, showing: &Showing) -> Result<bool, RepositoryError> {
        let mut attachments = without_notes(message.get("attachments"));
        attachments.push(showing.attachment.clone());
        let file = cleaned_file(message)
            .with("rocketChatUrl", FieldValue::Text(showing.link.as_str().into()))
            .with("downloaded", FieldValue::Boolean(true));
        let fields = Fields::from_iter([
            (IMPORT_FILE, FieldValue::Object(file)),
            ("attachments", FieldValue::List(attachments)),
            ("file", showing.file.clone()),
            ("files", FieldValue::List(showing.files.clone())),
        ]);
        self.change(message, &fields).await
    }

    /// Shows the message with a note in place of its file. It stays one that waits. With `forgets_tokens`, the tokens go out
    /// of its addresses: the file is gone for good.
    pub async fn show_note(
        &self,
        message: &Fields,
        name: &str,
        reason: &str,
        forgets_tokens: bool,
    ) -> Result<bool, RepositoryError> {
        let mut attachments = without_notes(message.get("attachments"));
        attachments.push(note(name, reason));
        let mut fields = Fields::from_iter([("attachments", FieldValue::List(attachments))]);
        if forgets_tokens {
            fields = fields.with(IMPORT_FILE, FieldValue::Object(cleaned_file(message)));
        }
        self.change(message, &fields).await
    }

    async fn change(&self, message: &Fields, fields: &Fields) -> Result<bool, RepositoryError> {
        let id = message.get("_id").and_then(FieldValue::as_text).unwrap_or_default();
        let unchanged = doc! { "_id": id, "_importFile.downloaded": { "$ne": true } };
        let mut set = document_of(fields);
        set.insert("_updatedAt", DateTime::now());
        let change = doc! { "$set": set, "$unset": { "_hidden": "" } };
        Ok(self.messages.update_one(unchanged, change).await?.matched_count == 1)
    }
}

fn cleaned_file(message: &Fields) -> Fields {
    message.get(IMPORT_FILE).and_then(FieldValue::as_object).map(cleaned).unwrap_or_default()
}

/// The messages that Rocket.Chat's own importer takes for waiting ones.
///
/// Source: `packages/models/src/models/Messages.ts` (`findAllImportedMessagesWithFilesToDownload`).
fn waiting() -> Document {
    doc! {
        "_importFile.downloadUrl": { "$exists": true },
        "_importFile.rocketChatUrl": { "$exists": false },
        "_importFile.downloaded": { "$ne": true },
        "_importFile.external": { "$ne": true },
    }
}

fn state_of(message: Fields) -> MessageState {
    if let Some(file) = PendingFile::of(&message) {
        return MessageState::Waiting(Box::new(WaitingMessage { file, fields: message }));
    }
    let file = message.get(IMPORT_FILE).and_then(FieldValue::as_object);
    let link = file.and_then(|file| file.get("rocketChatUrl")).and_then(FieldValue::as_text);
    link.map_or(MessageState::Gone, |link| MessageState::HasFile(link.to_owned()))
}

fn fields_of(message: &RawDocumentBuf) -> Result<Fields, RepositoryError> {
    read_fields(message).map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })
}
