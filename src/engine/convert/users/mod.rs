//! Staged users become accounts: new ones, or changes of those that are there.

mod activity;
mod creating;
mod directory;
mod matching;
mod memberships;
mod newcomers;
mod passwords;
mod planned;
mod rehearsal;
mod values;

use std::time::Duration;

use secrecy::SecretString;
use tokio::task::spawn_blocking;

use super::{BatchPlan, Converter, Identity, StoreError, Stored, UniqueValue};
use crate::{
    domain::{
        document::account::PLACEHOLDER,
        field_value::{Date, FieldValue, Fields},
        matching::{Decision, Rules},
        new_user::{self, Enrolment, emails_of, username_of},
        password,
        receipt::Outcome,
        record_type::RecordType,
        user_id::user_id_for,
    },
    repository::{Accounts, MatchedAccounts, Repositories, RepositoryError, StagedId},
};
pub(crate) use rehearsal::{Fate, Foreseen, ListedUser, Rehearsal};

use creating::{addresses_of, create, id_of};
use newcomers::Secured;
use passwords::Compared;

pub(in crate::engine) use {
    directory::{Directory, seek},
    memberships::Memberships,
    newcomers::Newcomers,
};

/// Makes an account of each staged user, or finds the one that is there.
#[derive(Debug)]
pub(in crate::engine) struct Users {
    accounts: Accounts,
    matched: MatchedAccounts,
    rules: Rules,
    /// Whether two-factor authentication by e-mail is switched on for new accounts.
    email_2fa: bool,
    memberships: Memberships,
    /// What people of files get beside; those of calls get nothing.
    newcomers: Option<Newcomers>,
}

/// A user who is ready to be stored.
#[derive(Debug)]
pub(in crate::engine) struct ReadyUser {
    /// The user as staged.
    record: Fields,
    /// The account it becomes, if it becomes a new one.
    account: Fields,
    /// The password of that account, in clear text, where somebody seemed to be there already: it is hashed only if the
    /// account is new after all.
    password: Option<SecretString>,
    /// The password beside that of the account that seemed to be there, where an update takes it. To compare them takes as
    /// long as to hash one, and this is done for many users at a time.
    compared: Option<Compared>,
}

impl ReadyUser {
    /// Whether a new account of this user could not be logged in to. One that only stands in for somebody is not meant to
    /// be. The account says whether it does: not every record with a mark becomes such an account.
    fn lacks_password(&self) -> bool {
        let stands_in = self.account.get(PLACEHOLDER).is_some_and(FieldValue::is_truthy);
        !stands_in && !new_user::has_password(&self.record)
    }
}

impl Users {
    /// A converter under these rules. `email_2fa` is the workspace's choice for new accounts.
    pub(in crate::engine) fn new(
        repositories: &Repositories,
        rules: Rules,
        email_2fa: bool,
        memberships: Memberships,
    ) -> Self {
        let Repositories { accounts, matched_accounts, .. } = repositories;
        let (accounts, matched) = (accounts.clone(), matched_accounts.clone());
        Self { accounts, matched, rules, email_2fa, memberships, newcomers: None }
    }

    /// The same for people of a file.
    pub(in crate::engine) fn of_file(self, newcomers: Newcomers) -> Self {
        Self { newcomers: Some(newcomers), ..self }
    }

    /// Stores every user as a new account, as Rocket.Chat's API does.
    async fn create_all(&self, users: &[&ReadyUser]) -> Result<Vec<Result<Stored, String>>, RepositoryError> {
        let accounts: Vec<&Fields> = users.iter().map(|user| &user.account).collect();
        let mut reasons = create(&self.accounts, &accounts).await?;
        let outcomes = accounts.iter().enumerate().map(|(position, account)| match reasons.remove(&position) {
            Some(reason) => Err(reason),
            None => Ok(created(account)),
        });
        Ok(outcomes.collect())
    }
}

/// The bcrypt text of a password.
async fn hashed(clear_text: String) -> Result<String, String> {
    // Off the threads that do everything else.
    let hashed = spawn_blocking(move || password::hash(&clear_text)).await;
    hashed
        .map_err(|error| format!("The password could not be hashed: {error}"))?
        .map_err(|error| format!("The password could not be hashed: {error}"))
}

fn created(account: &Fields) -> Stored {
    Stored::new(Outcome::Created, id_of(account).to_owned())
}

impl Converter for Users {
    const TYPE: RecordType = RecordType::User;
    /// Accounts are large: half as many keep the database as busy, and the memory for them stays in half as many pieces.
    const BATCH_RECORDS: usize = 250;
    type Ready = ReadyUser;

    fn id_for(&self, id: &StagedId) -> String {
        user_id_for(&id.as_text())
    }

    fn identity(&self, data: &Fields) -> Identity {
        let import_ids = match data.get("importIds") {
            Some(FieldValue::List(ids)) => ids.as_slice(),
            _ => &[],
        };
        Identity {
            import_ids: import_ids
                .iter()
                .filter_map(FieldValue::as_text)
                .take(IDENTITY_VALUES)
                .map(str::to_owned)
                .collect(),
            username: username_of(data).map(str::to_owned),
            emails: emails_of(data).take(IDENTITY_VALUES).map(str::to_owned).collect(),
        }
    }

    async fn prepare(&self, id: &StagedId, staged: Fields) -> Result<ReadyUser, String> {
        new_user::check(&staged)?;
        let (mut password, mut compared) = (None, None);
        // A hash in the record goes before a password.
        let clear_text = new_user::password_of(&staged).filter(|_| new_user::hash_of(&staged).is_none());
        let bcrypt = match clear_text {
            None => password::unusable(),
            Some(clear_text) => {
                let decision = self.likely_decision(&staged).await;
                let is_there = decision.as_ref().is_some_and(|decision| !matches!(decision, Decision::Create { .. }));
                if let Some(decision) = &decision {
                    compared = self.compared(&staged, decision).await;
                }
                if is_there && compared.as_ref().is_none_or(|compared| compared.is_same) {
                    // Very likely the account keeps its password, so hashing this one would be in vain.
                    password = Some(SecretString::from(clear_text));
                    password::unusable()
                } else {
                    hashed(clear_text.to_owned()).await?
                }
            }
        };
        let (id, email_2fa) = (self.id_for(id), self.email_2fa);
        let account = match &self.newcomers {
            Some(newcomers) => {
                let rooms = self.memberships.default_ids();
                newcomers.account(&staged, Secured { id, bcrypt, email_2fa }, &rooms).await?
            }
            None => new_user::new_user(&staged, Enrolment { id, bcrypt, email_2fa, now: Date::now() }),
        };
        Ok(ReadyUser { record: staged, account, password, compared })
    }

    /// Which account a record finds depends on what all records before it did to the accounts, not only those with the
    /// same values: one batch at a time. The passwords of the next are hashed meanwhile.
    fn batches_in_flight(&self) -> usize {
        if self.rules.leave_it_to_the_database() { Self::BATCHES_IN_FLIGHT } else { 1 }
    }

    fn exclusive(&self, ReadyUser { account, .. }: &ReadyUser) -> Vec<UniqueValue> {
        let username = username_of(account).map(|name| UniqueValue::Username(name.to_owned()));
        let addresses = addresses_of(account).map(|address| UniqueValue::Email(address.to_owned()));
        username.into_iter().chain(addresses).collect()
    }

    async fn store(
        &self,
        users: &[&ReadyUser],
        plan: &BatchPlan<'_>,
    ) -> Result<Vec<Result<Stored, String>>, StoreError> {
        let mut outcomes = if self.rules.leave_it_to_the_database() {
            self.create_all(users).await?
        } else {
            self.match_all(users, plan).await?
        };
        for (user, outcome) in users.iter().zip(&mut outcomes) {
            if let Ok(stored) = outcome {
                stored.is_without_password = stored.outcome == Outcome::Created && user.lacks_password();
            }
        }
        self.memberships.join(users, &mut outcomes).await?;
        Ok(outcomes)
    }
}

/// How long an account is looked for before a password is hashed. Hashing it in vain does no harm.
const LOOK_UP_PATIENCE: Duration = Duration::from_secs(5);
/// As many import ids and addresses as a receipt has room for.
const IDENTITY_VALUES: usize = 20;
