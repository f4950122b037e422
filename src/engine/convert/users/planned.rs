//! What an earlier try of a record has changed in an account.

use super::{ReadyUser, creating::id_of, directory::Directory};
use crate::{
    domain::{
        document::FieldChange,
        matching::{FoundBy, StoredAccount},
    },
    engine::convert::{
        Stored,
        plan::{EarlierPlans, has_values},
    },
    repository::{ChangedField, PlannedChange},
};

/// A planned change that was made, or of which a part is still there.
pub(super) struct EarlierTry<'a> {
    planned: &'a PlannedChange,
    /// The fields that are as the change left them. Those that the plan has no values of are among them.
    fields: Vec<ChangedField>,
    /// Whether that is all of it, and certain.
    pub(super) is_whole: bool,
}

impl<'a> EarlierTry<'a> {
    /// The earlier try of this user, as the account shows it.
    pub(super) fn of(user: &ReadyUser, plans: &'a EarlierPlans, directory: &Directory) -> Option<Self> {
        let planned = plans.of_record(id_of(&user.account))?;
        let account = directory.get(&planned.document)?;
        // Every change of a placeholder ends it.
        if StoredAccount::new(account).is_placeholder() {
            return None;
        }
        let made = plans.made(planned, account);
        let is_whole = made.len() == planned.changed.len();
        let unknown = planned.changed.iter().filter(|field| !has_values(field));
        let fields: Vec<ChangedField> = made.into_iter().chain(unknown).cloned().collect();
        (is_whole || !fields.is_empty()).then_some(Self { planned, fields, is_whole })
    }

    /// The outcome of a record whose account is as it is to be.
    pub(super) fn stored(&self) -> Stored {
        let Self { planned, fields, .. } = self;
        Stored {
            found_by: planned.found_by,
            changed: fields.clone(),
            ..Stored::new(planned.outcome, planned.document.clone())
        }
    }

    /// Whether it was a try with this account.
    pub(super) fn is_of(&self, account: &str) -> bool {
        self.planned.document == account
    }

    /// Adds the changes of the earlier try to those of now; how the account was found at first.
    pub(super) fn add_to(&self, account: &str, changed: &mut Vec<ChangedField>, found_by: FoundBy) -> FoundBy {
        if !self.is_of(account) {
            return found_by;
        }
        let is_new = |field: &&ChangedField| !changed.iter().any(|known| known.field == field.field);
        let fields: Vec<ChangedField> = self.fields.iter().filter(is_new).cloned().collect();
        changed.extend(fields);
        self.planned.found_by.unwrap_or(found_by)
    }
}

pub(super) fn changed_field(change: &FieldChange) -> ChangedField {
    let before = change.before.iter().map(|before| ("before", before.clone()));
    let values = before.chain([("after", change.after.clone())]).filter(|_| !change.is_secret()).collect();
    ChangedField { field: change.name().to_owned(), values }
}
