//! Accounts that are there: finding those that records may belong to, and changing them.

use std::{collections::HashSet, time::Duration};

use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::{
    ClientSession, Collection,
    error::{Result as DriverResult, TRANSIENT_TRANSACTION_ERROR},
    options::{Collation, CollationStrength, WriteConcern},
};
use tokio::{time::sleep, try_join};

use super::{
    accounts::reason_of,
    activity::{ADMINISTRATOR, Activity, Leave, Succession},
};
use crate::{
    domain::{
        document::{FieldChange, PASSWORD_HASH, account::PLACEHOLDER},
        field_value::{Date, FieldValue, Fields},
        new_user::{REQUIRE_PASSWORD_CHANGE, stored_hash},
    },
    repository::{
        Connection, RepositoryError,
        access::users::COLLECTION,
        bson::{read::read_fields, write::document_of},
        connection::error::{UNAUTHORIZED, code_of, has_code, is_duplicate_key},
    },
};

/// The language of Rocket.Chat's indexes that ignore the letter case.
///
/// Source: `packages/models/src/models/Users.ts` (`username_insensitive`, `emails.address_insensitive`).
const COLLATION_LOCALE: &str = "en";
/// Everything that matching reads of an account. No secrets are among it.
const SHOWN: [&str; 18] = [
    "_id",
    "username",
    "emails",
    "importIds",
    "name",
    "bio",
    "statusText",
    "utcOffset",
    "_pendingAvatarUrl",
    "avatarETag",
    "customFields",
    "roles",
    "type",
    "active",
    "federated",
    "inactiveReason",
    REQUIRE_PASSWORD_CHANGE,
    PLACEHOLDER,
];

/// As many other administrators are looked at.
const MOST_ADMINISTRATORS: i64 = 200;

/// The pause before a transaction is tried again that met another one.
const TRANSACTION_PAUSE: Duration = Duration::from_millis(20);

/// Finds and changes accounts that are there.
#[derive(Debug, Clone)]
pub struct MatchedAccounts {
    connection: Connection,
    accounts: Collection<RawDocumentBuf>,
    activity: Activity,
}

/// What accounts may be found by. Repetitions do no harm.
#[derive(Debug, Clone, Default)]
pub struct SoughtAccounts {
    /// `_id`s of accounts.
    pub ids: Vec<String>,
    pub import_ids: Vec<String>,
    /// In any letter case.
    pub emails: Vec<String>,
    /// In any letter case.
    pub usernames: Vec<String>,
}

/// A change of one account.
#[derive(Debug, Clone, Copy)]
pub struct AccountChange<'a> {
    /// The account's `_id`.
    pub account: &'a str,
    pub changes: &'a [FieldChange],
    /// Whether the account stood in for somebody who is there now.
    pub ends_placeholder: bool,
}

/// What became of an [`AccountChange`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeOutcome {
    Changed,
    /// The account is inactive now.
    Deactivated(Succession),
    /// The account is gone, or has other values than those that were read.
    Outdated,
    /// Nobody would administrate the workspace any more.
    LastAdministrator,
    /// The database refused it, for this reason.
    Refused(String),
}

impl MatchedAccounts {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
            accounts: connection.collection(COLLECTION),
            activity: Activity::new(connection),
        }
    }

    /// The accounts with one of these values, in any order; one may come more than once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, sought: &SoughtAccounts) -> Result<Vec<Fields>, RepositoryError> {
        let SoughtAccounts { ids, import_ids, emails, usernames } = sought;
        // Side by side: each by an index of its own.
        let (by_id, by_import_id, by_email, by_username) = try_join!(
            self.with("_id", ids, None),
            self.with("importIds", import_ids, None),
            self.with("emails.address", emails, Some(any_letter_case())),
            self.with("username", usernames, Some(any_letter_case())),
        )?;
        Ok([by_id, by_import_id, by_email, by_username].concat())
    }

    /// The accounts whose field has one of the values.
    async fn with(
        &self,
        field: &str,
        values: &[String],
        collation: Option<Collation>,
    ) -> Result<Vec<Fields>, RepositoryError> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let shown: Document = SHOWN.iter().map(|field| ((*field).to_owned(), Bson::Int32(1))).collect();
        let mut query = self.accounts.find(doc! { field: { "$in": values } }).projection(shown);
        if let Some(collation) = collation {
            query = query.collation(collation);
        }
        let (mut accounts, mut found) = (query.await?, Vec::new());
        while let Some(account) = accounts.try_next().await? {
            let account = read_fields(&account);
            found.push(account.map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })?);
        }
        Ok(found)
    }

    /// The hash of an account's password; `None` for an account without one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn password_hash(&self, account: &str) -> Result<Option<FieldValue>, RepositoryError> {
        let found = self.accounts.find_one(doc! { "_id": account }).projection(doc! { PASSWORD_HASH: 1 }).await?;
        let Some(found) = found else { return Ok(None) };
        let found =
            read_fields(&found).map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })?;
        Ok(stored_hash(&found).cloned())
    }

    /// The `_id`s of the first administrators who are active, without this one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn other_administrators(&self, account: &str) -> Result<Vec<String>, RepositoryError> {
        let others = doc! { "roles": ADMINISTRATOR, "active": true, "_id": { "$ne": account } };
        let found = self.accounts.find(others).projection(doc! { "_id": 1 }).limit(MOST_ADMINISTRATORS).await?;
        let ids = found.try_filter_map(|account| async move { Ok(account.get_str("_id").ok().map(str::to_owned)) });
        Ok(ids.try_collect().await?)
    }

    /// Changes an account whose fields are still as they were read; stored by a majority.
    ///
    /// # Errors
    /// When the database does not answer. The account may have been changed all the same.
    pub async fn change(&self, change: AccountChange<'_>, now: Date) -> Result<ChangeOutcome, RepositoryError> {
        let AccountChange { account, changes, ends_placeholder } = change;
        let read = |field: &str, value: Option<&FieldValue>| match value {
            Some(value) => (field.to_owned(), bson_of(field, value)),
            None => (field.to_owned(), Bson::Document(doc! { "$exists": false })),
        };
        let mut unchanged = doc! { "_id": account };
        unchanged.extend(changes.iter().map(|change| read(&change.field, change.before.as_ref())));
        let mut values: Document =
            changes.iter().map(|change| (change.field.clone(), bson_of(&change.field, &change.after))).collect();
        if activity_of(changes) == Some(false) {
            // Rocket.Chat's API looks at nothing but the token.
            values.insert("services.resume.loginTokens", Bson::Array(Vec::new()));
        }
        values.insert("_updatedAt", bson_of("_updatedAt", &FieldValue::Date(now)));
        let mut update = doc! { "$set": values };
        let mut gone = Document::new();
        if activity_of(changes) == Some(true) {
            gone.insert("inactiveReason", 1);
        }
        if ends_placeholder {
            gone.insert(PLACEHOLDER, 1);
        }
        if changes.iter().any(FieldChange::is_secret) {
            // A link by which somebody may choose a password is for the one before, as in Rocket.Chat.
            gone.insert("services.password.reset", 1);
        }
        if !gone.is_empty() {
            update.insert("$unset", gone);
        }
        let changed = match activity_of(changes) {
            Some(activity) => {
                match self.change_activity(account, (unchanged.clone(), update.clone()), activity, now).await {
                    // The database user for users alone may not touch the placeholder's direct messages.
                    Err(error) if ends_placeholder && has_code(&error, &[UNAUTHORIZED]) => {
                        self.change_alone(unchanged, update).await
                    }
                    changed => changed,
                }
            }
            None => self.change_alone(unchanged, update).await,
        };
        match changed {
            Ok(outcome) => Ok(outcome),
            Err(error) if is_duplicate_key(&error) => {
                Ok(ChangeOutcome::Refused(reason_of(code_of(&error).unwrap_or_default(), &error.to_string())))
            }
            Err(error) => match RepositoryError::from(error) {
                error if error.is_about_documents() => {
                    Ok(ChangeOutcome::Refused(format!("The account cannot be changed: {error}.")))
                }
                error => Err(error),
            },
        }
    }

    async fn change_alone(&self, unchanged: Document, update: Document) -> DriverResult<ChangeOutcome> {
        Ok(outcome_of(self.accounts.update_one(unchanged, update).await?.matched_count))
    }

    /// Makes an update that ends or begins the account's activity, with all that goes with it, unless nobody would administrate
    /// any more: in one transaction, which is tried again where it meets another one.
    async fn change_activity(
        &self,
        account: &str,
        (unchanged, update): (Document, Document),
        is_active: bool,
        now: Date,
    ) -> DriverResult<ChangeOutcome> {
        let mut session = self.connection.session().await?;
        loop {
            session.start_transaction().write_concern(WriteConcern::majority()).await?;
            let change = (unchanged.clone(), update.clone());
            let outcome = self.change_activity_within(&mut session, account, change, is_active, now).await;
            let ended = match outcome {
                Ok(outcome) => session.commit_transaction().await.map(|()| outcome),
                Err(error) => {
                    // An error of this says nothing new.
                    let _ = session.abort_transaction().await;
                    Err(error)
                }
            };
            match ended {
                Err(error) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => sleep(TRANSACTION_PAUSE).await,
                ended => return ended,
            }
        }
    }

    async fn change_activity_within(
        &self,
        session: &mut ClientSession,
        account: &str,
        (unchanged, update): (Document, Document),
        is_active: bool,
        now: Date,
    ) -> DriverResult<ChangeOutcome> {
        let moment = DateTime::from_millis(now.epoch_millis());
        if is_active {
            // Before the update, which may give another name: others know the person by this one.
            let username = self.activity.username(session, account).await?;
            let result = self.accounts.update_one(unchanged, update).session(&mut *session).await?;
            let outcome = outcome_of(result.matched_count);
            if outcome == ChangeOutcome::Changed {
                self.activity.begin(session, account, username.as_deref(), moment).await?;
            }
            return Ok(outcome);
        }
        match self.activity.look_at(session, account, &HashSet::new()).await? {
            Leave::LastAdministrator => Ok(ChangeOutcome::LastAdministrator),
            Leave::Possible(leaving) => {
                let result = self.accounts.update_one(unchanged, update).session(&mut *session).await?;
                if outcome_of(result.matched_count) == ChangeOutcome::Outdated {
                    return Ok(ChangeOutcome::Outdated);
                }
                self.activity.end(session, account, &leaving, moment).await?;
                Ok(ChangeOutcome::Deactivated(leaving.succession))
            }
            Leave::Gone | Leave::Inactive | Leave::Federated => Ok(ChangeOutcome::Outdated),
        }
    }
}

/// The outcome of an update that found so many accounts.
const fn outcome_of(found: u64) -> ChangeOutcome {
    if found == 1 { ChangeOutcome::Changed } else { ChangeOutcome::Outdated }
}

/// Whether the account is active after the changes; `None` where they leave it as it is.
fn activity_of(changes: &[FieldChange]) -> Option<bool> {
    changes.iter().find(|change| change.field == "active").map(|change| change.after == FieldValue::Boolean(true))
}

fn any_letter_case() -> Collation {
    Collation::builder().locale(COLLATION_LOCALE).strength(CollationStrength::Secondary).build()
}

fn bson_of(field: &str, value: &FieldValue) -> Bson {
    document_of(&Fields::from_iter([(field, value.clone())])).remove(field).unwrap_or(Bson::Null)
}
