//! New accounts into the database, and in words why one is not taken.

use std::{collections::HashMap, fmt::Write as _, ops::Range};

use crate::{
    domain::{
        field_value::{FieldValue, Fields},
        matching::{LINK_OFFER, SUFFIX_OFFER, is_same},
        new_user::username_of,
    },
    repository::{Accounts, Holder, Rejection, RepositoryError},
};

/// Rejected accounts whose reasons are looked up with one query.
const EXPLAINED_AT_A_TIME: usize = 500;
/// Addresses of one account among which the reason is looked for.
const EXPLAINED_ADDRESSES: usize = 1000;

/// Stores new accounts; for those that were rejected the reason, by their position. An account that an earlier try stored
/// was not rejected.
pub(super) async fn create(accounts: &Accounts, new: &[&Fields]) -> Result<HashMap<usize, String>, RepositoryError> {
    let rejections = insert(accounts, new).await?;
    reasons(accounts, new, rejections).await
}

/// Inserts accounts; the rejected ones with their position. A batch that is refused as a whole is halved until the
/// account to blame is alone.
async fn insert(store: &Accounts, accounts: &[&Fields]) -> Result<Vec<Rejection>, RepositoryError> {
    let mut rejections = Vec::new();
    let everything: Range<usize> = 0..accounts.len();
    let mut parts = vec![everything];
    while let Some(part) = parts.pop() {
        match store.insert(&accounts[part.clone()]).await {
            Ok(rejected) => rejections.extend(
                rejected
                    .into_iter()
                    .map(|rejection| Rejection { position: part.start + rejection.position, ..rejection }),
            ),
            Err(error) if error.is_about_documents() && part.len() > 1 => {
                let middle = part.start + part.len() / 2;
                parts.extend([middle..part.end, part.start..middle]);
            }
            Err(error) if error.is_about_documents() => {
                rejections.push(Rejection { position: part.start, reason: not_stored(&error, accounts[part.start]) });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(rejections)
}

/// In words, why accounts were rejected, by their position.
async fn reasons(
    store: &Accounts,
    accounts: &[&Fields],
    rejections: Vec<Rejection>,
) -> Result<HashMap<usize, String>, RepositoryError> {
    if rejections.is_empty() {
        return Ok(HashMap::new());
    }
    let mut rejected: Vec<(&Fields, Rejection)> =
        rejections.into_iter().filter_map(|rejection| Some((*accounts.get(rejection.position)?, rejection))).collect();
    let own_ids: Vec<&str> = rejected.iter().map(|(account, _)| id_of(account)).collect();
    let stored_before = store.existing(&own_ids).await?;
    rejected.retain(|(account, _)| !stored_before.contains(id_of(account)));
    let mut reasons = HashMap::with_capacity(rejected.len());
    for part in rejected.chunks(EXPLAINED_AT_A_TIME) {
        let usernames: Vec<&str> = part.iter().filter_map(|(account, _)| username_of(account)).collect();
        let emails =
            part.iter().flat_map(|(account, _)| addresses_of(account).take(EXPLAINED_ADDRESSES)).collect::<Vec<_>>();
        let holders = store.holders(&usernames, &emails).await?;
        for (account, rejection) in part {
            let reason = what_is_taken(account, &holders).unwrap_or_else(|| rejection.reason.clone());
            reasons.insert(rejection.position, reason);
        }
    }
    Ok(reasons)
}

/// Why a single account was refused, without any of its values.
fn not_stored(error: &RepositoryError, account: &Fields) -> String {
    let addresses = addresses_of(account).count();
    format!("The account cannot be stored, perhaps because it is too large ({addresses} e-mail addresses): {error}.")
}

/// Which user name and addresses are taken, and by whom; `None` if none is. One account that has the addresses is the same
/// person's, so the reason offers to link it. An account with other addresses is another person's, so the reason offers
/// another name.
pub(super) fn what_is_taken(account: &Fields, holders: &[Holder]) -> Option<String> {
    let mut taken = String::new();
    let mut tell = |what: &str, value: &str, holder: &Holder| {
        let separator = if taken.is_empty() { "" } else { " " };
        let name = holder.username.as_deref().map(|name| format!("{name} ")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(taken, "{separator}The {what} {value} is taken by the user {name}({}).", holder.id);
    };
    let username = username_of(account).unwrap_or_default();
    let namesake = holders.iter().find(|holder| holder.username.as_deref() == Some(username));
    if let Some(holder) = namesake {
        tell("username", username, holder);
    }
    for address in addresses_of(account) {
        if let Some(holder) = holders.iter().find(|holder| holder.emails.iter().any(|held| held == address)) {
            tell("e-mail address", address, holder);
        }
    }
    if taken.is_empty() {
        return None;
    }
    let is_own = |held: &String| addresses_of(account).any(|address| is_same(address, held));
    let offer = match holders.iter().filter(|holder| holder.emails.iter().any(is_own)).count() {
        // By the name of an account without an address, a person is found.
        0 if namesake.is_some_and(|holder| !holder.emails.is_empty()) => Some(SUFFIX_OFFER),
        1 => Some(LINK_OFFER),
        _ => None,
    };
    Some(taken + &offer.map(|offer| format!(" {offer}")).unwrap_or_default())
}

pub(super) fn id_of(account: &Fields) -> &str {
    account.get("_id").and_then(FieldValue::as_text).unwrap_or_default()
}

pub(super) fn addresses_of(account: &Fields) -> impl Iterator<Item = &str> {
    let emails = match account.get("emails") {
        Some(FieldValue::List(emails)) => emails.as_slice(),
        _ => &[],
    };
    emails.iter().filter_map(|email| email.as_object()?.get("address")?.as_text())
}
