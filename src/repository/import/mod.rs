//! The import itself: operations, the staging area, leases on runs, receipts, removals, and the feed of changes.

mod feed;
mod file_operations;
mod filling;
mod keys;
mod leased_operation;
mod leases;
mod load_reports;
mod making;
mod message_notes;
mod newest_operation;
pub(in crate::repository) mod operations;
mod part;
mod pending_operations;
mod receipt_records;
mod receipts;
mod removals;
mod resuming;
mod room_notes;
mod selections;
mod staged_choice;
mod staged_filters;
mod staged_id;
mod staged_removal;
mod staged_view;
mod staging;
mod stored_rules;

pub use feed::{ClusterTime, OperationFeed, Reading, Snapshot};
pub use file_operations::{FileOfOperation, FileUse};
pub use filling::{NewRecord, QuickInsert};
pub use keys::{IdempotentCall, KeyUse, Keys};
pub use leased_operation::{FetchedBytes, IfInvalid, LeasedOperation, MessagesStatus, OperationUpdate, WriteOutcome};
pub use leases::{Checkpoint, Claim, Lease, Leases, RunStart, Terms};
pub(crate) use leases::{LEASE_LIFETIME, LEASE_RENEWAL_INTERVAL};
pub use load_reports::LoadReports;
pub use message_notes::{MessageNote, MessageNotes, NotedPlace, PlacedNote, SourceRecord};
pub use operations::{Imports, StageOutcome};
pub use part::Part;
pub use pending_operations::Origin;
pub use receipt_records::{ReceiptRecords, Which};
pub(in crate::repository) use receipts::COLLECTION as RECEIPTS;
pub use receipts::{
    BatchReceipt, ChangedField, JoinedRoom, LastMessage, LeftAccount, PlannedBatch, PlannedChange, ReceiptOutcome,
    ReceiptSummary, Receipts, RecordReceipt, RoomReceipt,
};
pub(crate) use receipts::{FENCE_WIDTH, RECEIPT_LIFETIME};
pub use removals::{Removal, RemovalTask, Removals};
pub use resuming::{Resumption, ResumptionCause};
pub use room_notes::{RoomNote, RoomNotes};
pub use selections::Selections;
pub use staged_choice::{ChoosableRecord, Mark, MessageLinks, StagedChoice};
pub use staged_id::StagedId;
pub use staged_removal::Discarded;
pub use staged_view::StagedView;
pub(crate) use staging::can_be_staged;
pub use staging::{Gap, StagedRecord, Staging};
