//! The importers of a workspace.

use super::upload::upload_id;

/// Something that can fill the staging area.
///
/// The pending ones fetch what an import left to be fetched; they are in no list, as in Rocket.Chat.
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
    /// Fetches the files of imported messages.
    PendingFiles,
    /// Fetches the pictures of imported people.
    PendingAvatars,
}

impl Importer {
    pub const ALL: [Self; 8] = [
        Self::Api,
        Self::Csv,
        Self::Slack,
        Self::SlackUsers,
        Self::Contacts,
        Self::Records,
        Self::PendingFiles,
        Self::PendingAvatars,
    ];

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
            Self::PendingFiles => "pending-files",
            Self::PendingAvatars => "pending-avatars",
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
            Self::PendingFiles => "Pending Files",
            Self::PendingAvatars => "Pending Avatars",
        }
    }

    /// Whether it reads files, and so is in the list that an administrator chooses from.
    #[must_use]
    pub const fn reads_files(self) -> bool {
        !matches!(self, Self::Api) && !self.is_pending()
    }

    /// Whether it fetches what an import left to be fetched.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::PendingFiles | Self::PendingAvatars)
    }

    /// The `_id` of the operation of this importer that follows an import by itself: always the same, so that of several
    /// instances one makes it.
    #[must_use]
    pub fn follower_of(self, import: &str) -> String {
        upload_id(&["follows", import, self.key()])
    }

    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|importer| importer.key() == key)
    }
}
