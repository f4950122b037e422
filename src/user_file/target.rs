//! Targets of columns.

use super::fields::Field;

/// What a column or member stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    Field(Field),
    /// Fills a field that is empty otherwise.
    Fallback(Field),
    /// The first or the last part of a name, which fill an empty name.
    NamePart(usize),
    /// The opposite of `deleted`.
    Active,
    /// Deleted if it is a time, that is no zero.
    DeletedAt,
    /// Active Directory's flags, one of which is "disabled".
    AccountControl,
    /// Words with an effect each; others are wrong.
    Words(&'static [(&'static str, Effect)]),
    /// As `Words`, but a list of them with blanks between, and others are passed over.
    WordList(&'static [(&'static str, Effect)]),
    /// A bcrypt hash of Rocket.Chat's kind.
    Bcrypt,
    /// Is dropped, and counted.
    Secret(Secret),
    /// An object whose members have names of their own, behind this one and a dot.
    Nested,
    Ignore,
}

/// What a word makes of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    Role(&'static str),
    Bot,
    Deleted,
}

/// Secrets that are never taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    LoginTokens,
    TwoFactor,
    OtherHash,
    OtherService,
}
