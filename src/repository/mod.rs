//! Access to Rocket.Chat's MongoDB collections.
//!
//! The only module that knows collection names and BSON. Every read goes to the primary, whatever the connection string
//! says, so that an answer is never older than the question to the database.

mod access;
mod bson;
mod connection;
mod files;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod import;
mod pending;
mod records;
mod rocketchat_files;
pub(crate) mod setup;
mod sources;
mod webhooks;

use std::sync::LazyLock;

use mongodb::options::{Acknowledgment, WriteConcern};

pub use access::{
    ApiPolicyCache, FileSettings, GoogleSettings, Permissions, Roles, S3Settings, Settings, Users, WebdavSettings,
};
pub(crate) use connection::timeouts::{with_default_timeout, with_timeout};
pub use connection::{
    Connection,
    error::RepositoryError,
    observer::{CommandOutcome, ConnectionName, Observer, PoolEvent},
};
pub(crate) use files::CHUNK_BYTES;
pub use files::{AppendError, FileId, Files, NewFile, StoredFile, Upload, UploadPurpose};
pub use import::{
    BatchReceipt, ChangedField, Checkpoint, ChoosableRecord, Claim, ClusterTime, Discarded, FetchedBytes,
    FileOfOperation, FileUse, Gap, IdempotentCall, IfInvalid, Imports, JoinedRoom, KeyUse, Keys, LastMessage, Lease,
    LeasedOperation, Leases, LeftAccount, LoadReports, Mark, MessageLinks, MessageNote, MessageNotes, MessagesStatus,
    NewRecord, NotedPlace, OperationFeed, OperationUpdate, Origin, Part, PlacedNote, PlannedBatch, PlannedChange,
    QuickInsert, Reading, ReceiptOutcome, ReceiptRecords, ReceiptSummary, Receipts, RecordReceipt, Removal,
    RemovalTask, Removals, Resumption, ResumptionCause, RoomNote, RoomNotes, RoomReceipt, RunStart, Selections,
    Snapshot, SourceRecord, StageOutcome, StagedChoice, StagedId, StagedRecord, StagedView, Staging, Terms, Which,
    WriteOutcome,
};
pub(crate) use import::{FENCE_WIDTH, LEASE_LIFETIME, LEASE_RENEWAL_INTERVAL, RECEIPT_LIFETIME, can_be_staged};
pub use pending::{
    ListedRecord, MessageState, PendingAccount, PendingAccounts, PendingMessages, WaitingMessage, Worklists,
};
pub use records::{
    AccountChange, Accounts, ChangeOutcome, Contacts, Holder, Identities, Identity, JoinedPeople, Joining,
    MatchedAccounts, Messages, NewOwner, People, RefusedBecause, Rejection, RoomGrowth, RoomInserted, Rooms,
    RoomsWanted, SoughtAccounts, Subscriptions, Succession, mentioned,
};
pub use rocketchat_files::{FileBytes, OwnUpload, OwnUploads, RocketChatFiles, Shelf, StoredUpload, UploadKind};
pub use setup::{
    DatabaseUser, DatabaseUserError, Made, MigrationError, Purpose, initiate_replica_set, initiate_replica_set_at,
    migrate,
};
pub use sources::{Deactivation, Deactivations, Leaver, LeftEntry, SourceAccount, SourceEntry, Sources};
pub use webhooks::{Delivery, EndedImport, Ends, News, UnreadableOperation, Webhooks};

/// For the removal of imported records, and for bytes of a file that is not complete. The primary alone confirms it; the majority write of the counters, which comes
/// after it and is never stored without it, confirms it too. A primary that loses it loses the latest: the records are in
/// the staging area again, and their accounts are recognised.
static PRIMARY_ONLY: LazyLock<WriteConcern> =
    LazyLock::new(|| WriteConcern::builder().w(Acknowledgment::Nodes(1)).build());

/// One repository for each kind of document, over one connection.
#[derive(Debug, Clone)]
pub struct Repositories {
    pub accounts: Accounts,
    pub api_policy: ApiPolicyCache,
    pub connection: Connection,
    pub files: Files,
    pub contacts: Contacts,
    pub deactivations: Deactivations,
    pub identities: Identities,
    pub operation_feed: OperationFeed,
    pub imports: Imports,
    pub keys: Keys,
    pub leases: Leases,
    pub load_reports: LoadReports,
    pub matched_accounts: MatchedAccounts,
    pub message_notes: MessageNotes,
    pub messages: Messages,
    pub own_uploads: OwnUploads,
    pub pending_accounts: PendingAccounts,
    pub pending_messages: PendingMessages,
    pub people: People,
    pub permissions: Permissions,
    pub receipts: Receipts,
    pub removals: Removals,
    pub roles: Roles,
    pub rocketchat_files: RocketChatFiles,
    pub room_notes: RoomNotes,
    pub rooms: Rooms,
    pub selections: Selections,
    pub settings: Settings,
    pub sources: Sources,
    pub staged_choice: StagedChoice,
    pub staged_view: StagedView,
    pub staging: Staging,
    pub subscriptions: Subscriptions,
    pub users: Users,
    pub webhooks: Webhooks,
    pub worklists: Worklists,
}

impl Repositories {
    pub fn new(connection: Connection) -> Self {
        let imports = Imports::new(&connection);
        let permissions = Permissions::new(&connection);
        let settings = Settings::new(&connection);
        Self {
            accounts: Accounts::new(&connection),
            api_policy: ApiPolicyCache::new(settings.clone(), permissions.clone()),
            files: Files::new(&connection),
            contacts: Contacts::new(&connection),
            deactivations: Deactivations::new(&connection),
            identities: Identities::new(&connection),
            operation_feed: OperationFeed::new(&connection, &imports),
            imports,
            keys: Keys::new(&connection),
            leases: Leases::new(&connection),
            load_reports: LoadReports::new(&connection),
            matched_accounts: MatchedAccounts::new(&connection),
            message_notes: MessageNotes::new(&connection),
            messages: Messages::new(&connection),
            own_uploads: OwnUploads::new(&connection),
            pending_accounts: PendingAccounts::new(&connection),
            pending_messages: PendingMessages::new(&connection),
            people: People::new(&connection),
            permissions,
            receipts: Receipts::new(&connection),
            removals: Removals::new(&connection),
            roles: Roles::new(&connection),
            rocketchat_files: RocketChatFiles::new(&connection),
            room_notes: RoomNotes::new(&connection),
            rooms: Rooms::new(&connection),
            selections: Selections::new(&connection),
            settings,
            sources: Sources::new(&connection),
            staged_choice: StagedChoice::new(&connection),
            staged_view: StagedView::new(&connection),
            staging: Staging::new(&connection),
            subscriptions: Subscriptions::new(&connection),
            users: Users::new(&connection),
            webhooks: Webhooks::new(&connection),
            worklists: Worklists::new(&connection),
            connection,
        }
    }
}
