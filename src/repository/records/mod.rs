//! The documents an import makes.

mod accounts;
mod activity;
mod bulk;
mod contacts;
mod identities;
mod matched_accounts;
mod messages;
mod people;
mod rooms;
mod subscriptions;

pub use accounts::{Accounts, Holder, Rejection};
pub(in crate::repository) use activity::{Activity, Leave, is_active};
pub use activity::{NewOwner, Succession};
pub use bulk::RefusedBecause;
pub use contacts::Contacts;
pub use identities::{Identities, Identity};
pub use matched_accounts::{AccountChange, ChangeOutcome, MatchedAccounts, SoughtAccounts};
pub use messages::Messages;
pub use people::{JoinedPeople, People};
pub(in crate::repository) use rooms::COLLECTION as ROOMS;
pub use rooms::{RoomGrowth, RoomInserted, Rooms, RoomsWanted, mentioned};
pub(in crate::repository) use subscriptions::COLLECTION as SUBSCRIPTIONS;
pub use subscriptions::{Joining, Subscriptions};
