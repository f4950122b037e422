//! Staged messages become messages.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    BatchPlan, Converter, Identity, Place, StoreError, Stored, Survey, UniqueValue,
    lookups::{BatchLookups, PeopleLookup, RoomLookup},
};
use crate::{
    domain::{
        document::{
            message::{self, Message, MessageIds, Unknown},
            message_change::{ImportedMessage, KeptBecause, MessageChange, change},
            room_counters::{is_in_history, is_shown},
        },
        field_value::{Date, FieldValue, Fields},
        receipt::Outcome,
        record_type::RecordType,
        staged::StagedMessage,
    },
    repository::{
        MessageNote, NotedPlace, PlacedNote, PlannedChange, RefusedBecause, Repositories, RepositoryError,
        SourceRecord, StagedId,
    },
};

/// Makes a message of each staged one, or changes the one that an earlier import made of it.
#[derive(Debug)]
pub(in crate::engine) struct Messages {
    repositories: Repositories,
    root: String,
    ids: MessageIds,
    survey: Arc<Survey>,
    /// The system messages that clients hide everywhere.
    hidden_types: Vec<String>,
    people: PeopleLookup,
    rooms: RoomLookup,
}

/// A staged message with the id of its record.
#[derive(Debug)]
pub(in crate::engine) struct ReadMessage {
    record: String,
    data: Fields,
}

impl ReadMessage {
    fn staged(&self) -> StagedMessage<'_> {
        StagedMessage::new(&self.data)
    }
}

type Result<T> = std::result::Result<T, RepositoryError>;
type Outcomes = Vec<Option<std::result::Result<Stored, String>>>;

impl Messages {
    pub(in crate::engine) fn new(
        repositories: &Repositories,
        root: &str,
        ids: MessageIds,
        survey: Arc<Survey>,
        hidden_types: Vec<String>,
    ) -> Self {
        Self {
            repositories: repositories.clone(),
            root: root.to_owned(),
            ids,
            survey,
            hidden_types,
            people: PeopleLookup::new(repositories.people.clone()),
            rooms: RoomLookup::new(repositories.rooms.clone()),
        }
    }

    async fn look_up(&self, batch: &[&ReadMessage]) -> Result<BatchLookups> {
        let (mut people, mut rooms) = (HashSet::new(), HashSet::new());
        for staged in batch.iter().map(|read| read.staged()) {
            people.extend(staged.people());
            people.extend(staged.id().into_iter().flat_map(|id| self.survey.repliers(id)));
            rooms.extend(staged.room());
            rooms.extend(staged.channels().into_iter().flatten());
        }
        let people = self.people.of(people).await?;
        let rooms = self.rooms.of(rooms).await?;
        let mut lookups = BatchLookups { people, rooms, ..BatchLookups::default() };
        let mut elsewhere = Vec::new();
        for staged in batch.iter().map(|read| read.staged()) {
            let Some(room) = staged.room().and_then(|room| lookups.rooms.get(room)).map(|room| room.id.clone()) else {
                continue;
            };
            if let Some(root) = staged.thread_root() {
                let id = self.ids.other(root, &room);
                if self.survey.has_root(root) {
                    lookups.roots.insert(id);
                } else {
                    elsewhere.push(id);
                }
            }
            if let Some(id) = staged.id() {
                let account = |id: &str| lookups.people.get(id).map(|person| person.id.as_str());
                if let Some(thread) = self.survey.thread(id, account) {
                    lookups.threads.insert(self.ids.other(id, &room), thread);
                }
            }
        }
        let elsewhere: Vec<&str> = elsewhere.iter().map(String::as_str).collect();
        lookups.roots.extend(self.repositories.messages.existing(&elsewhere).await?);
        Ok(lookups)
    }

    /// Makes messages; those that have no id in their source take the next one that no other record of this import has.
    async fn convert(&self, batch: &[&ReadMessage]) -> Result<Vec<std::result::Result<Message, String>>> {
        let lookups = self.look_up(batch).await?;
        let now = Date::now();
        let mut messages = Vec::with_capacity(batch.len());
        for read in batch {
            let make = |ordinal| {
                message::message(read.staged(), self.ids, ordinal, &lookups, now).map_err(|error| error.to_string())
            };
            let mut converted = make(0);
            if read.staged().id().is_none() {
                let mut ordinal = 0;
                while let Ok(message) = &converted
                    && !self.takes(message, read).await?
                {
                    ordinal += 1;
                    converted = make(ordinal);
                }
            }
            messages.push(converted);
        }
        Ok(messages)
    }

    fn stored(&self, outcome: Outcome, message: &Message) -> Stored {
        let place = Place {
            room: message.room.clone(),
            ts: message.ts,
            is_shown: is_shown(&message.document),
            is_in_history: is_in_history(&message.document, &self.hidden_types),
        };
        Stored { place: Some(place), ..Stored::new(outcome, message.id.clone()) }
    }

    /// Whether the message is this record's: nobody's yet, or recognised in it.
    async fn takes(&self, message: &Message, read: &ReadMessage) -> Result<bool> {
        let (notes, by) = (&self.repositories.message_notes, self.source_record(read));
        Ok(notes.begin(&message.id, by.clone(), &imported(message)).await? || notes.take(&message.id, &by).await?)
    }

    fn source_record(&self, read: &ReadMessage) -> SourceRecord {
        SourceRecord { root: self.root.clone(), record: read.record.clone() }
    }

    fn place_of<'a>(&self, message: &'a Message, read: &'a ReadMessage) -> NotedPlace<'a> {
        NotedPlace { id: &message.id, room: self.ids.steady_room(read.staged(), &message.room), ts: message.ts }
    }

    /// Stores those messages that are not there; what became of them.
    async fn make(&self, new: &[(usize, &Message, &ReadMessage)], outcomes: &mut Outcomes) -> Result<()> {
        let places: Vec<NotedPlace<'_>> = new.iter().map(|(_, message, read)| self.place_of(message, read)).collect();
        let notes = self.repositories.message_notes.of(&places).await?;
        let remade = self.remade_rooms(new, &notes).await?;
        let (mut to_insert, mut to_note) = (Vec::with_capacity(new.len()), Vec::with_capacity(new.len()));
        let mut to_note_again = Vec::new();
        let mut of_batch = HashSet::with_capacity(new.len());
        for (place, one @ (position, message, read)) in places.into_iter().zip(new) {
            let maker = notes.get(&message.id).map(|note| note.made_by.as_ref());
            let note = PlacedNote { place, record: &read.record, imported: imported(message) };
            match maker {
                None if of_batch.insert(&message.id) => {
                    to_note.push(note);
                    to_insert.push(one);
                }
                Some(Some(by)) if by.is(&self.source_record(read)) => to_insert.push(one),
                Some(Some(by))
                    if !by.is_of(&self.root) && remade.contains(&message.room) && of_batch.insert(&message.id) =>
                {
                    to_note_again.push(note);
                    to_insert.push(one);
                }
                // A second record of the same message, or a message that was deleted here.
                _ => outcomes[*position] = Some(Ok(self.stored(Outcome::Same, message))),
            }
        }
        self.repositories.message_notes.add(&self.root, &to_note).await?;
        self.repositories.message_notes.begin_again(&self.root, &to_note_again).await?;
        let documents: Vec<&Fields> = to_insert.iter().map(|(_, message, _)| &message.document).collect();
        let refused = self.repositories.messages.insert(&documents).await?;
        for (position, message, _) in &to_insert {
            outcomes[*position] = Some(Ok(self.stored(Outcome::Created, message)));
        }
        for refused in refused {
            let Some((position, ..)) = to_insert.get(refused.position) else { continue };
            match refused.because {
                // Stored by an attempt before.
                RefusedBecause::SameId => {}
                RefusedBecause::Taken(index) => {
                    let reason = format!("Another message has the same value (unique index {index}).");
                    outcomes[*position] = Some(Err(reason));
                }
                RefusedBecause::Other(reason) => outcomes[*position] = Some(Err(reason)),
            }
        }
        Ok(())
    }

    /// The rooms of messages that earlier imports made which this one has made: they were deleted here, with all their
    /// messages.
    async fn remade_rooms(
        &self,
        new: &[(usize, &Message, &ReadMessage)],
        notes: &HashMap<String, MessageNote>,
    ) -> Result<HashSet<String>> {
        let is_of_another = |message: &Message| {
            let note = notes.get(&message.id);
            note.and_then(|note| note.made_by.as_ref()).is_some_and(|by| !by.is_of(&self.root))
        };
        let rooms: HashSet<&str> = new
            .iter()
            .filter(|(_, message, _)| is_of_another(message))
            .map(|(_, message, _)| message.room.as_str())
            .collect();
        if rooms.is_empty() {
            return Ok(HashSet::new());
        }
        self.repositories.room_notes.made_by(&self.root, &rooms).await
    }

    /// Changes messages that are there if their source has changed; what became of them.
    async fn renew(
        &self,
        known: &[(usize, &Message, &ReadMessage)],
        outcomes: &mut Outcomes,
        plan: &BatchPlan<'_>,
    ) -> std::result::Result<(), StoreError> {
        let places: Vec<NotedPlace<'_>> = known.iter().map(|(_, message, read)| self.place_of(message, read)).collect();
        let message_notes = &self.repositories.message_notes;
        let mut notes = message_notes.of(&places).await?;
        // By their records: another record of the same message has not made it.
        let made_now: HashSet<&str> = known
            .iter()
            .filter(|(_, message, read)| {
                let by = notes.get(&message.id).and_then(|note| note.made_by.as_ref());
                by.is_some_and(|by| by.is(&self.source_record(read)))
            })
            .map(|(_, _, read)| read.record.as_str())
            .collect();
        let to_compare: Vec<&str> = known
            .iter()
            .filter(|(_, message, read)| {
                let is_unchanged = notes.get(&message.id).is_some_and(|note| note.imported.source == message.source);
                !made_now.contains(read.record.as_str()) && !is_unchanged
            })
            .map(|(_, message, _)| message.id.as_str())
            .collect();
        let stored_messages = self.repositories.messages.of(&to_compare).await?;
        // The source may have moved a message in time.
        let moved = places.iter().filter(|place| !notes.contains_key(place.id)).filter_map(|place| {
            let ts = date_in(stored_messages.get(place.id)?, "ts").filter(|ts| *ts != place.ts)?;
            Some(NotedPlace { ts, ..*place })
        });
        notes.extend(message_notes.of(&moved.collect::<Vec<_>>()).await?);
        let (mut renewed, mut changes, mut planned) = (Vec::new(), Vec::new(), Vec::new());
        for (position, message, read) in known {
            let before = plan.earlier().of_record(&read.record).filter(|before| before.document == message.id);
            let as_it_is = before.map_or(Outcome::Same, |before| before.outcome);
            let outcome = if made_now.contains(read.record.as_str()) {
                Ok(Outcome::Created)
            } else if let Some(there) = stored_messages.get(&message.id) {
                let note = notes.get(&message.id).map(|note| &note.imported);
                let decided = change(message, Some(there), note);
                let is_older = decided == MessageChange::Kept(KeptBecause::OlderSource);
                let outcome = match decided {
                    MessageChange::New | MessageChange::Same => Ok(as_it_is),
                    MessageChange::Kept(
                        KeptBecause::DeletedHere | KeptBecause::EditedHere | KeptBecause::OlderSource,
                    ) => Ok(Outcome::Same),
                    MessageChange::Kept(because) => Err(because.to_string()),
                    MessageChange::Change { set, unset } => {
                        planned.push(planned_change(message, read));
                        changes.push((*position, *message, there, set, unset));
                        Ok(Outcome::Updated)
                    }
                };
                if outcome.is_ok() && !is_older {
                    renewed.push((message.id.as_str(), imported(message)));
                }
                outcome
            } else {
                Ok(as_it_is)
            };
            outcomes[*position] = Some(outcome.map(|outcome| self.stored(outcome, message)));
        }
        plan.note(planned).await?;
        for (position, message, there, set, unset) in changes {
            if !self.repositories.messages.change(there, &set, &unset).await? {
                outcomes[position] = Some(Ok(self.stored(Outcome::Same, message)));
            }
        }
        Ok(message_notes.renew(&renewed).await?)
    }
}

impl Converter for Messages {
    const TYPE: RecordType = RecordType::Message;
    /// More go no faster, and make other clients wait longer for the database.
    const BATCHES_IN_FLIGHT: usize = 3;
    type Ready = ReadMessage;

    fn id_for(&self, id: &StagedId) -> String {
        id.as_text()
    }

    fn identity(&self, data: &Fields) -> Identity {
        let id = StagedMessage::new(data).id().map(str::to_owned);
        Identity { import_ids: id.into_iter().collect(), ..Identity::default() }
    }

    async fn prepare(&self, id: &StagedId, data: Fields) -> std::result::Result<ReadMessage, String> {
        Ok(ReadMessage { record: id.as_text(), data })
    }

    /// Of two records of one message the second meets what the first made.
    fn exclusive(&self, ready: &ReadMessage) -> Vec<UniqueValue> {
        ready.staged().id().map(|id| UniqueValue::MessageId(id.to_owned())).into_iter().collect()
    }

    async fn store(
        &self,
        batch: &[&ReadMessage],
        plan: &BatchPlan<'_>,
    ) -> std::result::Result<Vec<std::result::Result<Stored, String>>, StoreError> {
        let messages = self.convert(batch).await?;
        let mut outcomes: Outcomes = Vec::new();
        outcomes.resize_with(batch.len(), || None);
        let ids: Vec<&str> = messages.iter().flatten().map(|message| message.id.as_str()).collect();
        let existing: HashSet<String> = self.repositories.messages.existing(&ids).await?;
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for (position, (made, read)) in messages.iter().zip(batch).enumerate() {
            match made {
                Err(reason) => outcomes[position] = Some(Err(reason.clone())),
                Ok(message) if existing.contains(&message.id) => known.push((position, message, *read)),
                Ok(message) => new.push((position, message, *read)),
            }
        }
        self.make(&new, &mut outcomes).await?;
        if !known.is_empty() {
            self.renew(&known, &mut outcomes, plan).await?;
        }
        report_unknown(&messages);
        let passed_over = || Err("The record was passed over.".to_owned());
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(passed_over)).collect())
    }
}

/// A receipt lists no fields of messages.
fn planned_change(message: &Message, read: &ReadMessage) -> PlannedChange {
    PlannedChange {
        record: read.record.clone(),
        document: message.id.clone(),
        outcome: Outcome::Updated,
        found_by: None,
        changed: Vec::new(),
    }
}

fn imported(message: &Message) -> ImportedMessage {
    ImportedMessage { source: message.source, edited_at: date_in(&message.document, "editedAt") }
}

fn date_in(fields: &Fields, name: &str) -> Option<Date> {
    match fields.get(name) {
        Some(FieldValue::Date(date)) => Some(*date),
        _ => None,
    }
}

/// Logs how much was left out of messages because it is not known here.
fn report_unknown(messages: &[std::result::Result<Message, String>]) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for unknown in messages.iter().flatten().flat_map(|message| &message.unknown) {
        let what = match unknown {
            Unknown::Mention(_) => "mentions",
            Unknown::MentionedRoom(_) => "mentioned rooms",
            Unknown::Editor(_) => "editors",
            Unknown::Reaction(_) => "reactions",
            Unknown::ThreadRoot(_) => "first messages of threads",
        };
        *counts.entry(what).or_default() += 1;
    }
    if !counts.is_empty() {
        log::debug!("not known here, and left out of messages: {counts:?}");
    }
}
