//! Sources of files.

use clap::ValueEnum;

/// Where a file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum From {
    /// A file made for this program
    Own,
    /// Rocket.Chat: users.csv without a header, answers of users.list, mongoexport of users
    Rocketchat,
    /// Slack's member list in CSV
    SlackMembers,
    /// Google Workspace's list of users in CSV
    Google,
    /// Microsoft Entra's list of users in CSV
    Entra,
    /// A directory: LDIF, or its attributes in CSV
    Ldap,
    /// Mattermost bulk lines; their users only
    Mattermost,
}

impl From {
    /// The name on the command line and in answers.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What stands in for an import id that a user does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportIdFrom {
    Username,
    /// The first address
    Email,
}
