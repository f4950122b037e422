//! The files of messages: fetched, stored, and shown.
//!
//! What makes it repeatable: the id of an upload follows from message and file and is recorded before the first byte. The
//! document of the upload comes after its bytes, the message after the document, the receipt last. Whatever an instance left
//! behind, the next one finds it under the same id.

use tokio::task::spawn_blocking;

use super::{
    archive::{GONE, HeldPieces},
    context::{Context, Live},
    download::{Fetched, Source, download, take},
    list::Group,
    pictures::{Examined, Made, examine},
    problem::Problem,
    store::{Owner, Placed, Store, StoreError},
};
use crate::{
    domain::{
        field_value::{Date, Fields},
        receipt::Outcome,
        upload::{
            attachment::{Showing, ShownFile},
            document::{StoredAt, Upload},
            media_type::{Shown, shown_as},
            pending_file::PendingFile,
            picture::Thumbnail,
            upload_id,
        },
    },
    engine::attempts::Stop,
    importers::is_held_path,
    repository::{
        ListedRecord, MessageState, OwnUpload, RecordReceipt, Repositories, Shelf, StagedId, StoredUpload, UploadKind,
        WaitingMessage, with_default_timeout,
    },
};

/// Bytes of the largest picture that is read back to be looked at.
const LARGEST_PICTURE: u64 = 32 * 1024 * 1024;
/// What the smaller copy of a picture adds to the parts of its id.
const THUMBNAIL: &str = "thumbnail";

/// Which try this is. What failed at the first is tried once more at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    First,
    Last,
}

/// A message that waits for the file of its group.
struct Waiting<'a> {
    record: &'a ListedRecord,
    file: PendingFile,
    message: Fields,
}

/// Fetches the file of a group and shows it in each message. `None` if it is to be tried again at the end.
pub(super) async fn settle(context: &Context, group: &Group, round: Round) -> Result<Option<Vec<RecordReceipt>>, Stop> {
    let messages = &context.repositories.pending_messages;
    let ids: Vec<&str> = group.records.iter().map(|record| record.id.as_str()).collect();
    let mut states = with_default_timeout(messages.states(&ids)).await?;
    let (mut receipts, mut waiting) = (Vec::new(), Vec::new());
    for record in &group.records {
        match states.remove(&record.id).unwrap_or(MessageState::Gone) {
            MessageState::Waiting(message) => {
                let WaitingMessage { file, fields } = *message;
                waiting.push(Waiting { record, file, message: fields });
            }
            MessageState::HasFile(link) => receipts.push(has_file(context, record, &link).await?),
            MessageState::Gone => {
                receipts.push(receipt(record, Outcome::Same, None, Some("The message waits no more.".to_owned())));
            }
        }
    }
    if waiting.is_empty() {
        return Ok(Some(receipts));
    }
    match stored_file(context, &waiting).await {
        Ok((upload, showing)) => {
            for one in &waiting {
                let is_shown = with_default_timeout(messages.show(&one.message, &showing)).await?;
                let reason = (!is_shown).then(|| "The message went while its file was fetched.".to_owned());
                let outcome = if is_shown { Outcome::Created } else { Outcome::Same };
                receipts.push(of_file(one, outcome, Some(upload.clone()), reason));
            }
        }
        Err(Problem::Stop(stop)) => return Err(stop),
        Err(Problem::Failed { may_pass: true, .. }) if round == Round::First => return Ok(None),
        Err(Problem::Failed { reason, is_gone, .. }) => {
            for one in &waiting {
                if context.fetch.notes {
                    let noted = messages.show_note(&one.message, &one.file.name, &reason, is_gone);
                    with_default_timeout(noted).await?;
                }
                receipts.push(of_file(one, Outcome::Failed, None, Some(format!("{}: {reason}", one.file.name))));
            }
        }
    }
    Ok(Some(receipts))
}

/// A message that has a file: ours, from before the instance that fetched it died, or one that somebody else fetched.
async fn has_file(context: &Context, record: &ListedRecord, link: &str) -> Result<RecordReceipt, Stop> {
    let id = link.split('/').nth(2).unwrap_or_default().to_owned();
    let ours = with_default_timeout(context.repositories.own_uploads.find(&id)).await?;
    let outcome = match ours {
        Some(ours) if ours.operation == context.operation => Outcome::Created,
        _ => Outcome::Same,
    };
    Ok(receipt(record, outcome, Some(id), None))
}

fn of_file(one: &Waiting<'_>, outcome: Outcome, upload: Option<String>, reason: Option<String>) -> RecordReceipt {
    RecordReceipt { import_ids: vec![one.file.id.clone()], ..receipt(one.record, outcome, upload, reason) }
}

pub(super) fn receipt(
    record: &ListedRecord,
    outcome: Outcome,
    became: Option<String>,
    reason: Option<String>,
) -> RecordReceipt {
    RecordReceipt {
        id: StagedId::from(record.id.as_str()),
        outcome,
        became,
        import_ids: Vec::new(),
        username: None,
        emails: Vec::new(),
        reason,
        found_by: None,
        changed: Vec::new(),
        memberships: 0,
        is_without_password: false,
    }
}

/// Returns the upload that holds the file of these messages, and how they show it: the one that is there, else a new one.
async fn stored_file(context: &Context, waiting: &[Waiting<'_>]) -> Result<(String, Showing), Problem> {
    let first = &waiting[0].file;
    let uploads = with_default_timeout(context.repositories.own_uploads.of_key(UploadKind::File, &first.key)).await?;
    for own in &uploads {
        let files = &context.repositories.rocketchat_files;
        let found = with_default_timeout(files.complete_upload(Shelf::Uploads, &own.id)).await?;
        if let Some(upload) = found {
            if !own.is_stored {
                with_default_timeout(context.repositories.own_uploads.note_stored(&own.id, upload.size())).await?;
                if own.operation == context.operation {
                    // The instance that stored it died before it could count it.
                    context.add_bytes(upload.size());
                }
            }
            return Ok((own.id.clone(), show_stored(context, own, &upload).await?));
        }
    }
    let held = match &context.archive {
        Some(archive) => archive.begin(&first.id).await?,
        None => None,
    };
    if held.is_none() && is_held_path(&first.address) {
        return Err(Problem::final_one(GONE));
    }
    if held.is_none() && !first.address.starts_with("http") {
        return Err(Problem::final_one("its address is not one of the web."));
    }
    let shown_in = shown_in(context, waiting).await?;
    let live = context.live();
    let file = FileOfMessage { context, live: &live, file: shown_in };
    file.store(held).await
}

/// The message whose room and author the upload gets: one in a room that everybody may enter, so that everybody who sees
/// any of the messages may open the file.
async fn shown_in<'w>(context: &Context, waiting: &'w [Waiting<'_>]) -> Result<&'w PendingFile, Problem> {
    let first = &waiting[0].file;
    if waiting.iter().all(|one| one.file.room == first.room) {
        return Ok(first);
    }
    let rooms: Vec<&str> = waiting.iter().map(|one| one.file.room.as_str()).collect();
    let public = with_default_timeout(context.repositories.pending_messages.public_rooms(&rooms)).await?;
    Ok(waiting.iter().map(|one| &one.file).find(|file| public.contains(&file.room)).unwrap_or(first))
}

/// How messages show an upload that is there.
async fn show_stored(context: &Context, own: &OwnUpload, upload: &StoredUpload) -> Result<Showing, Problem> {
    let files = &context.repositories.rocketchat_files;
    let media_type = upload.text("type");
    let (mut picture, mut thumbnail) = (None, None);
    if shown_as(media_type) == Shown::Picture {
        let live = context.live();
        let store = Store::holding(&own.at, context.means(&live)).map_err(Problem::passing)?;
        let placed = Placed { shelf: Shelf::Uploads, id: &own.id, at: &own.at };
        picture = look_at(context, &store, placed, upload.size(), None).await?.map(|examined| examined.picture);
        let id = upload_id(&[&own.id, THUMBNAIL]);
        let smaller = with_default_timeout(files.complete_upload(Shelf::Uploads, &id)).await?;
        thumbnail = smaller.and_then(|smaller| smaller.as_thumbnail());
    }
    let shown = ShownFile {
        id: &own.id,
        name: upload.text("name"),
        media_type,
        size: upload.size(),
        picture: picture.as_ref(),
        thumbnail: thumbnail.as_ref(),
    };
    Ok(shown.showing())
}

/// Reads a picture back from the store and looks at it, one at a time. `None` if it is too large or no picture.
async fn look_at(
    context: &Context,
    store: &Store,
    placed: Placed<'_>,
    size: u64,
    thumbnail: Option<(u32, u32)>,
) -> Result<Option<Examined>, Problem> {
    if size > LARGEST_PICTURE {
        return Ok(None);
    }
    let _turn = context.pictures.acquire().await;
    let Some(bytes) = store.read(placed, LARGEST_PICTURE).await? else { return Ok(None) };
    // A decoder that panics costs the preview, not the file.
    Ok(spawn_blocking(move || examine(&bytes, thumbnail)).await.unwrap_or_default())
}

/// The file of a message on its way into the store.
struct FileOfMessage<'a> {
    context: &'a Context,
    live: &'a Live,
    file: &'a PendingFile,
}

impl FileOfMessage<'_> {
    async fn store(&self, held: Option<HeldPieces>) -> Result<(String, Showing), Problem> {
        let Repositories { own_uploads, rocketchat_files, .. } = &self.context.repositories;
        let id = upload_id(&[&self.file.message, &self.file.id]);
        let at = self.begin(&id, UploadKind::File).await?;
        let placed = placed(&id, &at);
        let source = Source { address: &self.file.address, name: &self.file.name, size: self.file.size };
        let fetched = match held {
            Some(pieces) => take(self.context, self.live, source, pieces, placed).await,
            None => download(self.context, self.live, source, placed).await,
        };
        let Fetched { content, media_type } = match fetched {
            Ok(fetched) => fetched,
            Err(problem) => {
                if matches!(problem, Problem::Failed { .. }) {
                    self.live.store()?.remove(placed).await?;
                    with_default_timeout(own_uploads.forget(&id)).await?;
                }
                return Err(problem);
            }
        };
        let examined = match shown_as(&media_type) {
            Shown::Picture => {
                look_at(self.context, self.live.store()?, placed, content.bytes, self.live.settings.thumbnail).await?
            }
            _ => None,
        };
        let (picture, smaller) = match examined {
            Some(Examined { picture, thumbnail }) => (Some(picture), thumbnail),
            None => (None, None),
        };
        let upload = Upload {
            message_id: format!("{}-file-{}", self.file.message, self.file.id),
            name: self.file.name.clone(),
            size: content.bytes,
            author: self.file.author.clone(),
            room: self.file.room.clone(),
            media_type,
            picture,
            ts: self.file.ts,
            id,
        };
        let thumbnail = match smaller {
            Some(smaller) => Some(self.store_thumbnail(&upload, smaller).await?),
            None => None,
        };
        with_default_timeout(own_uploads.note_written(&upload.id, &content)).await?;
        let document = upload.document(&at, &self.live.settings.site_url, Date::now());
        with_default_timeout(rocketchat_files.insert(Shelf::Uploads, &document)).await?;
        with_default_timeout(own_uploads.note_stored(&upload.id, upload.size)).await?;
        let shown = ShownFile {
            id: &upload.id,
            name: &upload.name,
            media_type: &upload.media_type,
            size: upload.size,
            picture: upload.picture.as_ref(),
            thumbnail: thumbnail.as_ref(),
        };
        Ok((upload.id.clone(), shown.showing()))
    }

    async fn store_thumbnail(&self, upload: &Upload, smaller: Made) -> Result<Thumbnail, Problem> {
        let Repositories { own_uploads, rocketchat_files, .. } = &self.context.repositories;
        let id = upload_id(&[&upload.id, THUMBNAIL]);
        let at = self.begin(&id, UploadKind::Thumbnail).await?;
        let mut writer = self.live.store()?.begin(placed(&id, &at), smaller.media_type);
        writer.write(&smaller.bytes).await?;
        let content = writer.finish().await?;
        let Made { media_type, width, height, .. } = smaller;
        let thumbnail = Thumbnail { id, media_type, width, height };
        let site_url = &self.live.settings.site_url;
        with_default_timeout(own_uploads.note_written(&thumbnail.id, &content)).await?;
        let document = upload.thumbnail_document(&thumbnail, content.bytes, &at, site_url, Date::now());
        with_default_timeout(rocketchat_files.insert(Shelf::Uploads, &document)).await?;
        with_default_timeout(own_uploads.note_stored(&thumbnail.id, content.bytes)).await?;
        Ok(thumbnail)
    }

    /// Records an id, and removes what an attempt before this one left under it.
    async fn begin(&self, id: &str, kind: UploadKind) -> Result<StoredAt, Problem> {
        let owner = Owner::Message { room: &self.file.room, author: &self.file.author };
        let at = self.live.store()?.place(owner, id, &self.live.settings);
        let own = OwnUpload {
            id: id.to_owned(),
            kind,
            key: self.file.key.clone(),
            at: at.clone(),
            operation: self.context.operation.clone(),
            is_stored: false,
            sha256: None,
        };
        begin(self.context, &own).await?;
        Ok(at)
    }
}

const fn placed<'a>(id: &'a str, at: &'a StoredAt) -> Placed<'a> {
    Placed { shelf: Shelf::Uploads, id, at }
}

/// Records an id, and removes what an attempt before this one left under it.
pub(super) async fn begin(context: &Context, own: &OwnUpload) -> Result<(), StoreError> {
    let own_uploads = &context.repositories.own_uploads;
    let shelf = if own.kind == UploadKind::Avatar { Shelf::Avatars } else { Shelf::Uploads };
    let before = with_default_timeout(own_uploads.find(&own.id)).await?;
    if let Some(before) = &before {
        let store = Store::holding(&before.at, context.means(&context.live())).map_err(StoreError::Away)?;
        store.remove(Placed { shelf, id: &before.id, at: &before.at }).await?;
    }
    with_default_timeout(own_uploads.begin(own)).await?;
    Ok(())
}
