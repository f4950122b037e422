//! Names of people and channels of an export, by their ids.

use std::collections::HashMap;

/// Names by id, as far as the export's lists know them.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    usernames: HashMap<Box<str>, Box<str>>,
    channels: HashMap<Box<str>, Box<str>>,
}

impl Names {
    pub(super) fn username(&self, id: &str) -> Option<&str> {
        self.usernames.get(id).map(AsRef::as_ref)
    }

    pub(super) fn channel(&self, id: &str) -> Option<&str> {
        self.channels.get(id).map(AsRef::as_ref)
    }

    /// Whether somebody with this id is in the export's lists of users.
    pub(super) fn knows_user(&self, id: &str) -> bool {
        self.usernames.contains_key(id)
    }

    pub(super) fn add_user(&mut self, id: &str, username: &str) {
        self.usernames.entry(id.into()).or_insert_with(|| username.into());
    }

    pub(super) fn add_channel(&mut self, id: &str, name: &str) {
        self.channels.entry(id.into()).or_insert_with(|| name.into());
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn of(users: &[(&str, &str)], channels: &[(&str, &str)]) -> Self {
        let mut names = Self::default();
        for (id, name) in users {
            names.add_user(id, name);
        }
        for (id, name) in channels {
            names.add_channel(id, name);
        }
        names
    }
}
