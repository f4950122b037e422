//! People whom a source no longer holds: who they are, and the deactivation of their accounts.

use std::collections::{BTreeMap, HashSet};

use thiserror::Error;

use crate::{
    domain::leaving::{DeactivateLimit, SourceName},
    repository::{Deactivation, Leaver, Repositories, RepositoryError, SourceAccount, SourceEntry},
};

/// Accounts that one call deactivates, so that it ends well within the time of a request.
const AT_ONCE: usize = 200;

/// The people of a source, from a whole file.
#[derive(Debug, Clone)]
pub(crate) struct SourcePeople {
    pub(crate) source: SourceName,
    /// The import ids of all people in the file.
    pub(crate) import_ids: Vec<String>,
    /// The operation in whose receipt deactivations stand.
    pub(crate) operation: Option<String>,
}

/// A source after a file of it was kept.
#[derive(Debug)]
pub(crate) struct KeptSource {
    /// Import ids that are new.
    pub(crate) added: usize,
    /// Import ids that the source holds.
    pub(crate) people: usize,
    pub(crate) returned: Vec<Returned>,
}

/// Somebody who had left, and is in a file of the source again. The account is still inactive.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) import_ids: Vec<String>,
    /// The `_id` of the account.
    pub(crate) account: String,
    pub(crate) username: Option<String>,
}

/// The account of somebody who has left, and what became of it or would.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) import_ids: Vec<String>,
    /// The `_id` of the account.
    pub(crate) account: String,
    pub(crate) username: Option<String>,
    pub(crate) outcome: Deactivation,
}

/// What became of those who have left.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// Import ids that the source held before.
    pub(crate) people: usize,
    /// Accounts that may be deactivated.
    pub(crate) limit: u64,
    pub(crate) left: Vec<Left>,
    /// Accounts that another call deactivates.
    pub(crate) remaining: usize,
    pub(crate) returned: Vec<Returned>,
}

/// Nobody was deactivated.
#[derive(Debug, Error)]
pub(crate) enum LeavingError {
    #[error(
        "{leaving} accounts would be deactivated of the {people} import ids of the source, and the limit is {limit}: is \
         this the whole file? Nobody was deactivated; a higher limit lets it through"
    )]
    TooMany { leaving: usize, people: usize, limit: u64 },
    #[error(transparent)]
    Database(#[from] RepositoryError),
}

/// Keeps which import ids came from the source. Stores nothing where all is known.
///
/// # Errors
/// When the database does not answer. Some may be kept all the same.
pub(crate) async fn keep_source(
    repositories: &Repositories,
    people: &SourcePeople,
) -> Result<KeptSource, RepositoryError> {
    let source = people.source.as_str();
    let entries = repositories.sources.entries(source).await?;
    let known: HashSet<&str> = entries.iter().map(|entry| entry.import_id.as_str()).collect();
    let present = present(people);
    let new: Vec<&str> = present.iter().copied().filter(|id| !known.contains(id)).collect();
    repositories.sources.add(source, &new).await?;
    let returned = returned(repositories, &entries, &present).await?;
    let still_inactive: HashSet<&str> =
        returned.iter().flat_map(|person| &person.import_ids).map(String::as_str).collect();
    let back: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.has_left)
        .map(|entry| entry.import_id.as_str())
        .filter(|id| present.contains(id) && !still_inactive.contains(id))
        .collect();
    repositories.sources.mark_back(source, &back).await?;
    let held = entries.iter().filter(|entry| !entry.has_left).count();
    Ok(KeptSource { added: new.len(), people: held + new.len() + back.len(), returned })
}

/// Deactivates the accounts of those whom the source held in former runs and does not hold any more; with `is_check` only
/// says what that would do. An account that is active again after it was deactivated once stays as it is.
///
/// # Errors
/// When there are more than the limit allows, before anything is stored; or the database does not answer: then the same
/// call goes on.
pub(crate) async fn deactivate_missing(
    repositories: &Repositories,
    people: &SourcePeople,
    limit: DeactivateLimit,
    is_check: bool,
) -> Result<Leaving, LeavingError> {
    let source = people.source.as_str();
    let entries = repositories.sources.entries(source).await?;
    let present = present(people);
    let held = entries.iter().filter(|entry| !entry.has_left).count();
    let missing: HashSet<&str> = entries
        .iter()
        .filter(|entry| !entry.has_left)
        .map(|entry| entry.import_id.as_str())
        .filter(|id| !present.contains(id))
        .collect();
    let missing_ids: Vec<&str> = missing.iter().copied().collect();
    let mut accounts: BTreeMap<String, SourceAccount> = BTreeMap::new();
    for account in repositories.sources.accounts(&missing_ids).await? {
        accounts.insert(account.id.clone(), account);
    }
    let ids_of = |account: &SourceAccount| -> Vec<String> {
        account.import_ids.iter().filter(|id| missing.contains(id.as_str())).cloned().collect()
    };
    // Somebody with another import id in the file is still there.
    let is_present = |account: &&SourceAccount| account.import_ids.iter().any(|id| present.contains(id.as_str()));
    let missed = accounts.values().filter(|account| account.is_active && !is_present(account));
    let missed: Vec<&SourceAccount> = missed.collect();
    let all_ids: Vec<&str> = missed.iter().flat_map(|account| &account.import_ids).map(String::as_str).collect();
    let elsewhere = repositories.sources.held_by_others(source, &all_ids).await?;
    let (kept, mut leaving): (Vec<&SourceAccount>, Vec<&SourceAccount>) =
        missed.into_iter().partition(|account| account.import_ids.iter().any(|id| elsewhere.contains(id)));
    let limit = limit.accounts(held as u64);
    if leaving.len() as u64 > limit {
        return Err(LeavingError::TooMany { leaving: leaving.len(), people: held, limit });
    }
    if !is_check {
        mark_others(repositories, source, &missing, &accounts).await?;
        // So the last source that holds the person decides.
        let kept_ids: Vec<String> = kept.iter().flat_map(|account| ids_of(account)).collect();
        let kept_ids: Vec<&str> = kept_ids.iter().map(String::as_str).collect();
        repositories.sources.mark_left(source, &kept_ids, "elsewhere").await?;
        // The other source may have lost the same people at the same moment.
        let held = repositories.sources.held_by_others(source, &kept_ids).await?;
        let is_held = |account: &&SourceAccount| account.import_ids.iter().any(|id| held.contains(id));
        leaving.splice(0..0, kept.into_iter().filter(|account| !is_held(account)));
    }
    let (mut left, mut gone) = (Vec::new(), HashSet::new());
    for account in &leaving {
        if gone.len() == AT_ONCE && !is_check {
            break;
        }
        let import_ids = ids_of(account);
        let leaver =
            Leaver { account: &account.id, source, import_ids: &import_ids, operation: people.operation.as_deref() };
        let outcome = if is_check {
            repositories.deactivations.foresee(leaver, &gone).await?
        } else {
            repositories.deactivations.deactivate(leaver, &repositories.receipts).await?
        };
        if matches!(outcome, Deactivation::Deactivated(_)) {
            gone.insert(account.id.clone());
        }
        left.push(Left { import_ids, account: account.id.clone(), username: account.username.clone(), outcome });
    }
    let remaining = leaving.len() - left.len();
    let returned = returned(repositories, &entries, &present).await?;
    Ok(Leaving { people: held, limit, left, remaining, returned })
}

/// Marks the import ids of people who have no account or an inactive one, for whom there is nothing to do.
async fn mark_others(
    repositories: &Repositories,
    source: &str,
    missing: &HashSet<&str>,
    accounts: &BTreeMap<String, SourceAccount>,
) -> Result<(), RepositoryError> {
    let held = |is_active: bool| -> HashSet<&str> {
        let accounts = accounts.values().filter(|account| account.is_active == is_active);
        accounts.flat_map(|account| &account.import_ids).map(String::as_str).collect()
    };
    let (active, inactive) = (held(true), held(false));
    let (inactive, without): (Vec<&str>, Vec<&str>) =
        missing.iter().copied().filter(|id| !active.contains(id)).partition(|id| inactive.contains(id));
    repositories.sources.mark_left(source, &inactive, "inactive").await?;
    repositories.sources.mark_left(source, &without, "gone").await
}

/// Those who had left and are in the file again, and whose accounts are still inactive.
async fn returned(
    repositories: &Repositories,
    entries: &[SourceEntry],
    present: &HashSet<&str>,
) -> Result<Vec<Returned>, RepositoryError> {
    let back: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.has_left)
        .map(|entry| entry.import_id.as_str())
        .filter(|id| present.contains(id))
        .collect();
    let accounts: BTreeMap<String, SourceAccount> =
        repositories.sources.accounts(&back).await?.into_iter().map(|found| (found.id.clone(), found)).collect();
    let inactive = accounts.into_values().filter(|account| !account.is_active);
    let returned = inactive.map(|SourceAccount { id, username, import_ids, .. }| Returned {
        import_ids: import_ids.into_iter().filter(|id| back.contains(&id.as_str())).collect(),
        account: id,
        username,
    });
    Ok(returned.collect())
}

fn present(people: &SourcePeople) -> HashSet<&str> {
    people.import_ids.iter().map(String::as_str).collect()
}
