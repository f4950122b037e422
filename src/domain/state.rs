//! The condition of an import, as `import.status` names it.

/// What `import.status` calls the condition of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Made, no data yet.
    New,
    /// A file importer is filling the staging area.
    Loading,
    /// Has data and can be run.
    Ready,
    /// Records are being created.
    Importing,
    /// Every staged record was processed.
    Done,
    /// Stopped by an error, or invalidated by a newer operation, `import.clear` or a restart of Rocket.Chat.
    Error,
    /// Stopped by an administrator.
    Canceled,
}

impl State {
    /// Every state, in the order an import meets them.
    pub const ALL: [Self; 7] =
        [Self::New, Self::Loading, Self::Ready, Self::Importing, Self::Done, Self::Error, Self::Canceled];

    /// The word `import.status` answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Importing => "importing",
            Self::Done => "done",
            Self::Error => "error",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the import is over.
    #[must_use]
    pub const fn is_end(self) -> bool {
        match self {
            Self::Done | Self::Error | Self::Canceled => true,
            Self::New | Self::Loading | Self::Ready | Self::Importing => false,
        }
    }
}
