//! The importers of a workspace.

/// Something that can fill the staging area.
///
/// All but [`Importer::Api`] read files and run inside Rocket.Chat; this service knows them by name only.
/// Source: the registrations under `apps/meteor/app/importer-*/server`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importer {
    Api,
    Csv,
    Slack,
    SlackUsers,
}

impl Importer {
    pub const ALL: [Self; 4] = [Self::Api, Self::Csv, Self::Slack, Self::SlackUsers];

    /// What operations store as `importerKey`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Csv => "csv",
            Self::Slack => "slack",
            Self::SlackUsers => "slack-users",
        }
    }

    /// The name shown to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Csv => "CSV",
            Self::Slack => "Slack",
            Self::SlackUsers => "Slack_Users",
        }
    }

    /// Whether an administrator can choose it from a list.
    #[must_use]
    pub const fn is_listed(self) -> bool {
        !matches!(self, Self::Api)
    }

    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|importer| importer.key() == key)
    }
}
