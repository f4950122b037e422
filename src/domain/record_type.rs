//! The types of records: those that are staged, and those that follow an import.

/// The type of a record. Staged ones stand in the order in which they are read and run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    User,
    Contact,
    Channel,
    Message,
    /// The file of an imported message. Never staged: the message itself waits for it.
    File,
    /// The picture of an imported person. Never staged: the account itself waits for it.
    Avatar,
}

impl RecordType {
    /// The types that are staged.
    pub const ALL: [Self; 4] = [Self::User, Self::Contact, Self::Channel, Self::Message];

    /// The staged types of which there are few beside many messages.
    pub const BESIDE_MESSAGES: [Self; 3] = [Self::User, Self::Contact, Self::Channel];

    /// The word that staged records carry as `dataType`, and receipts.
    ///
    /// Source: `packages/core-typings/src/import/IImportRecord.ts`.
    #[must_use]
    pub const fn data_type(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Contact => "contact",
            Self::Channel => "channel",
            Self::Message => "message",
            Self::File => "file",
            Self::Avatar => "avatar",
        }
    }

    /// The type of receipts with this `dataType`.
    #[must_use]
    pub fn of_receipt(word: &str) -> Option<Self> {
        Self::from_data_type(word)
            .or_else(|| [Self::File, Self::Avatar].into_iter().find(|kind| kind.data_type() == word))
    }

    /// The type of staged records with this `dataType`.
    #[must_use]
    pub fn from_data_type(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.data_type() == word)
    }
}
