//! The deactivation of accounts, with all that Rocket.Chat does along with it, in one transaction for each account.
//!
//! Source: `apps/meteor/app/lib/server/functions/setUserActiveStatus.ts` and what it calls. Unlike there, no room is erased,
//! conversations of Omnichannel are not closed and no mail is sent.

use std::collections::HashSet;

use bson::{DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::{ClientSession, Collection, error::Result as DriverResult};

use super::{AT_A_TIME, COLLECTION, is_active, keys};
use crate::repository::{
    Connection, LeftAccount, Receipts, RepositoryError,
    access::users,
    import::RECEIPTS,
    records::{ROOMS, SUBSCRIPTIONS},
};

const ADMINISTRATOR: &str = "admin";
const OWNER: &str = "owner";

/// Deactivates accounts.
#[derive(Debug, Clone)]
pub struct Deactivations {
    connection: Connection,
    entries: Collection<Document>,
    accounts: Collection<Document>,
    subscriptions: Collection<Document>,
    rooms: Collection<Document>,
    receipts: Collection<Document>,
}

/// The account of somebody whom the source no longer holds.
#[derive(Debug, Clone, Copy)]
pub struct Leaver<'a> {
    /// The account's `_id`.
    pub account: &'a str,
    pub source: &'a str,
    /// The import ids that came from the source.
    pub import_ids: &'a [String],
    /// The operation in whose receipt the deactivation stands.
    pub operation: Option<&'a str>,
}

/// What becomes of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deactivation {
    Deactivated {
        new_owners: Vec<NewOwner>,
        /// The `_id`s of rooms in which nobody else is active. The account stays their owner.
        left_rooms: Vec<String>,
    },
    /// It was inactive before.
    Inactive,
    /// There is no such account any more.
    Gone,
    /// Nobody would administrate the workspace any more.
    LastAdministrator,
    /// Another server has the say.
    Federated,
}

/// Somebody who becomes an owner of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOwner {
    /// The room's `_id`.
    pub room: String,
    /// The account's `_id`.
    pub account: String,
}

/// The steps that an account takes.
enum Decision {
    Over(Deactivation),
    Deactivate {
        username: Option<String>,
        /// An administrator who stays, where the account is one.
        other_administrator: Option<String>,
        new_owners: Vec<NewOwner>,
        left_rooms: Vec<String>,
    },
}

impl Deactivations {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
            entries: connection.collection(COLLECTION),
            accounts: connection.collection(users::COLLECTION),
            subscriptions: connection.collection(SUBSCRIPTIONS),
            rooms: connection.collection(ROOMS),
            receipts: connection.collection(RECEIPTS),
        }
    }

    /// Says what [`Deactivations::deactivate`] would do once the accounts `gone` are deactivated.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn foresee(&self, leaver: Leaver<'_>, gone: &HashSet<String>) -> Result<Deactivation, RepositoryError> {
        let mut session = self.connection.session().await?;
        Ok(match self.decide(&mut session, leaver.account, gone).await? {
            Decision::Over(outcome) => outcome,
            Decision::Deactivate { new_owners, left_rooms, .. } => Deactivation::Deactivated { new_owners, left_rooms },
        })
    }

    /// Deactivates the account and stores with its import ids that this was done: both or nothing.
    ///
    /// # Errors
    /// When the database does not answer. It may have been done all the same.
    pub async fn deactivate(&self, leaver: Leaver<'_>, receipts: &Receipts) -> Result<Deactivation, RepositoryError> {
        let mut outcome = Deactivation::Gone;
        self.connection
            .transaction(async |session| {
                outcome = self.deactivate_within(session, leaver, receipts).await?;
                Ok(())
            })
            .await?;
        Ok(outcome)
    }

    async fn deactivate_within(
        &self,
        session: &mut ClientSession,
        leaver: Leaver<'_>,
        receipts: &Receipts,
    ) -> DriverResult<Deactivation> {
        let Leaver { account, source, import_ids, operation } = leaver;
        let now = DateTime::now();
        let outcome = match self.decide(session, account, &HashSet::new()).await? {
            Decision::Over(outcome) => outcome,
            Decision::Deactivate { username, other_administrator, new_owners, left_rooms } => {
                if let Some(other) = other_administrator {
                    // A write, so that the database refuses one of two transactions that would each rely on the other's
                    // administrator, and one that meets a deactivation by Rocket.Chat.
                    let touch = doc! { "$set": { "_updatedAt": now } };
                    self.accounts.update_one(doc! { "_id": other }, touch).session(&mut *session).await?;
                }
                for NewOwner { room, account } in &new_owners {
                    let member = doc! { "rid": room, "u._id": account };
                    let change = doc! { "$addToSet": { "roles": OWNER }, "$set": { "_updatedAt": now } };
                    self.subscriptions.update_one(member, change).session(&mut *session).await?;
                }
                // REST looks at nothing but the tokens.
                let change = doc! { "$set": { "active": false, "services.resume.loginTokens": [], "_updatedAt": now } };
                self.accounts.update_one(doc! { "_id": account }, change).session(&mut *session).await?;
                if let Some(operation) = operation {
                    let (id, source) = (account.to_owned(), source.to_owned());
                    let left = LeftAccount { id, username: username.clone(), import_ids: import_ids.to_vec(), source };
                    self.note(session, receipts.of_left(operation, &left)).await?;
                }
                if let Some(username) = username {
                    let change = doc! { "$set": { "archived": true, "_updatedAt": now } };
                    let partners = doc! { "t": "d", "name": username };
                    self.subscriptions.update_many(partners, change).session(&mut *session).await?;
                }
                let change = doc! { "$set": { "ro": true, "reactWhenReadOnly": false, "_updatedAt": now } };
                let rooms = doc! { "t": "d", "uids": { "$size": 2, "$in": [account] } };
                self.rooms.update_many(rooms, change).session(&mut *session).await?;
                Deactivation::Deactivated { new_owners, left_rooms }
            }
        };
        if let Some(word) = outcome.left_word() {
            let left = doc! { "$set": { "left": { "at": now, "account": account, "outcome": word } } };
            let ids: Vec<&str> = import_ids.iter().map(String::as_str).collect();
            self.entries.update_many(keys(source, &ids), left).session(&mut *session).await?;
        }
        Ok(outcome)
    }

    /// Stores what the receipt says, unless it says so already.
    async fn note(&self, session: &mut ClientSession, receipt: Document) -> DriverResult<()> {
        let same = doc! { "_id": receipt.get_str("_id").unwrap_or_default() };
        if self.receipts.find_one(same).session(&mut *session).await?.is_none() {
            self.receipts.insert_one(receipt).session(&mut *session).await?;
        }
        Ok(())
    }

    async fn decide(
        &self,
        session: &mut ClientSession,
        account: &str,
        gone: &HashSet<String>,
    ) -> DriverResult<Decision> {
        let shown = doc! { "username": 1, "roles": 1, "active": 1, "federated": 1 };
        let found = self.accounts.find_one(doc! { "_id": account }).projection(shown).session(&mut *session).await?;
        let Some(found) = found else { return Ok(Decision::Over(Deactivation::Gone)) };
        if !is_active(&found) {
            return Ok(Decision::Over(Deactivation::Inactive));
        }
        if found.get_bool("federated").unwrap_or(false) {
            return Ok(Decision::Over(Deactivation::Federated));
        }
        let roles = found.get_array("roles").map(Vec::as_slice).unwrap_or_default();
        let mut other_administrator = None;
        if roles.iter().any(|role| role.as_str() == Some(ADMINISTRATOR)) {
            let without: Vec<&str> = gone.iter().map(String::as_str).chain([account]).collect();
            let others = doc! { "roles": ADMINISTRATOR, "active": true, "_id": { "$nin": without } };
            let other = self.accounts.find_one(others).projection(doc! { "_id": 1 }).session(&mut *session).await?;
            other_administrator = other.and_then(|other| other.get_str("_id").ok().map(str::to_owned));
            if other_administrator.is_none() {
                return Ok(Decision::Over(Deactivation::LastAdministrator));
            }
        }
        let username = found.get_str("username").ok().map(str::to_owned);
        let (mut new_owners, mut left_rooms) = (Vec::new(), Vec::new());
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
                    Some(account) => new_owners.push(NewOwner { room, account }),
                    None => left_rooms.push(room),
                }
            }
        }
        Ok(Decision::Deactivate { username, other_administrator, new_owners, left_rooms })
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
            let wanted = doc! { "_id": { "$in": part }, "active": true };
            let mut found = self.accounts.find(wanted).projection(doc! { "_id": 1 }).session(&mut *session).await?;
            let found: Vec<Document> = found.stream(&mut *session).try_collect().await?;
            let active: HashSet<&str> = found.iter().filter_map(|account| account.get_str("_id").ok()).collect();
            if let Some(first) = part.iter().find(|id| active.contains(*id)) {
                return Ok(Some((*first).to_owned()));
            }
        }
        Ok(None)
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

impl Deactivation {
    /// The word that is stored where nothing is left to do for the account.
    const fn left_word(&self) -> Option<&'static str> {
        match self {
            Self::Deactivated { .. } => Some("deactivated"),
            Self::Inactive => Some("inactive"),
            Self::Gone => Some("gone"),
            Self::LastAdministrator | Self::Federated => None,
        }
    }
}
