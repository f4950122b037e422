//! The flags that say what happens with people who are there.

use clap::{Args, builder::PossibleValuesParser};
use serde_json::{Map, Value};

use crate::{
    cli::CommandError,
    domain::matching::{Column, MatchBy, OnExisting, OnUsernameTaken},
};

/// The code in Rocket.Chat's sentence about a missing permission.
const UNAUTHORIZED: &str = "error-unauthorized";

#[derive(Debug, Args)]
#[command(next_help_heading = "People who are there")]
pub(super) struct MatchingArgs {
    /// What happens with a user whose account is there: `fail`; `skip` leaves it as it is; `link` adds the import id and
    /// fills empty fields; `update` takes the values of the file
    #[arg(long, value_name = "RULE", value_parser = PossibleValuesParser::new(OnExisting::ALL.map(OnExisting::as_str)))]
    on_existing: Option<String>,

    /// Fields that accounts are found by, with commas [default: importId,email,username]
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', value_parser = PossibleValuesParser::new(MatchBy::WORDS))]
    match_by: Vec<String>,

    /// What happens with a new user whose user name somebody else has; `suffix` takes the next free name
    #[arg(long, value_name = "RULE", default_value = OnUsernameTaken::Fail.as_str(),
        value_parser = PossibleValuesParser::new(OnUsernameTaken::ALL.map(OnUsernameTaken::as_str)))]
    on_username_taken: String,

    /// Columns that `--on-existing update` also takes, with commas; roles are only added, a password replaces the one before
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Column::NAMEABLE.map(Column::as_str)))]
    also_update: Vec<String>,

    /// Let new accounts join the default channels, as those of people who sign up do
    #[arg(long)]
    join_default_channels: bool,
}

impl MatchingArgs {
    /// The flags given that ask for what Rocket.Chat's own import API cannot do: it would pass them over in silence.
    pub(super) fn beyond_rocketchat(&self) -> impl Iterator<Item = &'static str> {
        // To let the user fail is what Rocket.Chat does.
        let finds_people = self.on_existing.as_deref().is_some_and(|rule| rule != OnExisting::Fail.as_str());
        let flags = [
            ("--on-existing", finds_people),
            ("--match-by", !self.match_by.is_empty()),
            ("--on-username-taken", self.on_username_taken != OnUsernameTaken::Fail.as_str()),
            ("--also-update", !self.also_update.is_empty()),
            ("--join-default-channels", self.join_default_channels),
        ];
        flags.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    /// Whether people of one user name get a name each.
    pub(super) fn may_share_names(&self) -> bool {
        self.on_username_taken == OnUsernameTaken::Suffix.as_str()
    }

    /// Whether accounts that are there take passwords.
    pub(super) fn updates_passwords(&self) -> bool {
        self.also_update.iter().any(|column| column == Column::Password.as_str())
    }

    /// The error, with the permission that these flags take where one is missing.
    pub(super) fn with_permission(&self, error: CommandError) -> CommandError {
        match error {
            CommandError::Server(reason) if self.updates_passwords() && reason.contains(UNAUTHORIZED) => {
                let takes = "--also-update password takes run-import and edit-other-user-password";
                CommandError::Server(format!("{reason} ({takes})"))
            }
            error => error,
        }
    }

    /// Whether new accounts join the default channels.
    pub(super) fn joins_default_channels(&self) -> bool {
        self.join_default_channels
    }

    /// Whether people who are there are no error, so that nothing has to be done about some of them.
    pub(super) fn may_leave_people_alone(&self) -> bool {
        self.on_existing.as_deref() != Some(OnExisting::Fail.as_str())
    }

    /// The fields as parameters of `import.check`.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let text = |value: Value| match value {
            Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            Value::String(word) => word,
            value => value.to_string(),
        };
        self.fields().into_iter().map(|(name, value)| (name, text(value))).collect()
    }

    /// The fields of `import.run`.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let rule = self.on_existing.as_deref().unwrap_or(OnExisting::Skip.as_str());
        let mut fields = Map::new();
        fields.insert("onExisting".to_owned(), rule.into());
        fields.insert("onUsernameTaken".to_owned(), self.on_username_taken.as_str().into());
        if !self.match_by.is_empty() {
            fields.insert("matchBy".to_owned(), self.match_by.clone().into());
        }
        if !self.also_update.is_empty() {
            fields.insert("alsoUpdate".to_owned(), self.also_update.clone().into());
        }
        if self.join_default_channels {
            fields.insert("joinDefaultChannels".to_owned(), true.into());
        }
        fields
    }
}
