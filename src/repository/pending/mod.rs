//! What imports left to be fetched: the messages that wait for files, the accounts that wait for pictures, and the lists
//! of them that operations work off.

mod accounts;
mod messages;
mod worklist;

pub use accounts::{PendingAccount, PendingAccounts};
pub use messages::{MessageState, PendingMessages, WaitingMessage};
pub use worklist::{ListedRecord, Worklists};
