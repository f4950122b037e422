//! The types of staged records.

/// The type of a staged record, in the order in which records are read and run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    User,
    Contact,
    Channel,
    Message,
}

impl RecordType {
    pub const ALL: [Self; 4] = [Self::User, Self::Contact, Self::Channel, Self::Message];

    /// The word that staged records carry as `dataType`.
    ///
    /// Source: `packages/core-typings/src/import/IImportRecord.ts`.
    #[must_use]
    pub const fn data_type(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Contact => "contact",
            Self::Channel => "channel",
            Self::Message => "message",
        }
    }

    /// The type with this `dataType`.
    #[must_use]
    pub fn from_data_type(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.data_type() == word)
    }
}
