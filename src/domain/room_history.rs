//! The histories of rooms, as clients see them, beside what an import brought there.

/// Days that lack messages and are named, at most. All of them are counted.
const NAMED_DAYS: usize = 100;

/// A day of a room on which the history holds fewer messages than an import brought there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingMessages {
    /// The `_id` of the room.
    pub room: String,
    /// The day in UTC, as in `2024-01-31`.
    pub day: String,
    /// New messages of the import that the history is to hold.
    pub imported: u64,
    pub in_history: u64,
}

/// The check of the histories at the end of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryCheck {
    /// Rooms whose histories were read.
    pub rooms: u64,
    /// New messages that were looked for.
    pub messages: u64,
    /// Days of rooms that lack some.
    pub days: u64,
    /// The first of these days.
    pub missing: Vec<MissingMessages>,
}

impl HistoryCheck {
    /// Adds a day that lacks messages.
    pub fn add(&mut self, missing: MissingMessages) {
        self.days += 1;
        if self.missing.len() < NAMED_DAYS {
            self.missing.push(missing);
        }
    }

    /// Adds what another operation of the same import looked for.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.rooms += other.rooms;
        self.messages += other.messages;
        self.days += other.days;
        self.missing.extend(other.missing);
        self.missing.truncate(NAMED_DAYS);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_days_are_counted_and_the_first_ones_named() {
        let day = |number: usize| MissingMessages {
            room: "room".to_owned(),
            day: number.to_string(),
            imported: 2,
            in_history: 1,
        };
        let mut check = HistoryCheck { rooms: 1, messages: 300, ..HistoryCheck::default() };
        (0..150).for_each(|number| check.add(day(number)));
        assert_eq!((check.days, check.missing.len()), (150, NAMED_DAYS));
        let both = check.clone().with(check);
        assert_eq!((both.rooms, both.messages, both.days, both.missing.len()), (2, 600, 300, NAMED_DAYS));
        assert_eq!(both.missing[0], day(0));
    }
}
