//! Roles that users have been given and the workspace does not have.

use std::{collections::BTreeSet, fmt};

use crate::repository::{RepositoryError, Roles, with_default_timeout};

/// A role that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownRole {
    /// The `_id` that was given.
    pub(crate) id: String,
    /// The `_id` of the role that has it as its display name.
    pub(crate) is_name_of: Option<String>,
}

impl fmt::Display for UnknownRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, is_name_of } = self;
        match is_name_of {
            Some(named) => {
                write!(formatter, "there is no role {id}: {id} is the name of the role {named}, give {named}")
            }
            None => write!(formatter, "there is no role {id}: give the id of one that is there"),
        }
    }
}

/// The sentence about a setting of default roles with such a role.
pub(crate) fn about_default_roles(role: impl fmt::Display) -> String {
    format!("the setting Accounts_Registration_Users_Default_Roles is wrong: {role}")
}

/// Those of the roles that are the `_id` of none.
pub(super) async fn unknown_of(roles: &Roles, given: &BTreeSet<&str>) -> Result<Vec<UnknownRole>, RepositoryError> {
    let known = with_default_timeout(roles.called(given)).await?;
    let unknown = given.iter().filter(|id| !known.iter().any(|role| role.id == **id));
    let unknown = unknown.map(|id| {
        let named = known.iter().find(|role| role.name.as_deref() == Some(*id));
        UnknownRole { id: (*id).to_owned(), is_name_of: named.map(|role| role.id.clone()) }
    });
    Ok(unknown.collect())
}
