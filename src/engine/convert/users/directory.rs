//! The accounts that records may belong to, as they are known while the records are decided one after the other: what one
//! record does to an account is known when the next is decided.

use std::collections::{HashMap, HashSet};

use crate::{
    domain::{
        document::{FieldChange, account::PLACEHOLDER},
        field_value::{FieldValue, Fields},
        matching::{Decision, Rules, StoredAccount, decide},
        staged::StagedUser,
    },
    repository::{MatchedAccounts, RepositoryError, SoughtAccounts},
};

/// A value that accounts are found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    ImportId(String),
    Email(String),
    Username(String),
}

/// Accounts by the values that they are found by.
#[derive(Debug, Default)]
pub(in crate::engine) struct Directory {
    accounts: HashMap<String, Fields>,
    /// The `_id`s of the accounts that have, or had, a value.
    holders: HashMap<Key, Vec<String>>,
    /// Values that a change took from an account.
    given_up: HashSet<Key>,
}

impl Directory {
    /// Reads the accounts with any of the sought values.
    ///
    /// # Errors
    /// As for every read.
    pub(in crate::engine) async fn of(
        accounts: &MatchedAccounts,
        sought: &SoughtAccounts,
    ) -> Result<Self, RepositoryError> {
        let mut directory = Self::default();
        for account in accounts.find(sought).await? {
            directory.insert(account);
        }
        Ok(directory)
    }

    /// Takes an account in, in the place of the one with its `_id`.
    pub(in crate::engine) fn insert(&mut self, account: Fields) {
        let stored = StoredAccount::new(&account);
        let id = stored.id().to_owned();
        for key in keys_of_account(stored) {
            let holders = self.holders.entry(key).or_default();
            if !holders.contains(&id) {
                holders.push(id.clone());
            }
        }
        self.accounts.insert(id, account);
    }

    /// The `_id`s of all accounts.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.accounts.keys().map(String::as_str)
    }

    /// The `_id`s of the accounts that have, or had, a value that is wanted.
    pub(super) fn holders_of(&self, is_wanted: impl Fn(&Key) -> bool) -> HashSet<String> {
        let holders = self.holders.iter().filter(|(key, _)| is_wanted(key));
        holders.flat_map(|(_, ids)| ids.iter().cloned()).collect()
    }

    pub(in crate::engine) fn get(&self, id: &str) -> Option<&Fields> {
        self.accounts.get(id)
    }

    /// Whether an account has this user name, in any letter case.
    pub(in crate::engine) fn has_username(&self, username: &str) -> bool {
        let key = Key::Username(username.trim().to_lowercase());
        self.holders.get(&key).into_iter().flatten().filter_map(|id| self.accounts.get(id)).any(|account| {
            StoredAccount::new(account).username().is_some_and(|known| known.to_lowercase() == username.to_lowercase())
        })
    }

    /// The accounts that the record may belong to, in the order of their `_id`s.
    pub(in crate::engine) fn candidates(&self, record: StagedUser<'_>) -> Vec<&Fields> {
        let ids: HashSet<&String> = keys_of(record).filter_map(|key| self.holders.get(&key)).flatten().collect();
        let mut ids: Vec<&String> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.accounts.get(id)).collect()
    }

    pub(in crate::engine) fn decide(&self, record: StagedUser<'_>, rules: Rules) -> Decision {
        let candidates: Vec<StoredAccount<'_>> = self.candidates(record).into_iter().map(StoredAccount::new).collect();
        decide(record, &candidates, rules)
    }

    /// The `_id` of the first account that has the record's user name.
    pub(super) fn holder_of_username(&self, record: StagedUser<'_>) -> Option<String> {
        let mut candidates = self.candidates(record).into_iter().map(StoredAccount::new);
        candidates.find(|account| account.has_username_of(record)).map(|account| account.id().to_owned())
    }

    /// Whether the account has a value that a change took from an account: it can be stored only after that change.
    pub(super) fn has_given_up_value(&self, id: &str) -> bool {
        let account = self.accounts.get(id).map(StoredAccount::new);
        account.is_some_and(|account| keys_of_account(account).any(|key| self.given_up.contains(&key)))
    }

    /// Changes an account as a decision says.
    pub(in crate::engine) fn change(&mut self, id: &str, changes: &[FieldChange], ends_placeholder: bool) {
        let Some(mut account) = self.accounts.remove(id) else { return };
        let mut given_up: HashSet<Key> = keys_of_account(StoredAccount::new(&account)).collect();
        for change in changes {
            account = changed(account, &change.field, &change.after);
        }
        for key in keys_of_account(StoredAccount::new(&account)) {
            given_up.remove(&key);
        }
        self.given_up.extend(given_up);
        if ends_placeholder {
            account = account.with(PLACEHOLDER, FieldValue::Boolean(false));
        }
        self.insert(account);
    }
}

/// Adds what accounts of the record may be found by.
pub(in crate::engine) fn seek(record: StagedUser<'_>, sought: &mut SoughtAccounts) {
    sought.import_ids.extend(record.import_ids().map(str::to_owned));
    sought.emails.extend(record.emails().map(str::to_owned));
    sought.usernames.extend(record.username().map(str::to_owned));
}

pub(super) fn keys_of(record: StagedUser<'_>) -> impl Iterator<Item = Key> {
    let import_ids = record.import_ids().map(|id| Key::ImportId(id.to_owned()));
    let emails = record.emails().map(|address| Key::Email(address.to_lowercase()));
    import_ids.chain(emails).chain(record.username().map(|name| Key::Username(name.to_lowercase())))
}

fn keys_of_account(account: StoredAccount<'_>) -> impl Iterator<Item = Key> {
    let import_ids = account.import_ids().map(|id| Key::ImportId(id.to_owned()));
    let emails = account.emails().map(|(address, _)| Key::Email(address.to_lowercase()));
    import_ids.chain(emails).chain(account.username().map(|name| Key::Username(name.trim().to_lowercase())))
}

/// The fields with the value at this path.
fn changed(fields: Fields, path: &str, after: &FieldValue) -> Fields {
    match path.split_once('.') {
        None => fields.with(path, after.clone()),
        Some((outer, inner)) => {
            let within = fields.get(outer).and_then(FieldValue::as_object).cloned().unwrap_or_default();
            let within = changed(within, inner, after);
            fields.with(outer, FieldValue::Object(within))
        }
    }
}
