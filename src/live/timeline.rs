//! What happened lately, within bounds: the last events, and the last changes of state from further back.

use std::{collections::VecDeque, sync::Arc};

use super::event::{Event, EventId};
use crate::{domain::operation::Operation, repository::ClusterTime};

/// Events that are kept whatever they tell. A follower who is further behind hears less.
const RECENT_EVENTS: usize = 64;
/// Changes of state that are kept.
const STATE_CHANGES: usize = 256;

/// How much a follower hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Every event that is still kept.
    Everything,
    /// Changes of state, and else the newest event.
    StatesAndNewest,
}

/// The events of this instance, from the oldest to the newest.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// The newest last, without a gap.
    recent: VecDeque<Arc<Event>>,
    /// Those of all events whose state or operation differs from the one before.
    state_changes: VecDeque<Arc<Event>>,
    /// Events there ever were.
    count: u64,
}

impl Timeline {
    pub(super) fn newest(&self) -> Option<&Arc<Event>> {
        self.recent.back()
    }

    pub(super) fn push(&mut self, operation: Option<Arc<Operation>>, moment: Option<ClusterTime>, data: &str) {
        self.count += 1;
        let before = self.newest().map(AsRef::as_ref);
        let event = Arc::new(Event::new(self.count, before, operation, moment, data));
        if event.is_state_change {
            keep(&mut self.state_changes, &event, STATE_CHANGES);
        }
        keep(&mut self.recent, &event, RECENT_EVENTS);
    }

    /// Forgets all but the newest event: there may have been others that were not seen.
    pub(super) fn forget_the_past(&mut self) {
        let newest = self.recent.pop_back();
        self.clear();
        if let Some(newest) = newest {
            self.recent.push_back(Arc::clone(&newest));
            self.state_changes.push_back(newest);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.recent.clear();
        self.state_changes.clear();
    }

    /// The next event for a follower who has everything up to the event of this number.
    pub(super) fn next_after(&self, number: u64, detail: Detail) -> Option<&Arc<Event>> {
        let missed = self.newest()?.number.checked_sub(number).filter(|missed| *missed > 0)?;
        let missed = usize::try_from(missed).unwrap_or(usize::MAX);
        if detail == Detail::Everything
            && let Some(position) = self.recent.len().checked_sub(missed)
        {
            return self.recent.get(position);
        }
        self.state_changes.iter().find(|event| event.number > number).or(self.newest())
    }

    /// The number of the event after which somebody has to go on who saw the event `id`, or something that is not known
    /// here. The newest event is always still to come.
    pub(super) fn number_of(&self, id: Option<&str>) -> u64 {
        let before_newest = self.count.saturating_sub(1);
        let seen = id.and_then(|id| id.parse().ok()).and_then(|id| self.find(&id));
        seen.map_or(before_newest, |seen| seen.min(before_newest))
    }

    fn find(&self, id: &EventId) -> Option<u64> {
        let kept = || self.state_changes.iter().chain(&self.recent);
        if let Some(event) = kept().find(|event| event.id == *id) {
            return Some(event.number);
        }
        // Another instance may have seen other changes of the operation. What came later is to be told.
        let of_operation = || self.state_changes.iter().filter(|event| event.id.operation == id.operation);
        let known = of_operation().filter(|event| event.id.updated_at <= id.updated_at).map(|event| event.number).max();
        known.or_else(|| of_operation().map(|event| event.number - 1).min())
    }
}

fn keep(events: &mut VecDeque<Arc<Event>>, event: &Arc<Event>, most: usize) {
    if events.len() == most {
        events.pop_front();
    }
    events.push_back(Arc::clone(event));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::field_value::{Date, FieldValue, Fields};

    fn push(timeline: &mut Timeline, id: &str, updated_at: i64, status: &str) {
        let operation = Operation {
            fields: Fields::from_iter([
                ("_id", FieldValue::Text(id.into())),
                ("_updatedAt", FieldValue::Date(Date::from_epoch_millis(updated_at))),
                ("valid", FieldValue::Boolean(true)),
                ("status", FieldValue::Text(status.into())),
            ]),
        };
        timeline.push(Some(Arc::new(operation)), None, "");
    }

    /// An import that was made at 0, ran from 10 on and was done at 10 + `changes`.
    fn timeline(changes: i64) -> Timeline {
        let mut timeline = Timeline::default();
        push(&mut timeline, "one", 0, "importer_new");
        push(&mut timeline, "one", 5, "importer_user_selection");
        for change in 0..changes {
            push(&mut timeline, "one", 10 + change, "importer_importing_users");
        }
        push(&mut timeline, "one", 10 + changes, "importer_done");
        timeline
    }

    fn told_after(timeline: &Timeline, number: u64) -> Vec<String> {
        told_in(timeline, number, Detail::Everything)
    }

    fn told_in(timeline: &Timeline, mut number: u64, detail: Detail) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(event) = timeline.next_after(number, detail) {
            assert!(event.number > number, "not backwards");
            number = event.number;
            told.push(event.id.to_string());
        }
        told
    }

    fn told_to(timeline: &Timeline, id: &str) -> Vec<String> {
        told_after(timeline, timeline.number_of(Some(id)))
    }

    #[test]
    fn who_keeps_up_is_told_everything_and_who_does_not_every_state_and_the_newest() {
        let timeline = timeline(3);
        assert_eq!(told_after(&timeline, 4), ["one:12:importing", "one:13:done"]);
        assert_eq!(told_after(&timeline, 6), [""; 0]);
        let long = self::timeline(500);
        assert_eq!(told_after(&long, 1), ["one:5:ready", "one:10:importing", "one:510:done"]);
        assert_eq!(told_after(&long, long.count - 64).len(), 64);
        let mut running = long;
        push(&mut running, "two", 600, "importer_user_selection");
        for change in 0..100 {
            push(&mut running, "two", 700 + change, "importer_importing_users");
        }
        let told = told_after(&running, 1);
        assert_eq!(told[2..], ["one:510:done", "two:600:ready", "two:700:importing", "two:799:importing"]);
    }

    #[test]
    fn who_is_told_less_is_told_every_state_and_the_newest() {
        let mut timeline = timeline(3);
        let thinned = |timeline: &Timeline, number| told_in(timeline, number, Detail::StatesAndNewest);
        assert_eq!(thinned(&timeline, 1), ["one:5:ready", "one:10:importing", "one:13:done"]);
        push(&mut timeline, "two", 20, "importer_importing_users");
        push(&mut timeline, "two", 21, "importer_importing_users");
        push(&mut timeline, "two", 22, "importer_importing_users");
        assert_eq!(thinned(&timeline, 6), ["two:20:importing", "two:22:importing"]);
        assert_eq!(thinned(&timeline, 9), [""; 0]);
    }

    #[test]
    fn whoever_comes_back_is_told_what_came_after_the_last_event_seen() {
        let timeline = timeline(500);
        assert_eq!(told_to(&timeline, "one:5:ready"), ["one:10:importing", "one:510:done"]);
        assert_eq!(told_to(&timeline, "one:20:importing"), ["one:510:done"], "an event that is no longer kept");
        assert_eq!(told_to(&timeline, "one:3:new"), ["one:5:ready", "one:10:importing", "one:510:done"]);
        assert_eq!(told_to(&timeline, "one:509:importing"), ["one:510:done"]);
        assert_eq!(told_to(&timeline, "one:510:done"), ["one:510:done"], "the newest is told in any case");
        for unknown in ["two:5:ready", ":0:none", "nonsense", "", "one:x:y"] {
            assert_eq!(told_to(&timeline, unknown), ["one:510:done"], "{unknown}");
        }
        assert_eq!(told_after(&timeline, timeline.number_of(None)), ["one:510:done"]);
    }

    #[test]
    fn what_was_seen_before_the_history_begins_does_not_hide_what_is_in_it() {
        let mut timeline = Timeline::default();
        push(&mut timeline, "one", 10, "importer_importing_users");
        push(&mut timeline, "one", 20, "importer_done");
        assert_eq!(told_to(&timeline, "one:5:ready"), ["one:10:importing", "one:20:done"]);
    }

    #[test]
    fn after_a_gap_only_the_newest_is_known() {
        let mut timeline = timeline(3);
        timeline.forget_the_past();
        assert_eq!(told_after(&timeline, 0), ["one:13:done"]);
        assert_eq!(told_to(&timeline, "one:5:ready"), ["one:13:done"]);
        timeline.push(None, None, "");
        assert_eq!(told_to(&timeline, "one:13:done"), [":0:none"]);
        assert_eq!(timeline.number_of(None), timeline.count - 1);
    }

    #[test]
    fn however_much_happens_only_so_much_is_kept() {
        let mut timeline = Timeline::default();
        for number in 0..1000 {
            push(&mut timeline, &number.to_string(), number, "importer_new");
        }
        assert_eq!((timeline.recent.len(), timeline.state_changes.len()), (RECENT_EVENTS, STATE_CHANGES));
    }
}
