//! Whether accounts are active, and all that Rocket.Chat does along with it.
//!
//! Source: `apps/meteor/app/lib/server/functions/setUserActiveStatus.ts` and what it calls. Unlike there, no room is erased,
//! conversations of Omnichannel are not closed and no mail is sent.

use std::collections::HashSet;

use bson::{DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::{ClientSession, Collection, error::Result as DriverResult};

use super::{ROOMS, SUBSCRIPTIONS};
use crate::repository::{Connection, access::users};

/// The role without which nobody can administrate.
pub(super) const ADMINISTRATOR: &str = "admin";
const OWNER: &str = "owner";
/// As many people go into one command.
const AT_A_TIME: usize = 1000;

/// Ends and begins the activity of accounts, within transactions of the caller.
#[derive(Debug, Clone)]
pub(in crate::repository) struct Activity {
    accounts: Collection<Document>,
    subscriptions: Collection<Document>,
    rooms: Collection<Document>,
}

/// Somebody who becomes an owner of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOwner {
    /// The room's `_id`.
    pub room: String,
    /// The account's `_id`.
    pub account: String,
}

/// What becomes of the rooms that an account alone owns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Succession {
    pub new_owners: Vec<NewOwner>,
    /// The `_id`s of rooms in which nobody else is active. The account stays their owner.
    pub left_rooms: Vec<String>,
}

/// Whether an account can be deactivated.
pub(in crate::repository) enum Leave {
    /// There is no such account.
    Gone,
    /// It was inactive before.
    Inactive,
    /// Another server has the say.
    Federated,
    /// Nobody would administrate the workspace any more.
    LastAdministrator,
    Possible(Leaving),
}

/// An account that can be deactivated.
pub(in crate::repository) struct Leaving {
    pub(in crate::repository) username: Option<String>,
    /// An administrator who stays, where the account is one.
    other_administrator: Option<String>,
    pub(in crate::repository) succession: Succession,
}

/// Whether an account is active. One that says nothing about it is.
pub(in crate::repository) fn is_active(account: &Document) -> bool {
    account.get_bool("active").unwrap_or(true)
}

impl Activity {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self {
            accounts: connection.collection(users::COLLECTION),
            subscriptions: connection.collection(SUBSCRIPTIONS),
            rooms: connection.collection(ROOMS),
        }
    }

    /// The account's user name.
    pub(in crate::repository) async fn username(
        &self,
        session: &mut ClientSession,
        account: &str,
    ) -> DriverResult<Option<String>> {
        let query = self.accounts.find_one(doc! { "_id": account }).projection(doc! { "username": 1 });
        let found = query.session(&mut *session).await?;
        Ok(found.and_then(|found| found.get_str("username").ok().map(str::to_owned)))
    }

    /// Does what goes with the end of the account's activity, but for the account itself.
    pub(in crate::repository) async fn end(
        &self,
        session: &mut ClientSession,
        account: &str,
        leaving: &Leaving,
        now: DateTime,
    ) -> DriverResult<()> {
        if let Some(other) = &leaving.other_administrator {
            // A write, so that the database refuses one of two transactions that would each rely on the other's
            // administrator, and one that meets a deactivation by Rocket.Chat.
            let touch = doc! { "$set": { "_updatedAt": now } };
            self.accounts.update_one(doc! { "_id": other }, touch).session(&mut *session).await?;
        }
        for NewOwner { room, account } in &leaving.succession.new_owners {
            let member = doc! { "rid": room, "u._id": account };
            let change = doc! { "$addToSet": { "roles": OWNER }, "$set": { "_updatedAt": now } };
            self.subscriptions.update_one(member, change).session(&mut *session).await?;
        }
        self.archive_partners(session, leaving.username.as_deref(), true, now).await?;
        let change = doc! { "$set": { "ro": true, "reactWhenReadOnly": false, "_updatedAt": now } };
        self.rooms.update_many(direct_messages_of(account), change).session(&mut *session).await?;
        Ok(())
    }

    /// Does what goes with the beginning of the account's activity, but for the account itself: its direct messages with
    /// people who are active can be written to again.
    pub(in crate::repository) async fn begin(
        &self,
        session: &mut ClientSession,
        account: &str,
        username: Option<&str>,
        now: DateTime,
    ) -> DriverResult<()> {
        self.archive_partners(session, username, false, now).await?;
        let query = self.rooms.find(direct_messages_of(account)).projection(doc! { "uids": 1 });
        let mut rooms = query.session(&mut *session).await?;
        let rooms: Vec<Document> = rooms.stream(&mut *session).try_collect().await?;
        let partner = |room: &Document| {
            let mut people = room.get_array("uids").ok()?.iter().filter_map(|id| id.as_str());
            people.find(|id| *id != account).map(str::to_owned)
        };
        let partners: Vec<(&str, String)> =
            rooms.iter().filter_map(|room| Some((room.get_str("_id").ok()?, partner(room)?))).collect();
        for part in partners.chunks(AT_A_TIME) {
            let people: Vec<&str> = part.iter().map(|(_, partner)| partner.as_str()).collect();
            let active = self.active_of(session, &people).await?;
            let rooms: Vec<&str> =
                part.iter().filter(|(_, partner)| active.contains(partner)).map(|(room, _)| *room).collect();
            let change = doc! { "$set": { "ro": false, "reactWhenReadOnly": false, "_updatedAt": now } };
            self.rooms.update_many(doc! { "_id": { "$in": rooms } }, change).session(&mut *session).await?;
        }
        Ok(())
    }

    /// Archives the direct messages that others have with the person, or shows them again.
    async fn archive_partners(
        &self,
        session: &mut ClientSession,
        username: Option<&str>,
        archived: bool,
        now: DateTime,
    ) -> DriverResult<()> {
        let Some(username) = username else { return Ok(()) };
        let change = doc! { "$set": { "archived": archived, "_updatedAt": now } };
        let partners = doc! { "t": "d", "name": username };
        self.subscriptions.update_many(partners, change).session(&mut *session).await?;
        Ok(())
    }

    /// Finds out whether the account can be deactivated once the accounts `gone` are.
    pub(in crate::repository) async fn look_at(
        &self,
        session: &mut ClientSession,
        account: &str,
        gone: &HashSet<String>,
    ) -> DriverResult<Leave> {
        let shown = doc! { "username": 1, "roles": 1, "active": 1, "federated": 1 };
        let found = self.accounts.find_one(doc! { "_id": account }).projection(shown).session(&mut *session).await?;
        let Some(found) = found else { return Ok(Leave::Gone) };
        if !is_active(&found) {
            return Ok(Leave::Inactive);
        }
        if found.get_bool("federated").unwrap_or(false) {
            return Ok(Leave::Federated);
        }
        let roles = found.get_array("roles").map(Vec::as_slice).unwrap_or_default();
        let mut other_administrator = None;
        if roles.iter().any(|role| role.as_str() == Some(ADMINISTRATOR)) {
            let without: Vec<&str> = gone.iter().map(String::as_str).chain([account]).collect();
            let others = doc! { "roles": ADMINISTRATOR, "active": true, "_id": { "$nin": without } };
            let other = self.accounts.find_one(others).projection(doc! { "_id": 1 }).session(&mut *session).await?;
            other_administrator = other.and_then(|other| other.get_str("_id").ok().map(str::to_owned));
            if other_administrator.is_none() {
                return Ok(Leave::LastAdministrator);
            }
        }
        let username = found.get_str("username").ok().map(str::to_owned);
        let mut succession = Succession::default();
        // As in Rocket.Chat: without a name nobody owns anything.
        if username.is_some() {
            let owned = doc! { "u._id": account, "t": { "$nin": ["d", "l"] }, "roles": OWNER };
            for room in self.texts(session, owned, "rid").await? {
                let members = self.members(session, &room, doc! { "roles": OWNER }).await?;
                if self.first_active(session, &members, account, gone).await?.is_some() {
                    continue;
                }
                let members = self.members(session, &room, doc! {}).await?;
                match self.first_active(session, &members, account, gone).await? {
                    Some(account) => succession.new_owners.push(NewOwner { room, account }),
                    None => succession.left_rooms.push(room),
                }
            }
        }
        Ok(Leave::Possible(Leaving { username, other_administrator, succession }))
    }

    /// The `_id`s of the room's members, the oldest first.
    async fn members(&self, session: &mut ClientSession, room: &str, more: Document) -> DriverResult<Vec<String>> {
        let mut members = doc! { "rid": room };
        members.extend(more);
        self.texts(session, members, "u._id").await
    }

    /// The first of these people, without the leaver and those who are `gone`, whose account is active.
    async fn first_active(
        &self,
        session: &mut ClientSession,
        people: &[String],
        leaver: &str,
        gone: &HashSet<String>,
    ) -> DriverResult<Option<String>> {
        let people: Vec<&str> =
            people.iter().map(String::as_str).filter(|id| *id != leaver && !gone.contains(*id)).collect();
        for part in people.chunks(AT_A_TIME) {
            let active = self.active_of(session, part).await?;
            if let Some(first) = part.iter().find(|id| active.contains(**id)) {
                return Ok(Some((*first).to_owned()));
            }
        }
        Ok(None)
    }

    /// The `_id`s of those of these people who are active.
    async fn active_of(&self, session: &mut ClientSession, people: &[&str]) -> DriverResult<HashSet<String>> {
        let wanted = doc! { "_id": { "$in": people }, "active": true };
        let mut found = self.accounts.find(wanted).projection(doc! { "_id": 1 }).session(&mut *session).await?;
        let found: Vec<Document> = found.stream(&mut *session).try_collect().await?;
        Ok(found.iter().filter_map(|account| account.get_str("_id").ok().map(str::to_owned)).collect())
    }

    /// One field of subscriptions, those of the oldest first.
    async fn texts(&self, session: &mut ClientSession, wanted: Document, field: &str) -> DriverResult<Vec<String>> {
        let query = self.subscriptions.find(wanted).projection(doc! { field: 1 }).sort(doc! { "ts": 1, "_id": 1 });
        let mut found = query.session(&mut *session).await?;
        let found: Vec<Document> = found.stream(&mut *session).try_collect().await?;
        let text = |subscription: &Document| {
            let (holder, field) = match field.split_once('.') {
                Some((holder, field)) => (subscription.get_document(holder).ok()?, field),
                None => (subscription, field),
            };
            holder.get_str(field).ok().map(str::to_owned)
        };
        Ok(found.iter().filter_map(text).collect())
    }
}

fn direct_messages_of(account: &str) -> Document {
    doc! { "t": "d", "uids": { "$size": 2, "$in": [account] } }
}
