//! The users for whom a call of `import.addUsers` is refused, so that nobody has to look for them.

use serde::Serialize;
use utoipa::ToSchema;

/// As many are named.
const NAMED: usize = 20;

/// The users to blame, beside Rocket.Chat's own sentence.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(super) struct RefusedUsers {
    /// The first twenty.
    users: Vec<RefusedUser>,
    /// Further users to blame.
    more: u64,
    /// A setting of the workspace that is wrong, so that no user can be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    setting: Option<String>,
}

/// A user to blame.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefusedUser {
    /// The place in `users` of the body, from 0 on.
    index: usize,
    /// The first import id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    import_id: Option<String>,
    /// A sentence for a person.
    reason: String,
}

impl RefusedUser {
    pub(super) fn new(index: usize, import_id: Option<&str>, reason: String) -> Self {
        Self { index, import_id: import_id.map(str::to_owned), reason }
    }
}

impl RefusedUsers {
    /// Names the setting.
    pub(super) fn blame_setting(&mut self, sentence: String) {
        self.setting = Some(sentence);
    }

    /// Names, or counts, a user.
    pub(super) fn blame(&mut self, index: usize, import_id: Option<&str>, reason: String) {
        self.blame_with(|| RefusedUser::new(index, import_id, reason));
    }

    /// The same for a user who is looked at closely only to be named.
    pub(super) fn blame_with(&mut self, user: impl FnOnce() -> RefusedUser) {
        if self.users.len() < NAMED {
            self.users.push(user());
        } else {
            self.more += 1;
        }
    }

    /// The users that are named, and the number of further ones.
    pub(super) fn named(&self) -> (&[RefusedUser], u64) {
        (&self.users, self.more)
    }
}
