//! A batch of staged users on its way: prepared, stored, and out of the staging area or marked with a reason.

use std::{collections::HashMap, fmt::Write as _};

use tokio::task::spawn_blocking;

use crate::{
    domain::{
        counts::Counts,
        field_value::{Date, FieldValue, Fields},
        new_user::{self, Enrolment, username_of},
        password,
        user_id::user_id_for,
    },
    repository::{Holder, Rejection, Repositories, RepositoryError, StagedId, StagedUser},
};

/// A staged user that is ready to be stored, or why it cannot be.
#[derive(Debug)]
pub(super) struct Prepared {
    id: StagedId,
    account: Result<Fields, String>,
}

/// Makes the account of a staged user. Hashes its password, if it has one, off the threads that do everything else.
pub(super) async fn prepare(staged: StagedUser, email_2fa: bool) -> Prepared {
    let StagedUser { id, data } = staged;
    let account = match data {
        Ok(data) => account_of(&id, &data, email_2fa).await,
        Err(reason) => Err(reason),
    };
    Prepared { id, account }
}

async fn account_of(id: &StagedId, staged: &Fields, email_2fa: bool) -> Result<Fields, String> {
    new_user::check(staged)?;
    let bcrypt = match new_user::password_of(staged) {
        None => password::unusable(),
        Some(clear_text) => {
            let clear_text = clear_text.to_owned();
            let hashed = spawn_blocking(move || password::hash(&clear_text)).await;
            hashed
                .map_err(|error| format!("The password could not be hashed: {error}"))?
                .map_err(|error| format!("The password could not be hashed: {error}"))?
        }
    };
    let enrolment = Enrolment { id: user_id_for(&id.as_text()), bcrypt, email_2fa, now: Date::now() };
    Ok(new_user::new_user(staged, enrolment))
}

impl Prepared {
    /// The values that no two accounts may share.
    pub(super) fn unique_values(&self) -> impl Iterator<Item = UniqueValue> {
        let account = self.account.as_ref().ok();
        let username = account.and_then(username_of).map(|name| UniqueValue::Username(name.to_owned()));
        let addresses = account.into_iter().flat_map(addresses_of);
        username.into_iter().chain(addresses.map(|address| UniqueValue::Email(address.to_owned())))
    }
}

/// A value that no two accounts may share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum UniqueValue {
    Username(String),
    Email(String),
}

/// Stores a batch and gives every record its outcome.
///
/// # Errors
/// When the database does not answer. Some records may have got their outcome; the others are still in the staging area.
pub(super) async fn process(repositories: &Repositories, batch: Vec<Prepared>) -> Result<Counts, RepositoryError> {
    let (mut ids, mut accounts, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for Prepared { id, account } in batch {
        match account {
            Ok(account) => {
                ids.push(id);
                accounts.push(account);
            }
            Err(reason) => failed.push((id, reason)),
        }
    }
    let rejections = repositories.accounts.insert(&accounts).await?;
    let reasons = reasons_of(repositories, &accounts, rejections).await?;
    let mut imported = Vec::with_capacity(ids.len());
    for (position, id) in ids.into_iter().enumerate() {
        match reasons.get(&position) {
            Some(reason) => failed.push((id, reason.clone())),
            None => imported.push(id),
        }
    }
    repositories.staging.remove(&imported).await?;
    repositories.staging.flag(&failed).await?;
    Ok(Counts { completed: imported.len() as u64, error: failed.len() as u64 })
}

/// In words, why accounts were rejected, by their position. One that is there already because an earlier try stored it
/// was not rejected.
async fn reasons_of(
    repositories: &Repositories,
    accounts: &[Fields],
    rejections: Vec<Rejection>,
) -> Result<HashMap<usize, String>, RepositoryError> {
    if rejections.is_empty() {
        return Ok(HashMap::new());
    }
    let mut rejected: Vec<(&Fields, Rejection)> =
        rejections.into_iter().filter_map(|rejection| Some((accounts.get(rejection.position)?, rejection))).collect();
    let own_ids: Vec<&str> = rejected.iter().map(|(account, _)| id_of(account)).collect();
    let stored_before = repositories.accounts.existing(&own_ids).await?;
    rejected.retain(|(account, _)| !stored_before.contains(id_of(account)));
    if rejected.is_empty() {
        return Ok(HashMap::new());
    }
    let usernames: Vec<&str> = rejected.iter().filter_map(|(account, _)| username_of(account)).collect();
    let emails: Vec<&str> = rejected.iter().flat_map(|(account, _)| addresses_of(account)).collect();
    let holders = repositories.accounts.holders(&usernames, &emails).await?;
    let reason = |account, rejection: Rejection| what_is_taken(account, &holders).unwrap_or(rejection.reason);
    Ok(rejected.into_iter().map(|(account, rejection)| (rejection.position, reason(account, rejection))).collect())
}

/// Which user name and addresses are taken, and by whom; `None` if none is.
fn what_is_taken(account: &Fields, holders: &[Holder]) -> Option<String> {
    let mut taken = String::new();
    let mut tell = |what: &str, value: &str, holder: &Holder| {
        let separator = if taken.is_empty() { "" } else { " " };
        let name = holder.username.as_deref().map(|name| format!("{name} ")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(taken, "{separator}The {what} {value} is taken by the user {name}({}).", holder.id);
    };
    if let Some(username) = username_of(account)
        && let Some(holder) = holders.iter().find(|holder| holder.username.as_deref() == Some(username))
    {
        tell("username", username, holder);
    }
    for address in addresses_of(account) {
        if let Some(holder) = holders.iter().find(|holder| holder.emails.iter().any(|held| held == address)) {
            tell("e-mail address", address, holder);
        }
    }
    Some(taken).filter(|taken| !taken.is_empty())
}

fn id_of(account: &Fields) -> &str {
    account.get("_id").and_then(FieldValue::as_text).unwrap_or_default()
}

fn addresses_of(account: &Fields) -> impl Iterator<Item = &str> {
    let emails = match account.get("emails") {
        Some(FieldValue::List(emails)) => emails.as_slice(),
        _ => &[],
    };
    emails.iter().filter_map(|email| email.as_object()?.get("address")?.as_text())
}
