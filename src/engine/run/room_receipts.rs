//! What the receipt of a batch says of its messages: how many are in which room on which day.

use indexmap::IndexMap;

use crate::{
    domain::{field_value::Date, receipt::Outcome},
    engine::convert::{Place, Stored},
    repository::{LastMessage, RoomReceipt},
};

/// The letters of a day at the beginning of an ISO date.
const DAY_LETTERS: usize = 10;

/// The messages of a batch by room and day.
#[derive(Debug, Default)]
pub(super) struct RoomReceipts(IndexMap<(String, String), RoomReceipt>);

impl RoomReceipts {
    /// Counts a record that was stored, if it is a message.
    pub(super) fn add(&mut self, stored: &Stored) {
        let Some(Place { room, ts, is_shown, is_in_history }) = &stored.place else { return };
        let day = day_of(*ts);
        let receipt = self.0.entry((room.clone(), day.clone())).or_insert_with(|| RoomReceipt {
            room: room.clone(),
            day,
            created: 0,
            updated: 0,
            same: 0,
            in_history: 0,
            last: None,
        });
        match stored.outcome {
            Outcome::Created => {
                receipt.created += 1;
                receipt.in_history += i64::from(*is_in_history);
                if *is_shown && receipt.last.as_ref().is_none_or(|last| last.ts() <= *ts) {
                    receipt.last = Some(LastMessage::new(stored.became.clone(), *ts));
                }
            }
            Outcome::Updated | Outcome::Linked => receipt.updated += 1,
            Outcome::Same | Outcome::Failed => receipt.same += 1,
        }
    }

    pub(super) fn into_list(self) -> Vec<RoomReceipt> {
        self.0.into_values().collect()
    }
}

fn day_of(ts: Date) -> String {
    let mut day = ts.to_iso_8601().unwrap_or_default();
    day.truncate(day.find('T').unwrap_or(DAY_LETTERS.min(day.len())));
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_by_room_and_day_and_the_last_new_one_that_is_shown_is_known() {
        let message = |id: &str, outcome, hour: i64, is_shown| Stored {
            place: Some(Place {
                room: "r".into(),
                ts: Date::from_epoch_millis(hour * 3_600_000),
                is_shown,
                is_in_history: is_shown,
            }),
            ..Stored::new(outcome, id.to_owned())
        };
        let mut receipts = RoomReceipts::default();
        for (id, outcome, hour, is_shown) in [
            ("a", Outcome::Created, 1, true),
            ("b", Outcome::Created, 3, false),
            ("c", Outcome::Same, 4, true),
            ("d", Outcome::Updated, 30, true),
        ] {
            receipts.add(&message(id, outcome, hour, is_shown));
        }
        let list = receipts.into_list();
        let numbers = |one: &RoomReceipt| [one.created, one.in_history, one.updated, one.same];
        let found: Vec<_> = list.iter().map(|one| (one.day.as_str(), numbers(one))).collect();
        assert_eq!(found, [("1970-01-01", [2, 1, 0, 1]), ("1970-01-02", [0, 0, 1, 0])]);
        assert_eq!(list[0].last.as_ref().map(|last| last.id.as_str()), Some("a"));
    }
}
