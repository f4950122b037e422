//! Records that may belong to accounts that are there.
//!
//! The accounts of a batch are read at once, its records are decided one after the other, and then everything is stored.
//! Every change is bound to the values that were read: where somebody else was faster, the record is decided anew.
//!
//! Documents that are stored together have no order. An earlier record may free the address of a later one: then the
//! later one waits until that is stored, and all after it wait, too.

use std::collections::HashMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    LOOK_UP_PATIENCE, ReadyUser, Users,
    activity::{log_succession, refusal_of_activity},
    created,
    creating::{create, id_of},
    directory::{Directory, seek},
    passwords::{with_own_password, with_password},
    planned::{EarlierTry, changed_field},
};
use crate::{
    domain::{
        document::{FieldChange, username::numbered},
        field_value::{Date, FieldValue, Fields},
        matching::{Decision, FoundBy, MatchFailure, Rules, StoredAccount},
        receipt::Outcome,
        staged::StagedUser,
    },
    engine::convert::{BatchPlan, EarlierPlans, StoreError, Stored},
    repository::{
        AccountChange, ChangeOutcome, ChangedField, MatchedAccounts, PlannedChange, RepositoryError, SoughtAccounts,
    },
};

/// How often a record is decided anew while somebody else keeps changing its account.
const ATTEMPTS: u32 = 5;
/// User names that are tried for a name that is taken before the record fails, and of them with one query.
const NAMES: usize = 1000;
const NAMES_AT_A_TIME: usize = 50;
/// Accounts of all batches that are changed at a time. Leaves room among the driver's ten connections for everybody else.
const CHANGES_AT_A_TIME: usize = 4;
static CHANGES: Semaphore = Semaphore::const_new(CHANGES_AT_A_TIME);

/// The records of a batch that are still to be decided, by their positions.
struct Left {
    /// Records that somebody else was faster with.
    again: Vec<usize>,
    /// Records that wait for what was stored now.
    later: Vec<usize>,
}

/// A record that was decided, and the rest of its work.
pub(super) enum Decided {
    Over(Result<Stored, String>),
    /// A new account, and a sentence for a person about it.
    Create(Box<Fields>, Option<String>),
    Change {
        account: String,
        changes: Vec<FieldChange>,
        /// What the receipt says of them, and of those of an earlier try.
        changed: Vec<ChangedField>,
        ends_placeholder: bool,
        outcome: Outcome,
        found_by: FoundBy,
    },
}

impl Decided {
    /// The `_id` of the account that is made or changed.
    pub(super) fn account(&self) -> Option<&str> {
        match self {
            Self::Over(_) => None,
            Self::Create(account, _) => Some(id_of(account)),
            Self::Change { account, .. } => Some(account),
        }
    }

    /// Whether the account becomes active or inactive.
    fn is_of_activity(&self) -> bool {
        matches!(self, Self::Change { changes, .. } if changes.iter().any(|change| change.field == "active"))
    }
}

impl Users {
    /// Finds the accounts of the users, and makes or changes them as the rules say.
    pub(super) async fn match_all(
        &self,
        users: &[&ReadyUser],
        plan: &BatchPlan<'_>,
    ) -> Result<Vec<Result<Stored, String>>, StoreError> {
        let mut results: HashMap<usize, Result<Stored, String>> = HashMap::with_capacity(users.len());
        let mut left: Vec<usize> = (0..users.len()).collect();
        let mut attempts = 0;
        while !left.is_empty() {
            let Left { again, later } = self.match_some(users, &left, &mut results, plan).await?;
            attempts = if again.is_empty() { 0 } else { attempts + 1 };
            if attempts < ATTEMPTS {
                left = again;
                left.extend(later);
                continue;
            }
            for position in again {
                results.insert(position, Err("Somebody else keeps changing the account of this user.".to_owned()));
            }
            (left, attempts) = (later, 0);
        }
        let passed_over = || Err("The record was passed over.".to_owned());
        Ok((0..users.len()).map(|position| results.remove(&position).unwrap_or_else(passed_over)).collect())
    }

    /// What will be decided, unless accounts change until then; `None` where that cannot be said.
    pub(super) async fn likely_decision(&self, staged: &Fields) -> Option<Decision> {
        if self.rules.leave_it_to_the_database() {
            return None;
        }
        let record = StagedUser::new(staged);
        let mut sought = SoughtAccounts::default();
        seek(record, &mut sought);
        let Ok(Ok(directory)) = timeout(LOOK_UP_PATIENCE, Directory::of(&self.matched, &sought)).await else {
            return None;
        };
        Some(directory.decide(record, self.rules))
    }

    /// Decides and stores the users at these positions, or as many of the first as can be stored together.
    async fn match_some(
        &self,
        users: &[&ReadyUser],
        positions: &[usize],
        results: &mut HashMap<usize, Result<Stored, String>>,
        plan: &BatchPlan<'_>,
    ) -> Result<Left, StoreError> {
        let some = positions.iter().map(|position| users[*position]);
        let mut directory = self.directory(some, plan.earlier()).await?;
        let (mut new, mut changes) = (Vec::new(), Vec::new());
        let mut later = Vec::new();
        for (at, position) in positions.iter().enumerate() {
            let decided =
                decided(users[*position], &mut directory, None, self.rules, &self.matched, plan.earlier()).await?;
            if decided.account().is_some_and(|account| directory.has_given_up_value(account)) {
                later = positions[at..].to_vec();
                break;
            }
            match decided {
                Decided::Over(result) => drop(results.insert(*position, result)),
                Decided::Create(account, note) => match with_own_password(*account, users[*position]).await {
                    Ok(account) => {
                        if users[*position].password.is_some() {
                            // A later record of the account is compared with this password.
                            directory.insert(account.clone());
                        }
                        new.push((*position, account, note));
                    }
                    Err(reason) => drop(results.insert(*position, Err(reason))),
                },
                change @ Decided::Change { .. } => changes.push((*position, change)),
            }
        }
        let accounts: Vec<&Fields> = new.iter().map(|(_, account, _)| account).collect();
        let mut reasons = create(&self.accounts, &accounts).await?;
        for (at, (position, account, note)) in new.iter().enumerate() {
            let result = match reasons.remove(&at) {
                Some(reason) => Err(reason),
                None => Ok(Stored { note: note.clone(), ..created(account) }),
            };
            results.insert(*position, result);
        }
        plan.note(changes.iter().filter_map(|(position, change)| planned(users[*position], change)).collect()).await?;
        let again = self.change_all(changes, results).await?;
        Ok(Left { again, later })
    }

    /// The accounts that the users may belong to.
    pub(super) async fn directory(
        &self,
        users: impl Iterator<Item = &ReadyUser>,
        plans: &EarlierPlans,
    ) -> Result<Directory, RepositoryError> {
        let mut sought = SoughtAccounts::default();
        for user in users {
            // One that an earlier try has made is this record's own.
            sought.ids.push(id_of(&user.account).to_owned());
            sought.ids.extend(plans.of_record(id_of(&user.account)).map(|planned| planned.document.clone()));
            seek(StagedUser::new(&user.record), &mut sought);
        }
        Directory::of(&self.matched, &sought).await
    }

    /// Changes accounts; the positions of records that are to be decided anew. Changes of one account keep their order.
    async fn change_all(
        &self,
        changes: Vec<(usize, Decided)>,
        results: &mut HashMap<usize, Result<Stored, String>>,
    ) -> Result<Vec<usize>, RepositoryError> {
        let mut by_account: HashMap<String, Vec<(usize, Decided)>> = HashMap::new();
        for (position, change) in changes {
            if let Decided::Change { account, .. } = &change {
                by_account.entry(account.clone()).or_default().push((position, change));
            }
        }
        let (mut one_by_one, side_by_side): (Vec<_>, Vec<_>) =
            by_account.into_values().partition(|changes| changes.iter().any(|(_, change)| change.is_of_activity()));
        let done = stream::iter(side_by_side.into_iter().map(|changes| self.change_one(changes)));
        let mut done: Vec<Vec<_>> = done.buffer_unordered(CHANGES_AT_A_TIME).try_collect().await?;
        // Who owns a room from now on, and who can be written to, depends on who is active by then.
        one_by_one.sort_unstable_by_key(|changes| changes.first().map(|(position, _)| *position));
        for changes in one_by_one {
            done.push(self.change_one(changes).await?);
        }
        let mut left = Vec::new();
        for (position, result) in done.into_iter().flatten() {
            match result {
                Some(result) => drop(results.insert(position, result)),
                None => left.push(position),
            }
        }
        left.sort_unstable();
        Ok(left)
    }

    /// Changes one account, once for each record; `None` for a record that is to be decided anew.
    async fn change_one(
        &self,
        changes: Vec<(usize, Decided)>,
    ) -> Result<Vec<(usize, Option<Result<Stored, String>>)>, RepositoryError> {
        let mut done = Vec::with_capacity(changes.len());
        for (position, decided) in changes {
            let Decided::Change { account, changes, changed, ends_placeholder, outcome: wanted, found_by } = decided
            else {
                continue;
            };
            let change = AccountChange { account: &account, changes: &changes, ends_placeholder };
            // Never closed.
            let _permit = CHANGES.acquire().await;
            let result = match self.matched.change(change, Date::now()).await? {
                outcome @ (ChangeOutcome::Changed | ChangeOutcome::Deactivated(_)) => {
                    if let ChangeOutcome::Deactivated(succession) = outcome {
                        log_succession(&account, &succession);
                    }
                    Some(Ok(Stored { found_by: Some(found_by), changed, ..Stored::new(wanted, account) }))
                }
                ChangeOutcome::Refused(reason) => Some(Err(reason)),
                // Also where somebody else has deactivated the other administrators since: the decision finds that.
                ChangeOutcome::Outdated | ChangeOutcome::LastAdministrator => None,
            };
            done.push((position, result));
        }
        Ok(done)
    }
}

/// Decides one record; the directory then knows of it. `earlier` are accounts that the database does not have yet.
pub(super) async fn decided(
    user: &ReadyUser,
    directory: &mut Directory,
    earlier: Option<&Directory>,
    rules: Rules,
    accounts: &MatchedAccounts,
    plans: &EarlierPlans,
) -> Result<Decided, RepositoryError> {
    let before = EarlierTry::of(user, plans, directory);
    let ReadyUser { record, account, .. } = user;
    if let Some(own) = directory.get(id_of(account)).map(StoredAccount::new) {
        // An earlier try of this run has made it.
        let staged = StagedUser::new(record);
        let note = staged.username().zip(own.username()).filter(|(wanted, given)| wanted != given);
        let note = note.map(|(wanted, given)| renamed(wanted, directory.holder_of_username(staged).as_deref(), given));
        return Ok(Decided::Over(Ok(Stored { note, ..created(account) })));
    }
    if let Some(before) = before.as_ref().filter(|before| before.is_whole) {
        return Ok(Decided::Over(Ok(before.stored())));
    }
    let decision = directory.decide(StagedUser::new(record), rules);
    let decision = match with_password(decision, user, directory, rules, accounts).await? {
        Ok(decision) => decision,
        Err(reason) => return Ok(Decided::Over(Err(reason))),
    };
    if let Some(reason) = refusal_of_activity(&decision, directory, earlier, accounts).await? {
        return Ok(Decided::Over(Err(reason)));
    }
    let change =
        |directory: &mut Directory, account: String, changes: Vec<FieldChange>, outcome, found_by, ends_placeholder| {
            directory.change(&account, &changes, ends_placeholder);
            let mut changed: Vec<ChangedField> = changes.iter().map(changed_field).collect();
            let found_by = before.as_ref().map_or(found_by, |before| before.add_to(&account, &mut changed, found_by));
            Decided::Change { account, changes, changed, ends_placeholder, outcome, found_by }
        };
    let kept = |account: String, found_by: FoundBy| {
        let as_it_was = Stored { found_by: Some(found_by), ..Stored::new(Outcome::Same, account.clone()) };
        let before = before.as_ref().filter(|before| before.is_of(&account));
        Decided::Over(Ok(before.map_or(as_it_was, EarlierTry::stored)))
    };
    Ok(match decision {
        Decision::Same { account, found } | Decision::Skip { account, found } => kept(account, found),
        Decision::Link { account, found, changes } => {
            change(directory, account, changes, Outcome::Linked, found, false)
        }
        Decision::Update { account, found, changes } => {
            change(directory, account, changes, Outcome::Updated, found, false)
        }
        Decision::Fill { account, changes } => {
            change(directory, account, changes, Outcome::Updated, FoundBy::ImportId, true)
        }
        // Under these rules nothing but a placeholder is changed, and the account is none any more.
        Decision::Fail(failure @ MatchFailure::AlreadyThere { .. }) => {
            Decided::Over(before.as_ref().map(EarlierTry::stored).ok_or_else(|| failure.to_string()))
        }
        Decision::Fail(failure) => Decided::Over(Err(failure.to_string())),
        Decision::Create { username_taken_by: None } => {
            directory.insert(account.clone());
            Decided::Create(Box::new(account.clone()), None)
        }
        Decision::Create { username_taken_by: Some(holder) } => {
            let username = StagedUser::new(record).username().unwrap_or_default();
            match free_username(username, directory, earlier, accounts).await? {
                None => Decided::Over(Err(format!("The user name {username} and {NAMES} like it are taken."))),
                Some(free) => {
                    let account = account.clone().with("username", FieldValue::Text(free.as_str().into()));
                    directory.insert(account.clone());
                    let note = renamed(username, Some(&holder), &free);
                    Decided::Create(Box::new(account), Some(note))
                }
            }
        }
    })
}

/// The sentence about a new account with another user name than the one that was wanted.
fn renamed(wanted: &str, holder: Option<&str>, given: &str) -> String {
    match holder {
        Some(holder) => format!("The user name {wanted} belongs to the account {holder}; this one is {given}."),
        // Its holder is gone since an earlier try.
        None => format!("The user name {wanted} was taken; this one is {given}."),
    }
}

/// What a decided change plans for the account of this user.
fn planned(user: &ReadyUser, decided: &Decided) -> Option<PlannedChange> {
    let Decided::Change { account, changed, outcome, found_by, .. } = decided else { return None };
    Some(PlannedChange {
        record: id_of(&user.account).to_owned(),
        document: account.clone(),
        outcome: *outcome,
        found_by: Some(*found_by),
        changed: changed.clone(),
    })
}

/// The next name like this one that nobody has.
async fn free_username(
    username: &str,
    directory: &Directory,
    earlier: Option<&Directory>,
    accounts: &MatchedAccounts,
) -> Result<Option<String>, RepositoryError> {
    let names: Vec<String> = numbered(username).take(NAMES).collect();
    for names in names.chunks(NAMES_AT_A_TIME) {
        let sought = SoughtAccounts { usernames: names.to_vec(), ..SoughtAccounts::default() };
        let mut taken = Directory::default();
        for account in accounts.find(&sought).await? {
            let id = StoredAccount::new(&account).id();
            let is_known_better =
                directory.get(id).is_some() || earlier.is_some_and(|earlier| earlier.get(id).is_some());
            if !is_known_better {
                taken.insert(account);
            }
        }
        let directories = || [directory, &taken].into_iter().chain(earlier);
        let free = names.iter().find(|name| !directories().any(|directory| directory.has_username(name)));
        if let Some(free) = free {
            return Ok(Some(free.clone()));
        }
    }
    Ok(None)
}
