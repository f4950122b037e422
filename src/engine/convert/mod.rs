//! Converters: how staged records become documents.

mod contacts;
mod lookups;
mod messages;
mod new_rooms;
mod plan;
mod room_members;
mod rooms;
mod survey;
mod users;

use thiserror::Error;

use crate::{
    domain::{
        field_value::{Date, Fields},
        matching::FoundBy,
        receipt::Outcome,
        record_type::RecordType,
    },
    repository::{ChangedField, RepositoryError, StagedId},
};

pub(crate) use users::{Fate, Foreseen, ListedUser, Rehearsal};
pub(super) use {
    contacts::Contacts,
    messages::Messages,
    plan::{BatchPlan, EarlierPlans},
    rooms::{Rooms, is_direct},
    survey::{StagedThreads, Survey},
    users::{Directory, Memberships, Newcomers, Users, seek},
};

/// Turns staged records of one type into documents. Everything it does may be repeated: the ids of documents follow from
/// those of the records, and a document that is there under its own id counts as stored.
pub(super) trait Converter: Send + Sync + 'static {
    /// The type of the records.
    const TYPE: RecordType;
    /// Records stored together at most.
    const BATCH_RECORDS: usize = 500;
    /// Batches on their way at once: some wait until a majority has stored them while the others are prepared or sent.
    /// Leaves room among the driver's ten connections for everybody else.
    const BATCHES_IN_FLIGHT: usize = 6;
    /// A record that is ready to be stored.
    type Ready: Send + Sync + 'static;

    /// The `_id` of the document that the record becomes, if it becomes a new one.
    fn id_for(&self, id: &StagedId) -> String;

    /// The values by which people recognise the record.
    fn identity(&self, data: &Fields) -> Identity;

    /// Does the slow work of one record, such as hashing. Many records are prepared at a time.
    ///
    /// # Errors
    /// With the reason, if the record can become no document.
    fn prepare(&self, id: &StagedId, data: Fields) -> impl Future<Output = Result<Self::Ready, String>> + Send;

    /// Batches that this converter may have on their way at once, [`Self::BATCHES_IN_FLIGHT`] at most.
    fn batches_in_flight(&self) -> usize {
        Self::BATCHES_IN_FLIGHT
    }

    /// The values that batches in flight may not share, so that the first staged record gets them.
    fn exclusive(&self, ready: &Self::Ready) -> Vec<UniqueValue>;

    /// Stores a batch, confirmed by a majority; for each record, in order, what became of it or why it failed. Changes of
    /// documents that are there are noted in the plan before they are made.
    ///
    /// # Errors
    /// Some records may have been stored all the same.
    fn store(
        &self,
        batch: &[&Self::Ready],
        plan: &BatchPlan<'_>,
    ) -> impl Future<Output = Result<Vec<Result<Stored, String>>, StoreError>> + Send;
}

/// Why a batch is not stored.
#[derive(Debug, Error)]
pub(super) enum StoreError {
    #[error(transparent)]
    Database(#[from] RepositoryError),
    /// Another run of the operation has taken the batch's number.
    #[error("another instance has taken over")]
    Fenced,
}

/// What became of a record that was stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub(super) outcome: Outcome,
    /// The `_id` of the document.
    pub(super) became: String,
    /// How the document was found; `None` for a new one.
    pub(super) found_by: Option<FoundBy>,
    /// A sentence for a person about a record that was stored otherwise than it says.
    pub(super) note: Option<String>,
    /// The fields that were changed in a document that was there before.
    pub(super) changed: Vec<ChangedField>,
    /// The `_id`s of the rooms that a new account joined.
    pub(super) joined: Vec<String>,
    /// Whether a new account came without a password.
    pub(super) is_without_password: bool,
    /// Where a message is; `None` for other records.
    pub(super) place: Option<Place>,
}

impl Stored {
    /// A record with this outcome that changed nothing in a document that was there.
    pub(super) fn new(outcome: Outcome, became: String) -> Self {
        Self {
            outcome,
            became,
            found_by: None,
            note: None,
            changed: Vec::new(),
            joined: Vec::new(),
            is_without_password: false,
            place: None,
        }
    }
}

/// The place of a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// The `_id` of the room.
    pub(super) room: String,
    pub(super) ts: Date,
    /// Whether the room itself shows it as a message of somebody.
    pub(super) is_shown: bool,
    /// Whether the room's history holds it.
    pub(super) is_in_history: bool,
}

/// The values by which people recognise a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) import_ids: Vec<String>,
    pub(super) username: Option<String>,
    pub(super) emails: Vec<String>,
}

/// A value that no two documents may share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum UniqueValue {
    Username(String),
    Email(String),
    /// The id of a message in its source.
    MessageId(String),
}
