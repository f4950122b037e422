//! Passwords of accounts that are there, where an update takes the password.

use std::{num::NonZero, thread::available_parallelism};

use futures::{StreamExt as _, stream};
use secrecy::ExposeSecret as _;
use tokio::{task::spawn_blocking, time::timeout};

use super::{LOOK_UP_PATIENCE, ReadyUser, Users, directory::Directory, hashed};
use crate::{
    domain::{
        document::{FieldChange, PASSWORD_HASH},
        field_value::{FieldValue, Fields},
        matching::{Decision, Rules},
        new_user::{self, has_password, hash_of, password_of},
        password,
        staged::StagedUser,
    },
    repository::{MatchedAccounts, RepositoryError},
};

/// What stands for the hash of a password in a rehearsal, before the digest of the password.
const REHEARSED: &str = "rehearsed ";

/// A password that was compared with the one of an account.
#[derive(Debug)]
pub(super) struct Compared {
    /// The account's hash at that time.
    stored: Option<FieldValue>,
    pub(super) is_same: bool,
}

impl Compared {
    /// Compares the record's password with that of an account.
    pub(super) async fn with(record: &Fields, stored: Option<FieldValue>) -> Self {
        let is_same = is_same(record, stored.as_ref()).await;
        Self { stored, is_same }
    }
}

impl Users {
    /// The record's password beside that of the account, where the decision takes it.
    pub(super) async fn compared(&self, staged: &Fields, decision: &Decision) -> Option<Compared> {
        let account = decision.account_for_password(self.rules)?;
        let stored = timeout(LOOK_UP_PATIENCE, self.matched.password_hash(account)).await.ok()?.ok()?;
        Some(Compared::with(staged, stored).await)
    }

    /// Compares passwords with those of the accounts, many at a time, as a run does beforehand.
    pub(super) async fn compare_all(&self, users: &mut [ReadyUser], directory: &Directory) {
        let rules = self.rules;
        let compared = stream::iter(users.iter().map(|ReadyUser { record, .. }| async move {
            new_user::password_of(record)?;
            self.compared(record, &directory.decide(StagedUser::new(record), rules)).await
        }));
        let at_a_time = available_parallelism().map_or(1, NonZero::get);
        let compared: Vec<_> = compared.buffered(at_a_time).collect().await;
        for (user, compared) in users.iter_mut().zip(compared) {
            user.compared = compared;
        }
    }
}

/// The account of a user who seemed to be there already, and is new after all, with the password.
pub(super) async fn with_own_password(account: Fields, user: &ReadyUser) -> Result<Fields, String> {
    let Some(password) = &user.password else { return Ok(account) };
    Ok(new_user::with_password(account, hashed(password.expose_secret().to_owned()).await?))
}

/// The decision with the record's password, where the account takes it; or why that cannot be.
pub(super) async fn with_password(
    decision: Decision,
    user: &ReadyUser,
    directory: &Directory,
    rules: Rules,
    accounts: &MatchedAccounts,
) -> Result<Result<Decision, String>, RepositoryError> {
    let Some(account) = decision.account_for_password(rules).filter(|_| has_password(&user.record)) else {
        return Ok(Ok(decision));
    };
    let Some(known) = directory.get(account) else { return Ok(Ok(decision)) };
    let stored = stored_hash(account, directory, accounts).await?;
    Ok(changes_of_password(user, known, stored).await.map(|changes| decision.with_changes(changes)))
}

/// The password of an account as the directory knows it, else as it is stored.
async fn stored_hash(
    account: &str,
    directory: &Directory,
    accounts: &MatchedAccounts,
) -> Result<Option<FieldValue>, RepositoryError> {
    match directory.get(account).and_then(new_user::stored_hash) {
        Some(hash) => Ok(Some(hash.clone())),
        None => accounts.password_hash(account).await,
    }
}

/// What the record's password changes in an account with the hash `stored`: nothing if it is the same.
///
/// # Errors
/// When the password cannot be hashed.
async fn changes_of_password(
    user: &ReadyUser,
    account: &Fields,
    stored: Option<FieldValue>,
) -> Result<Vec<FieldChange>, String> {
    let is_same = match &user.compared {
        Some(compared) if compared.stored == stored => compared.is_same,
        _ => is_same(&user.record, stored.as_ref()).await,
    };
    if is_same {
        return Ok(Vec::new());
    }
    let hash = match &user.password {
        Some(password) => Some(FieldValue::Text(hashed(password.expose_secret().to_owned()).await?.into())),
        None => hash_of(&user.account).cloned(),
    };
    let Some(after) = hash else { return Ok(Vec::new()) };
    let changed = FieldChange { field: PASSWORD_HASH.to_owned(), before: stored, after };
    // Only with a password of the file: otherwise a nightly file would ask people for another one each morning.
    let required = new_user::requires_password_change(&user.record).and_then(|after| {
        let field = new_user::REQUIRE_PASSWORD_CHANGE;
        let before = account.get(field).cloned();
        (before.as_ref() != Some(&after)).then(|| FieldChange { field: field.to_owned(), before, after })
    });
    Ok([changed].into_iter().chain(required).collect())
}

/// What stands for the hash of a password in clear text where nothing is stored: to hash it would take long.
pub(super) fn rehearsed(clear_text: &str) -> String {
    format!("{REHEARSED}{}", password::digest(clear_text))
}

/// Whether the record's password is that of an account with the hash `stored`.
async fn is_same(record: &Fields, stored: Option<&FieldValue>) -> bool {
    if let Some(hash) = hash_of(record) {
        return stored == Some(hash);
    }
    let Some(clear_text) = password_of(record) else { return true };
    let Some(stored) = stored.and_then(FieldValue::as_text) else { return false };
    if stored.starts_with(REHEARSED) {
        return stored == rehearsed(clear_text);
    }
    let (stored, clear_text) = (stored.to_owned(), clear_text.to_owned());
    // Off the threads that do everything else.
    spawn_blocking(move || password::is_hash_of(&stored, &clear_text)).await.unwrap_or(false)
}
