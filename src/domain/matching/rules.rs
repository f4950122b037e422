//! The rules by which people are matched with accounts, and their words.

use super::account_changes::{Column, Columns};
use crate::domain::{
    caller::Permission,
    field_value::{FieldValue, Fields},
};

/// By which fields accounts may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchBy {
    pub import_id: bool,
    pub email: bool,
    pub username: bool,
}

impl Default for MatchBy {
    fn default() -> Self {
        Self { import_id: true, email: true, username: true }
    }
}

impl MatchBy {
    /// No field at all, to be added to.
    pub const NOTHING: Self = Self { import_id: false, email: false, username: false };

    /// The words of the fields, the surest field first.
    pub const WORDS: [&str; 3] = ["importId", "email", "username"];

    /// The words of the fields that are taken.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let taken = [self.import_id, self.email, self.username];
        Self::WORDS.into_iter().zip(taken).filter_map(|(word, is_taken)| is_taken.then_some(word))
    }

    /// The same with the field whose word is `word`; `None` for a word that is not known.
    #[must_use]
    pub fn with(self, word: &str) -> Option<Self> {
        match word {
            "importId" => Some(Self { import_id: true, ..self }),
            "email" => Some(Self { email: true, ..self }),
            "username" => Some(Self { username: true, ..self }),
            _ => None,
        }
    }
}

/// What happens with a record whose account is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// The record fails, as in Rocket.Chat's API.
    Fail,
    /// Nothing: the person is there already.
    Skip,
    /// The account gains the import ids, and its empty fields are filled.
    Link,
    /// The record wins for the columns that it has, except for those that have to be named.
    Update,
}

impl OnExisting {
    /// Every rule, the one that does the least first.
    pub const ALL: [Self; 4] = [Self::Fail, Self::Skip, Self::Link, Self::Update];

    /// The word of APIs and flags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Link => "link",
            Self::Update => "update",
        }
    }

    /// The rule whose word is `word`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == word)
    }
}

/// What happens with a record without an account whose user name somebody else has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUsernameTaken {
    Fail,
    /// The account gets the next free name.
    Suffix,
}

impl OnUsernameTaken {
    /// Both rules.
    pub const ALL: [Self; 2] = [Self::Fail, Self::Suffix];

    /// The word of APIs and flags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Suffix => "suffix",
        }
    }

    /// The rule whose word is `word`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == word)
    }
}

/// The rules of one import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub match_by: MatchBy,
    pub on_existing: OnExisting,
    pub on_username_taken: OnUsernameTaken,
    /// Columns that [`OnExisting::Update`] also takes although they are protected.
    pub named: Columns,
    /// Whether new accounts join the default channels. `None` is the importer's own habit: those of files do, those of
    /// calls do not.
    pub joins_default_channels: Option<bool>,
}

impl Rules {
    /// Whether no account is looked for, and MongoDB refuses taken names and addresses: Rocket.Chat's own way.
    #[must_use]
    pub fn leave_it_to_the_database(self) -> bool {
        self.on_existing == OnExisting::Fail && self.on_username_taken == OnUsernameTaken::Fail
    }

    /// Whether the record decides if an account that is there is active.
    #[must_use]
    pub fn updates_activity(self) -> bool {
        self.on_existing == OnExisting::Update && self.named.has(Column::Deleted)
    }

    /// Whether an account that is there takes the record's password.
    #[must_use]
    pub fn updates_passwords(self) -> bool {
        self.on_existing == OnExisting::Update && self.named.has(Column::Password)
    }

    /// The rules of Rocket.Chat's API: nobody who is there is looked for.
    #[must_use]
    pub fn of_api() -> Self {
        Self {
            match_by: MatchBy::default(),
            on_existing: OnExisting::Fail,
            on_username_taken: OnUsernameTaken::Fail,
            named: Columns::default(),
            joins_default_channels: None,
        }
    }

    /// The rules of file imports: accounts are linked, and nobody's messages are lost over a name.
    #[must_use]
    pub fn of_files() -> Self {
        Self {
            match_by: MatchBy::default(),
            on_existing: OnExisting::Link,
            on_username_taken: OnUsernameTaken::Suffix,
            named: Columns::default(),
            joins_default_channels: None,
        }
    }
}

/// The rules that a run is to have; those that are missing are the importer's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WantedRules {
    pub match_by: Option<MatchBy>,
    pub on_existing: Option<OnExisting>,
    pub on_username_taken: Option<OnUsernameTaken>,
    pub named: Option<Columns>,
    pub joins_default_channels: Option<bool>,
}

impl WantedRules {
    /// Reads rules that were stored. A word that this release does not know is passed over.
    #[must_use]
    pub fn from_stored(stored: &Fields) -> Self {
        let word = |name: &str| stored.get(name).and_then(FieldValue::as_text);
        let words = |name: &str| match stored.get(name) {
            Some(FieldValue::List(words)) => words.iter().filter_map(FieldValue::as_text).collect(),
            _ => Vec::new(),
        };
        let match_by = words("matchBy").into_iter().fold(MatchBy::NOTHING, |by, word| by.with(word).unwrap_or(by));
        let named =
            words("alsoUpdate").into_iter().filter_map(Column::from_word).fold(Columns::default(), Columns::with);
        Self {
            on_existing: word("onExisting").and_then(OnExisting::from_word),
            on_username_taken: word("onUsernameTaken").and_then(OnUsernameTaken::from_word),
            match_by: Some(match_by),
            named: Some(named),
            joins_default_channels: match stored.get("joinDefaultChannels") {
                Some(FieldValue::Boolean(joins)) => Some(*joins),
                _ => None,
            },
        }
    }

    /// The permission that these rules take beside that of the import. Whether a password is the same as the stored one is
    /// nobody else's to know, either.
    #[must_use]
    pub fn permission(self) -> Option<Permission> {
        let takes_passwords = self.named.is_some_and(|named| named.has(Column::Password));
        takes_passwords.then_some(Permission::EditOtherUserPassword)
    }

    /// The rules, with the importer's own where nothing is wanted.
    #[must_use]
    pub fn over(self, own: Rules) -> Rules {
        Rules {
            match_by: self.match_by.unwrap_or(own.match_by),
            on_existing: self.on_existing.unwrap_or(own.on_existing),
            on_username_taken: self.on_username_taken.unwrap_or(own.on_username_taken),
            named: self.named.unwrap_or(own.named),
            joins_default_channels: self.joins_default_channels.or(own.joins_default_channels),
        }
    }
}
