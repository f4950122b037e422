//! The rule by which a record of a person finds the account that is there: one rule for lists of users and for every
//! importer.
//!
//! Accounts are found by import id, then by e-mail address, then by user name, and by user name only if the account or
//! the record has no address: the same name with different addresses is another person. So nobody gains a private room
//! or a direct message that was meant for somebody else.

mod account_changes;
mod rules;
mod stored_account;

use thiserror::Error;

pub use account_changes::{Column, Columns};
pub use rules::{MatchBy, OnExisting, OnUsernameTaken, Rules, WantedRules};
pub use stored_account::{StoredAccount, is_same};

use super::{
    document::{FieldChange, account::is_stand_in},
    staged::StagedUser,
};

/// How an account was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoundBy {
    ImportId,
    /// By an address that the account's owner has verified.
    VerifiedEmail,
    UnverifiedEmail,
    Username,
}

impl FoundBy {
    /// Every way, the surest first.
    pub const ALL: [Self; 4] = [Self::ImportId, Self::VerifiedEmail, Self::UnverifiedEmail, Self::Username];

    /// The word in receipts and checks.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImportId => "importId",
            Self::VerifiedEmail => "verifiedEmail",
            Self::UnverifiedEmail => "unverifiedEmail",
            Self::Username => "username",
        }
    }

    /// The way whose word is `word`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.as_str() == word)
    }

    /// Whether checks and receipts list the account apart, for a person to look at.
    #[must_use]
    pub const fn is_listed_apart(self) -> bool {
        matches!(self, Self::UnverifiedEmail | Self::Username)
    }
}

/// What an import does with the record of a person.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// A new account. If its user name is taken, the next free one is used, and reports name both.
    Create {
        username_taken_by: Option<String>,
    },
    /// The account has all of it already.
    Same {
        account: String,
        found: FoundBy,
    },
    /// The account stays as it is, because the rules say so.
    Skip {
        account: String,
        found: FoundBy,
    },
    /// The account gains import ids and what it lacks.
    Link {
        account: String,
        found: FoundBy,
        changes: Vec<FieldChange>,
    },
    /// The account takes the record's values.
    Update {
        account: String,
        found: FoundBy,
        changes: Vec<FieldChange>,
    },
    /// The account is a placeholder for the person, who is imported now: it takes the record's values and is no
    /// placeholder any more, see [`PLACEHOLDER`].
    ///
    /// [`PLACEHOLDER`]: super::document::account::PLACEHOLDER
    Fill {
        account: String,
        changes: Vec<FieldChange>,
    },
    Fail(MatchFailure),
}

impl Decision {
    /// The `_id` of the account that is there and takes the record's password, if it has another one.
    #[must_use]
    pub fn account_for_password(&self, rules: Rules) -> Option<&str> {
        match self {
            Self::Same { account, .. } | Self::Update { account, .. } if rules.updates_passwords() => Some(account),
            Self::Fill { account, .. } => Some(account),
            _ => None,
        }
    }

    /// The decision with further changes of the account.
    #[must_use]
    pub fn with_changes(self, more: Vec<FieldChange>) -> Self {
        match self {
            Self::Same { account, found } if !more.is_empty() => Self::Update { account, found, changes: more },
            Self::Update { account, found, mut changes } => {
                changes.extend(more);
                Self::Update { account, found, changes }
            }
            Self::Fill { account, mut changes } => {
                changes.extend(more);
                Self::Fill { account, changes }
            }
            other => other,
        }
    }
}

/// The choice that leaves an account as it is and makes it this person's.
pub const LINK_OFFER: &str = "With onExisting set to link, that account gets the import id.";
/// The choice that gives a person another user name.
pub const SUFFIX_OFFER: &str = "With onUsernameTaken set to suffix, the new account gets the next free name.";

/// Why a record fails. Each text names both sides.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MatchFailure {
    #[error("{record} is there already: account {account}. {LINK_OFFER}")]
    AlreadyThere { record: String, account: String, found: FoundBy },
    #[error(
        "the user name of {record} belongs to somebody with another e-mail address: account {account}. {SUFFIX_OFFER}"
    )]
    UsernameTaken { record: String, account: String },
    #[error("an e-mail address of {record} belongs to account {account}, and accounts are not found by address here")]
    EmailTaken { record: String, account: String },
    #[error("{record} may be any of these accounts: {}", accounts.join(", "))]
    Ambiguous { record: String, accounts: Vec<String> },
}

/// Decides what an import does with a record.
///
/// `candidates` are the accounts that hold one of its import ids, or one of its addresses or its user name in any letter
/// case. Further accounts do no harm.
#[must_use]
pub fn decide(record: StagedUser<'_>, candidates: &[StoredAccount<'_>], rules: Rules) -> Decision {
    match found(record, candidates, rules.match_by) {
        Found::Several(accounts) => Decision::Fail(MatchFailure::Ambiguous {
            record: label(record),
            accounts: accounts.into_iter().map(StoredAccount::label).collect(),
        }),
        Found::One(account, found) => with_account(record, account, found, candidates, rules),
        Found::None => without_account(record, candidates, rules),
    }
}

fn with_account(
    record: StagedUser<'_>,
    account: StoredAccount<'_>,
    found: FoundBy,
    candidates: &[StoredAccount<'_>],
    rules: Rules,
) -> Decision {
    let id = account.id().to_owned();
    if account.is_placeholder() {
        return if is_stand_in(record) {
            Decision::Same { account: id, found }
        } else {
            Decision::Fill { account: id, changes: account_changes::of_fill(record, account, candidates) }
        };
    }
    match rules.on_existing {
        OnExisting::Fail => {
            Decision::Fail(MatchFailure::AlreadyThere { record: label(record), account: account.label(), found })
        }
        OnExisting::Skip => Decision::Skip { account: id, found },
        OnExisting::Link => match account_changes::of_link(record, account, candidates) {
            changes if changes.is_empty() => Decision::Same { account: id, found },
            changes => Decision::Link { account: id, found, changes },
        },
        OnExisting::Update => match account_changes::of_update(record, account, candidates, rules.named) {
            changes if changes.is_empty() => Decision::Same { account: id, found },
            changes => Decision::Update { account: id, found, changes },
        },
    }
}

fn without_account(record: StagedUser<'_>, candidates: &[StoredAccount<'_>], rules: Rules) -> Decision {
    let holders = candidates.iter().filter(|account| account.verification_of(record).is_some());
    // Of several always the same one, so that a check names it as the run does.
    if let Some(account) = holders.min_by_key(|account| account.username()) {
        return Decision::Fail(MatchFailure::EmailTaken { record: label(record), account: account.label() });
    }
    let namesakes = candidates.iter().filter(|account| account.has_username_of(record));
    match (namesakes.min_by_key(|account| account.username()), rules.on_username_taken) {
        (Some(account), OnUsernameTaken::Fail) => {
            Decision::Fail(MatchFailure::UsernameTaken { record: label(record), account: account.label() })
        }
        (account, _) => Decision::Create { username_taken_by: account.map(|account| account.id().to_owned()) },
    }
}

enum Found<'a> {
    None,
    One(StoredAccount<'a>, FoundBy),
    Several(Vec<StoredAccount<'a>>),
}

fn found<'a>(record: StagedUser<'_>, candidates: &[StoredAccount<'a>], by: MatchBy) -> Found<'a> {
    let is_possible = |account: &StoredAccount<'_>| !account.has_other_addresses_than(record);
    if by.import_id {
        // An import id that is a mere user name, as in CSV files, proves no more than the name.
        let holders: Vec<_> = candidates
            .iter()
            .copied()
            .filter(|account| {
                account.shared_import_ids(record).any(|id| !is_username(record, id) || is_possible(account))
            })
            .collect();
        match one_of(&holders, |account| account.shares_email_exactly(record)) {
            Found::None => {}
            Found::One(account, _) => return Found::One(account, FoundBy::ImportId),
            several @ Found::Several(_) => return several,
        }
    }
    if by.email {
        let holders: Vec<_> =
            candidates.iter().copied().filter(|account| account.verification_of(record).is_some()).collect();
        match one_of(&holders, |account| account.shares_email_exactly(record)) {
            Found::None => {}
            Found::One(account, _) => {
                let is_verified = account.verification_of(record) == Some(true);
                return Found::One(
                    account,
                    if is_verified { FoundBy::VerifiedEmail } else { FoundBy::UnverifiedEmail },
                );
            }
            several @ Found::Several(_) => return several,
        }
    }
    if by.username {
        let holders: Vec<_> = candidates
            .iter()
            .copied()
            .filter(|account| account.is_found_by_name(record) && is_possible(account))
            .collect();
        return one_of(&holders, |account| account.username() == record.username());
    }
    Found::None
}

/// The only holder, else the only one of them that `is_exact`.
fn one_of<'a>(holders: &[StoredAccount<'a>], is_exact: impl Fn(&StoredAccount<'a>) -> bool) -> Found<'a> {
    let exact: Vec<_> = holders.iter().copied().filter(is_exact).collect();
    match (holders, exact.as_slice()) {
        ([], _) => Found::None,
        ([one], _) | (_, [one]) => Found::One(*one, FoundBy::Username),
        (several, _) => Found::Several(several.to_vec()),
    }
}

fn is_username(record: StagedUser<'_>, import_id: &str) -> bool {
    record.username().is_some_and(|username| username.eq_ignore_ascii_case(import_id.trim()))
}

/// How reports name a record: its import id, with its user name or an address.
fn label(record: StagedUser<'_>) -> String {
    let name = record.username().map(|name| format!("@{name}")).or_else(|| record.emails().next().map(str::to_owned));
    match (record.first_import_id(), name) {
        (Some(id), Some(name)) => format!("{id} ({name})"),
        (Some(id), None) => id.to_owned(),
        (None, name) => name.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
