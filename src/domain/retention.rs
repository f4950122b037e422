//! How long a workspace keeps messages.

use chrono::TimeDelta;

use super::staged::ChannelType;

/// How long messages stay in rooms of each kind; `None` where they stay for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    pub channels: Option<TimeDelta>,
    pub groups: Option<TimeDelta>,
    pub direct: Option<TimeDelta>,
}

impl Retention {
    /// Returns the shortest time that messages stay in rooms of any of these kinds.
    #[must_use]
    pub fn shortest(&self, kinds: &[ChannelType]) -> Option<TimeDelta> {
        let of = |kind: &ChannelType| match kind {
            ChannelType::Channel => self.channels,
            ChannelType::PrivateGroup => self.groups,
            ChannelType::DirectMessage => self.direct,
        };
        kinds.iter().filter_map(of).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rooms_that_are_imported_count() {
        let days = |days| Some(TimeDelta::days(days));
        let retention = Retention { channels: days(30), groups: None, direct: days(7) };
        assert_eq!(retention.shortest(&[ChannelType::Channel, ChannelType::PrivateGroup]), days(30));
        assert_eq!(retention.shortest(&[ChannelType::Channel, ChannelType::DirectMessage]), days(7));
        assert_eq!(retention.shortest(&[ChannelType::PrivateGroup]), None);
    }
}
