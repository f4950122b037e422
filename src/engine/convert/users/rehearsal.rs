//! What a run would do with users, by the run's own code: nothing is written.
//!
//! The records come twice. First each is noted, so that it is known which accounts a later record may find; then each is
//! decided as the run decides it, and what it does to such an account is kept for the later one.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    ReadyUser, Users,
    creating::what_is_taken,
    directory::{Directory, keys_of, seek},
    matching::{Decided, decided},
    memberships::{Memberships, UNREADABLE},
    passwords::rehearsed,
    values::Values,
};
use crate::{
    domain::{
        field_value::{Date, FieldValue, Fields},
        matching::{FoundBy, Rules, StoredAccount},
        new_user::{self, Enrolment, with_roles},
        receipt::Outcome,
        sign_up::{Doubt, DoubtKind, SignUpRules},
        staged::StagedUser,
    },
    engine::{
        convert::EarlierPlans,
        roles::{about_default_roles, unknown_of},
    },
    repository::{
        Repositories, RepositoryError, Roles, SoughtAccounts, can_be_staged, setup::MissingPrivilege,
        with_default_timeout,
    },
};

/// The `_id` of an account that a record of the list would become.
const OF_LINE: &str = "of line ";

/// A rehearsal of one list of users.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    users: Users,
    roles: Roles,
    default_roles: Vec<String>,
    wrong_setting: Option<String>,
    /// Why a role cannot be given; `None` for one that can.
    known_roles: HashMap<String, Option<String>>,
    sign_up: SignUpRules,
    values: Values,
    /// What the database user lacks to let new accounts join channels, to deactivate accounts, and to read rooms.
    missing_for_rooms: Vec<MissingPrivilege>,
    noted: u32,
    decided: u32,
    /// Accounts as earlier records leave them, where a later record may find them.
    earlier: Directory,
}

/// A user of the list.
#[derive(Debug)]
pub(crate) struct ListedUser {
    pub(crate) line: u64,
    /// The user as `import.addUsers` takes it.
    pub(crate) record: Fields,
}

/// What would become of a user.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Foreseen {
    pub(crate) fate: Fate,
    /// The account that was found; `None` for a new one, and for one that is made for an earlier line.
    pub(crate) account: Option<String>,
    /// The earlier line for which the account is made.
    pub(crate) account_of_line: Option<u64>,
    pub(crate) found_by: Option<FoundBy>,
    /// The fields that would change in the account that was found.
    pub(crate) changed: Vec<String>,
    /// Why it would fail or be refused, or a remark.
    pub(crate) reason: Option<String>,
    /// The accounts whose name or address differs in letter case only, each in a sentence.
    pub(crate) twins: Vec<String>,
    /// Values of the account that nobody could sign up with.
    pub(crate) doubts: Vec<Doubt>,
}

/// The way of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is staged, and the run gives it this outcome.
    Run(Outcome),
    /// It is not even staged.
    Refused,
}

impl Fate {
    /// The word in answers: that of receipts.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Run(outcome) => outcome.as_str(),
            Self::Refused => "refused",
        }
    }
}

impl Rehearsal {
    /// Begins under these rules. Where nobody can join a channel, none is looked for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(in crate::engine) async fn begin(
        repositories: &Repositories,
        rules: Rules,
        missing_for_rooms: Vec<MissingPrivilege>,
    ) -> Result<Self, RepositoryError> {
        let default_roles = with_default_timeout(repositories.settings.new_user_roles()).await?;
        let email_2fa = with_default_timeout(repositories.settings.email_2fa_opt_in()).await?;
        let unknown = unknown_of(&repositories.roles, &default_roles.iter().map(String::as_str).collect()).await?;
        Ok(Self {
            users: Users::new(repositories, rules, email_2fa, Memberships::of_records(repositories)),
            roles: repositories.roles.clone(),
            default_roles,
            wrong_setting: unknown.first().map(about_default_roles),
            known_roles: HashMap::new(),
            sign_up: with_default_timeout(repositories.settings.sign_up_rules()).await?,
            values: Values::default(),
            missing_for_rooms,
            noted: 0,
            decided: 0,
            earlier: Directory::default(),
        })
    }

    /// Why nobody at all would be staged; `None` while the settings are right.
    pub(crate) fn wrong_setting(&self) -> Option<&str> {
        self.wrong_setting.as_deref()
    }

    /// The privileges for want of which a run that touches rooms is refused.
    pub(crate) fn missing_for_rooms(&self) -> &[MissingPrivilege] {
        &self.missing_for_rooms
    }

    /// Whether a run with this user may touch rooms, as its start looks for that.
    pub(crate) fn touches_rooms(&self, record: &Fields) -> bool {
        let rules = self.users.rules;
        let names_channels = matches!(record.get("channels"), Some(FieldValue::List(names)) if !names.is_empty());
        let changes_activity = rules.updates_activity() && StagedUser::new(record).is_deleted().is_some();
        rules.joins_default_channels == Some(true) || names_channels || changes_activity
    }

    /// Whether the record has a password that may have to be compared with a stored one, which takes long.
    pub(crate) fn may_compare_password(&self, record: &Fields) -> bool {
        self.users.rules.updates_passwords() && new_user::password_of(record).is_some()
    }

    /// Notes the next user of the list.
    pub(crate) fn note(&mut self, record: &Fields) {
        for key in keys_of(StagedUser::new(record)) {
            self.values.note(&key, self.noted);
        }
        self.noted += 1;
    }

    /// What would become of the next users, in the order in which they were noted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn foresee(&mut self, users: &[ListedUser]) -> Result<Vec<Foreseen>, RepositoryError> {
        self.learn_roles(users).await?;
        let mut foreseen: Vec<Option<Foreseen>> = users.iter().map(|user| self.refusal_of(&user.record)).collect();
        let positions: Vec<usize> = (0..users.len()).filter(|position| foreseen[*position].is_none()).collect();
        let mut ready: Vec<ReadyUser> =
            positions.iter().map(|position| self.ready(&users[*position], *position)).collect();
        self.decided += u32::try_from(users.len()).unwrap_or(u32::MAX);
        let decided = if self.users.rules.leave_it_to_the_database() {
            self.create(&ready).await?
        } else {
            self.find(&mut ready).await?
        };
        let can_join = self.missing_for_rooms.is_empty();
        let channels = users.iter().filter(|_| can_join).flat_map(|user| StagedUser::new(&user.record).channels());
        let mut names: Vec<&str> = channels.collect();
        names.sort_unstable();
        names.dedup();
        let channels = with_default_timeout(self.users.memberships.named(&names)).await?;
        for (position, mut decided) in positions.into_iter().zip(decided) {
            let record = StagedUser::new(&users[position].record);
            if decided.gives_names() {
                decided.doubts = self.sign_up.doubts(record);
            }
            if decided.fate == Fate::Run(Outcome::Created) {
                let unreadable = record.has_unreadable_channels().then(|| UNREADABLE.to_owned());
                let reasons = record.channels().filter_map(|name| channels.get(name)?.as_ref().err().cloned());
                let reasons = unreadable.into_iter().chain(reasons);
                decided.doubts.extend(reasons.map(|reason| Doubt { kind: DoubtKind::Channel, reason }));
            }
            foreseen[position] = Some(decided);
        }
        Ok(foreseen.into_iter().flatten().collect())
    }

    async fn learn_roles(&mut self, users: &[ListedUser]) -> Result<(), RepositoryError> {
        let given = users.iter().flat_map(|user| StagedUser::new(&user.record).roles());
        let new: BTreeSet<&str> = given.filter(|role| !self.known_roles.contains_key(*role)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let unknown = unknown_of(&self.roles, &new).await?;
        let new: Vec<String> = new.into_iter().map(str::to_owned).collect();
        self.known_roles.extend(new.into_iter().map(|id| (id, None)));
        self.known_roles.extend(unknown.into_iter().map(|role| (role.id.clone(), Some(role.to_string()))));
        Ok(())
    }

    /// Why the user would not be staged, whatever the settings.
    fn refusal_of(&self, record: &Fields) -> Option<Foreseen> {
        if !can_be_staged(record) {
            let reason = "the user is larger than the 16 MiB that the database stores of one: shorten it";
            return Some(Foreseen::refused(reason.to_owned()));
        }
        let reason_of = |role: &str| self.known_roles.get(role).cloned().flatten();
        StagedUser::new(record).roles().find_map(reason_of).map(Foreseen::refused)
    }

    /// The user as the run would have it, with its line in the place of an `_id`.
    fn ready(&self, ListedUser { line, record }: &ListedUser, position: usize) -> ReadyUser {
        let number = self.decided as usize + position;
        let record = with_roles(record.clone(), &self.default_roles);
        let enrolment = Enrolment {
            // Several users may stand on one line.
            id: format!("{OF_LINE}{line}, user {number}"),
            bcrypt: new_user::password_of(&record).map(rehearsed).unwrap_or_default(),
            email_2fa: self.users.email_2fa,
            now: Date::now(),
        };
        let account = new_user::new_user(&record, enrolment);
        ReadyUser { record, account, password: None, compared: None }
    }

    /// Without matching: whose names and addresses are taken letter by letter.
    async fn create(&self, users: &[ReadyUser]) -> Result<Vec<Foreseen>, RepositoryError> {
        let mut sought = SoughtAccounts::default();
        for user in users {
            seek(StagedUser::new(&user.record), &mut sought);
        }
        let usernames: Vec<&str> = sought.usernames.iter().map(String::as_str).collect();
        let emails: Vec<&str> = sought.emails.iter().map(String::as_str).collect();
        let holders = with_default_timeout(self.users.accounts.holders(&usernames, &emails)).await?;
        sought.import_ids.clear();
        let directory = with_default_timeout(Directory::of(&self.users.matched, &sought)).await?;
        let foreseen = users.iter().map(|ReadyUser { record, account, .. }| {
            if let Some(reason) = what_is_taken(account, &holders) {
                return Foreseen { reason: Some(reason), ..Foreseen::new(Fate::Run(Outcome::Failed)) };
            }
            let record = StagedUser::new(record);
            let accounts = directory.candidates(record).into_iter();
            let twins = accounts.flat_map(|account| twins(record, StoredAccount::new(account))).collect();
            Foreseen { twins, ..Foreseen::new(Fate::Run(Outcome::Created)) }
        });
        Ok(foreseen.collect())
    }

    /// With matching: each is decided in turn, over the accounts as the earlier ones leave them.
    async fn find(&mut self, users: &mut [ReadyUser]) -> Result<Vec<Foreseen>, RepositoryError> {
        // Nothing was tried before.
        let plans = EarlierPlans::default();
        let references: Vec<&ReadyUser> = users.iter().collect();
        let mut directory = with_default_timeout(self.users.directory(references.into_iter(), &plans)).await?;
        if self.users.rules.updates_passwords() {
            self.users.compare_all(users, &directory).await;
        }
        let changed_before: Vec<Fields> = directory.ids().filter_map(|id| self.earlier.get(id)).cloned().collect();
        let found_before =
            users.iter().flat_map(|user| self.earlier.candidates(StagedUser::new(&user.record))).cloned();
        let earlier: Vec<Fields> = changed_before.into_iter().chain(found_before).collect();
        for account in earlier {
            directory.insert(account);
        }
        let Users { rules, matched, .. } = &self.users;
        let (mut foreseen, mut touched) = (Vec::with_capacity(users.len()), HashSet::new());
        let mut always_kept = HashSet::new();
        for user in &*users {
            let decided = decided(user, &mut directory, Some(&self.earlier), *rules, matched, &plans).await?;
            let account = decided.account().unwrap_or_default().to_owned();
            // Names that no record has, but the search for a free one meets; and of several administrators one is the last.
            let may_matter = match &decided {
                Decided::Create(_, note) => note.is_some(),
                Decided::Change { changes, .. } => {
                    changes.iter().any(|change| ["username", "active"].contains(&change.field.as_str()))
                }
                Decided::Over(_) => false,
            };
            if may_matter {
                always_kept.insert(account.clone());
            }
            touched.insert(account);
            foreseen.push(Foreseen::of(decided));
        }
        let last = self.decided.saturating_sub(1);
        let mut kept = directory.holders_of(|key| self.values.comes_after(key, last));
        kept.extend(always_kept);
        for id in kept.intersection(&touched) {
            if let Some(account) = directory.get(id) {
                self.earlier.insert(account.clone());
            }
        }
        Ok(foreseen)
    }
}

impl Foreseen {
    fn new(fate: Fate) -> Self {
        Self {
            fate,
            account: None,
            account_of_line: None,
            found_by: None,
            changed: Vec::new(),
            reason: None,
            twins: Vec::new(),
            doubts: Vec::new(),
        }
    }

    /// Whether the record's user name or addresses become those of an account.
    fn gives_names(&self) -> bool {
        match self.fate {
            Fate::Run(Outcome::Created) => true,
            Fate::Run(_) => self.changed.iter().any(|field| ["username", "emails"].contains(&field.as_str())),
            Fate::Refused => false,
        }
    }

    /// A user that is not even staged, for this reason.
    pub(crate) fn refused(reason: String) -> Self {
        Self { reason: Some(reason), ..Self::new(Fate::Refused) }
    }

    fn of(decided: Decided) -> Self {
        let found = |outcome, account: String, found_by| {
            let line = line_of(&account);
            let account = Some(account).filter(|_| line.is_none());
            Self { account, account_of_line: line, found_by, ..Self::new(Fate::Run(outcome)) }
        };
        match decided {
            Decided::Over(Ok(stored)) => found(stored.outcome, stored.became, stored.found_by),
            Decided::Over(Err(reason)) => Self { reason: Some(reason), ..Self::new(Fate::Run(Outcome::Failed)) },
            Decided::Create(_, note) => Self { reason: note, ..Self::new(Fate::Run(Outcome::Created)) },
            Decided::Change { account, changes, outcome, found_by, .. } => Self {
                changed: changes.iter().map(|change| change.name().to_owned()).collect(),
                ..found(outcome, account, Some(found_by))
            },
        }
    }

    /// Whether the account that was found may be another person's.
    pub(crate) fn is_unsure(&self) -> bool {
        self.found_by.is_some_and(FoundBy::is_listed_apart)
    }
}

/// The line for which the account would be made.
fn line_of(account: &str) -> Option<u64> {
    account.strip_prefix(OF_LINE)?.split(',').next()?.parse().ok()
}

/// What differs in letter case only between a new user and an account.
fn twins(record: StagedUser<'_>, account: StoredAccount<'_>) -> Vec<String> {
    let holder = account.label();
    let known = account.emails().map(|(address, _)| ("e-mail", address));
    let known: Vec<_> = known.chain(account.username().map(|name| ("username", name))).collect();
    let own = record.emails().map(|address| ("e-mail", address));
    let own = own.chain(record.username().map(|name| ("username", name)));
    own.filter(|(what, value)| {
        known.iter().any(|(kind, known)| kind == what && known != value && known.to_lowercase() == value.to_lowercase())
    })
    .map(|(what, value)| {
        format!(
            "{what} \"{value}\" differs from that of the account {holder} in letter case only: two accounts are made, of \
             which one can hardly log in"
        )
    })
    .collect()
}
