//! The steps an import goes through, by the names Rocket.Chat stores in an operation's `status`.

use super::state::State;

/// Declares the steps with their stored names once, so that reading, writing and listing them cannot drift apart.
macro_rules! progress_steps {
    ($($(#[$doc:meta])* $step:ident => $stored:literal,)+) => {
        /// A value of `status` that a Rocket.Chat release from 3.0 on writes.
        ///
        /// Source: `apps/meteor/app/importer/lib/ImporterProgressStep`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProgressStep {
            $($(#[$doc])* $step,)+
        }

        impl ProgressStep {
            /// Every step, in the order an import meets them.
            pub const ALL: &[Self] = &[$(Self::$step,)+];

            /// The text stored in `status`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$step => $stored,)+ }
            }
        }
    };
}

progress_steps! {
    /// Made, no data yet.
    New => "importer_new",
    Uploading => "importer_uploading",
    DownloadingFile => "importer_downloading_file",
    FileLoaded => "importer_file_loaded",
    PreparingStarted => "importer_preparing_started",
    PreparingUsers => "importer_preparing_users",
    PreparingChannels => "importer_preparing_channels",
    PreparingMessages => "importer_preparing_messages",
    /// Since 7.x.
    PreparingContacts => "importer_preparing_contacts",
    /// Data is staged; the run can be started.
    UserSelection => "importer_user_selection",
    ImportingStarted => "importer_importing_started",
    ImportingUsers => "importer_importing_users",
    /// Since 7.x.
    ImportingContacts => "importer_importing_contacts",
    ImportingChannels => "importer_importing_channels",
    ImportingMessages => "importer_importing_messages",
    ImportingFiles => "importer_importing_files",
    Finishing => "importer_finishing",
    Done => "importer_done",
    Failed => "importer_import_failed",
    Cancelled => "importer_import_cancelled",
}

impl ProgressStep {
    /// The step whose stored text is `status`; `None` for a text that no release from 3.0 on writes.
    #[must_use]
    pub fn from_stored(status: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|step| step.as_str() == status)
    }

    /// The public state of a valid operation at this step.
    ///
    /// Source: `apps/meteor/server/services/import/service.ts`.
    #[must_use]
    pub const fn state(self) -> State {
        match self {
            Self::New => State::New,
            Self::Uploading
            | Self::DownloadingFile
            | Self::FileLoaded
            | Self::PreparingStarted
            | Self::PreparingUsers
            | Self::PreparingChannels
            | Self::PreparingMessages
            | Self::PreparingContacts => State::Loading,
            Self::UserSelection => State::Ready,
            Self::ImportingStarted
            | Self::ImportingUsers
            | Self::ImportingContacts
            | Self::ImportingChannels
            | Self::ImportingMessages
            | Self::ImportingFiles
            | Self::Finishing => State::Importing,
            Self::Done => State::Done,
            Self::Failed => State::Error,
            Self::Cancelled => State::Canceled,
        }
    }
}
