//! Accounts that an update makes active or inactive.

use super::directory::Directory;
use crate::{
    domain::{
        field_value::FieldValue,
        matching::{Decision, StoredAccount},
    },
    repository::{MatchedAccounts, NewOwner, RepositoryError, Succession},
};

/// Why the account stays as active as it is; `None` where the decision does not touch that, or may. `earlier` are accounts that
/// the database does not have yet.
pub(super) async fn refusal_of_activity(
    decision: &Decision,
    directory: &Directory,
    earlier: Option<&Directory>,
    accounts: &MatchedAccounts,
) -> Result<Option<String>, RepositoryError> {
    let (Decision::Update { account, changes, .. } | Decision::Fill { account, changes }) = decision else {
        return Ok(None);
    };
    let change = changes.iter().find(|change| change.field == "active");
    let Some((change, known)) = change.zip(directory.get(account).map(StoredAccount::new)) else { return Ok(None) };
    let ends = change.after == FieldValue::Boolean(false);
    if known.is_federated() {
        let what = if ends { "deactivated" } else { "activated" };
        return Ok(Some(format!("Somebody of another server is not {what} here: account {}.", known.label())));
    }
    if ends && known.is_active_administrator() && is_last_administrator(account, directory, earlier, accounts).await? {
        return Ok(Some(format!("The last active administrator is not deactivated: account {}.", known.label())));
    }
    Ok(None)
}

/// Writes to the log who owns the rooms now that a deactivated account owned alone.
pub(super) fn log_succession(account: &str, succession: &Succession) {
    for NewOwner { room, account: owner } in &succession.new_owners {
        log::info!("the room {room} has the new owner {owner}: the account {account} is deactivated");
    }
    for room in &succession.left_rooms {
        log::info!(
            "nobody but the deactivated account {account} owns the room {room}, and nobody else there is active"
        );
    }
}

/// Whether nobody else administrates, as earlier records leave the accounts. Source: `setUserActiveStatus`.
async fn is_last_administrator(
    account: &str,
    directory: &Directory,
    earlier: Option<&Directory>,
    accounts: &MatchedAccounts,
) -> Result<bool, RepositoryError> {
    let others = accounts.other_administrators(account).await?;
    let is_active = |id: &String| {
        let known = directory.get(id).or_else(|| earlier.and_then(|earlier| earlier.get(id)));
        known.is_none_or(|known| StoredAccount::new(known).is_active_administrator())
    };
    Ok(!others.iter().any(is_active))
}
