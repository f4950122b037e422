//! The importers of a workspace.

/// Something that can fill the staging area.
///
/// All but [`Importer::Api`] read files.
/// Source: the registrations under `apps/meteor/app/importer-*/server`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Importer {
    Api,
    Csv,
    Slack,
    SlackUsers,
    Contacts,
    /// Reads staged records as JSON lines. Ours; Rocket.Chat has no such importer.
    Records,
}

impl Importer {
    pub const ALL: [Self; 6] = [Self::Api, Self::Csv, Self::Slack, Self::SlackUsers, Self::Contacts, Self::Records];

    /// What operations store as `importerKey`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Csv => "csv",
            Self::Slack => "slack",
            Self::SlackUsers => "slack-users",
            Self::Contacts => "omnichannel_contact",
            Self::Records => "records",
        }
    }

    /// The name shown to people, which operations store as `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Csv => "CSV",
            Self::Slack => "Slack",
            Self::SlackUsers => "Slack_Users",
            Self::Contacts => "omnichannel_contacts_importer",
            Self::Records => "Records",
        }
    }

    /// Whether it reads files, and so is in the list that an administrator chooses from.
    #[must_use]
    pub const fn reads_files(self) -> bool {
        !matches!(self, Self::Api)
    }

    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|importer| importer.key() == key)
    }
}
