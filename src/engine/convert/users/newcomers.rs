//! New accounts of people in files, made as Rocket.Chat's importers make them.

use std::collections::{HashMap, HashSet};

use tokio::sync::Mutex;

use crate::{
    domain::{
        document::{
            account::{self, Enrolment, new_account},
            username::suggestions,
        },
        field_value::{Date, Fields},
        matching::StoredAccount,
        staged::StagedUser,
    },
    repository::{MatchedAccounts, Repositories, RepositoryError, SoughtAccounts},
};

/// Names that are suggested to a person who brings none before the record fails, and of them with one query.
const NAMES: usize = 1000;
const NAMES_AT_A_TIME: usize = 20;

/// What new accounts have in common.
#[derive(Debug)]
pub(in crate::engine) struct Newcomers {
    default_roles: Vec<String>,
    approve_manually: bool,
    /// The beginning of the names of people without a name.
    prefix: String,
    matched: MatchedAccounts,
    suggested: Mutex<Suggested>,
}

/// Suggested names, whose accounts may not be stored yet.
#[derive(Debug, Default)]
struct Suggested {
    by_account: HashMap<String, String>,
    names: HashSet<String>,
}

/// The password of an account that is to be made, and its `_id`.
pub(super) struct Secured {
    pub(super) id: String,
    pub(super) bcrypt: String,
    pub(super) email_2fa: bool,
}

impl Newcomers {
    /// Reads what the workspace gives new accounts.
    ///
    /// # Errors
    /// As for every read.
    pub(in crate::engine) async fn new(repositories: &Repositories) -> Result<Self, RepositoryError> {
        let Repositories { settings, matched_accounts, .. } = repositories;
        Ok(Self {
            default_roles: settings.new_user_roles().await?,
            approve_manually: settings.approves_new_users_manually().await?,
            prefix: settings.username_prefix().await?,
            matched: matched_accounts.clone(),
            suggested: Mutex::default(),
        })
    }

    /// Makes the account that the staged user becomes, if it becomes a new one, which joins the channels `rooms`.
    pub(super) async fn account(&self, staged: &Fields, secured: Secured, rooms: &[&str]) -> Result<Fields, String> {
        let user = StagedUser::new(staged);
        account::check(user)?;
        let suggested = match user.username() {
            Some(_) => None,
            None => Some(self.suggested(user, &secured.id).await?),
        };
        let is_placeholder = account::is_stand_in(user);
        let rooms = if is_placeholder { &[] } else { rooms };
        let enrolment = Enrolment {
            id: &secured.id,
            username: user.username().or(suggested.as_deref()),
            bcrypt: &secured.bcrypt,
            email_2fa: secured.email_2fa,
            default_roles: &self.default_roles,
            approve_manually: self.approve_manually,
            rooms,
            is_placeholder,
            now: Date::now(),
        };
        Ok(new_account(user, &enrolment))
    }

    /// A user name that nobody has, for a person who brings none.
    async fn suggested(&self, user: StagedUser<'_>, account: &str) -> Result<String, String> {
        let mut suggested = self.suggested.lock().await;
        if let Some(name) = suggested.by_account.get(account) {
            return Ok(name.clone());
        }
        let names: Vec<String> = suggestions(user.name().unwrap_or_default(), &self.prefix).take(NAMES).collect();
        for names in names.chunks(NAMES_AT_A_TIME) {
            let sought = SoughtAccounts { usernames: names.to_vec(), ..SoughtAccounts::default() };
            let found = self.matched.find(&sought).await.map_err(|error| error.to_string())?;
            // An attempt before may have stored this very account.
            let others = found.iter().map(StoredAccount::new).filter(|other| other.id() != account);
            let taken: HashSet<String> =
                others.filter_map(|other| Some(other.username()?.trim().to_lowercase())).collect();
            let is_free = |name: &&String| !taken.contains(*name) && !suggested.names.contains(*name);
            if let Some(name) = names.iter().find(is_free) {
                suggested.names.insert(name.clone());
                suggested.by_account.insert(account.to_owned(), name.clone());
                return Ok(name.clone());
            }
        }
        Err(format!("{NAMES} suggested user names are taken."))
    }
}
