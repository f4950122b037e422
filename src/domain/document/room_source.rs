//! What a source says of a room. It is noted, so that a later import tells what changed at the source from what people
//! changed here.

use super::{FieldChange, FieldValue, Fields, text};
use crate::domain::{
    field_value::Date,
    staged::{StagedChannel, date, is_true},
};

const ARCHIVED: &str = "archived";
const TOPIC_SINCE: &str = "topicSince";
const DESCRIPTION_SINCE: &str = "descriptionSince";

/// The fields of a room that follow its source, and under which name the note holds since when the source says so.
const FOLLOWING: [(&str, Option<&str>); 3] =
    [("ts", None), ("topic", Some(TOPIC_SINCE)), ("description", Some(DESCRIPTION_SINCE))];

/// What a source says of a room: the values that the room follows, each with the time since when it is so, if that is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoomSource(Fields);

impl RoomSource {
    #[must_use]
    pub fn of(staged: StagedChannel<'_>) -> Self {
        let date = |date: Option<Date>| date.map(FieldValue::Date);
        let values = [
            ("ts", date(staged.created_at())),
            ("topic", staged.topic().map(text)),
            (TOPIC_SINCE, date(staged.topic_since())),
            ("description", staged.description().map(text)),
            (DESCRIPTION_SINCE, date(staged.description_since())),
            (ARCHIVED, staged.is_archived().then_some(FieldValue::Boolean(true))),
        ];
        Self(values.into_iter().filter_map(|(field, value)| Some((field, value?))).collect())
    }

    /// Returns what was noted as these fields.
    #[must_use]
    pub const fn from_fields(fields: Fields) -> Self {
        Self(fields)
    }

    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.0
    }

    /// Returns all that is known once this source was imported after the one of an earlier import. Of two values the one that was
    /// set later counts; what this source does not say stays.
    #[must_use]
    pub fn after(&self, earlier: Option<&Self>) -> Self {
        let Some(earlier) = earlier else { return self.clone() };
        let mut known = earlier.0.clone();
        for (field, since) in FOLLOWING {
            if self.is_older(since, earlier) {
                continue;
            }
            for name in [Some(field), since].into_iter().flatten() {
                known = self.0.get(name).into_iter().fold(known, |known, value| known.with(name, value.clone()));
            }
        }
        if is_true(&self.0, ARCHIVED) {
            known = known.with(ARCHIVED, FieldValue::Boolean(true));
        }
        Self(known)
    }

    /// The changes of a stored room that follow from what changed at the source since the earlier import, where nobody
    /// changed the room here. Where no import noted anything, the room follows its source as it is.
    pub(super) fn changes(&self, stored: &Fields, earlier: Option<&Self>) -> Vec<FieldChange> {
        let follows = |(field, since): &(&str, Option<&str>)| {
            earlier.is_none_or(|earlier| {
                let is_new = earlier.0.get(field) != self.0.get(field) && !self.is_older(*since, earlier);
                is_new && value_of(stored, field) == value_of(&earlier.0, field)
            })
        };
        let changed = FOLLOWING.into_iter().filter(follows);
        changed.filter_map(|(field, _)| FieldChange::of(stored, field, self.0.get(field)?.clone())).collect()
    }

    /// Whether a stored room that is not archived becomes so. An earlier import that noted it has done it, and people here
    /// took it back.
    pub(super) fn archives(&self, stored: &Fields, earlier: Option<&Self>) -> bool {
        let is_new = !earlier.is_some_and(|earlier| is_true(&earlier.0, ARCHIVED));
        is_true(&self.0, ARCHIVED) && is_new && !is_true(stored, ARCHIVED)
    }

    /// Whether the earlier source's value was set later than this one's.
    fn is_older(&self, since: Option<&str>, earlier: &Self) -> bool {
        since.is_some_and(|since| date(&self.0, since) < date(&earlier.0, since))
    }
}

/// The value of a field; an empty text is none.
fn value_of<'a>(fields: &'a Fields, field: &str) -> Option<&'a FieldValue> {
    fields.get(field).filter(|value| super::is_value(value) && value.as_text() != Some(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(topic: &str, since: Option<i64>) -> RoomSource {
        let since = since.map(|since| (TOPIC_SINCE, FieldValue::Date(Date::from_epoch_millis(since))));
        RoomSource([("topic", text(topic))].into_iter().chain(since).collect())
    }

    fn topic_after(stored: Option<&str>, now: &RoomSource, earlier: Option<&RoomSource>) -> Option<String> {
        let stored: Fields = stored.map(|topic| ("topic", text(topic))).into_iter().collect();
        let changes = now.changes(&stored, earlier);
        changes.into_iter().next().and_then(|change| change.after.as_text().map(str::to_owned))
    }

    #[test]
    fn a_topic_follows_its_source_until_people_here_change_it() {
        let (one, two) = (source("one", Some(1)), source("two", Some(2)));
        let two_is_taken = Some("two".to_owned());
        assert_eq!(topic_after(Some("one"), &two, Some(&one)), two_is_taken);
        assert_eq!(topic_after(Some("ours"), &two, Some(&one)), None, "people changed it");
        assert_eq!(topic_after(None, &two, Some(&one)), None, "people removed it");
        assert_eq!(topic_after(Some(""), &two, Some(&RoomSource::default())), two_is_taken, "there was none");
        assert_eq!(topic_after(Some("ours"), &one, Some(&one)), None, "nothing changed at the source");
        assert_eq!(topic_after(Some("ours"), &two, None), two_is_taken, "nothing is noted");
    }

    #[test]
    fn an_older_source_sets_nothing_back_and_is_not_noted() {
        let (one, two) = (source("one", Some(1)), source("two", Some(2)));
        assert_eq!(topic_after(Some("two"), &one, Some(&two)), None);
        assert_eq!(one.after(Some(&two)), two);
        assert_eq!(two.after(Some(&one)), two);
        let back = source("one", Some(3));
        assert_eq!(
            topic_after(Some("two"), &back, Some(&two)),
            Some("one".to_owned()),
            "it was set back at the source"
        );
        // Without times the later import counts.
        let (one, two) = (source("one", None), source("two", None));
        assert_eq!(topic_after(Some("two"), &one, Some(&two)), Some("one".to_owned()));
        assert_eq!(RoomSource::default().after(Some(&two)), two, "what it does not say stays");
    }

    #[test]
    fn a_room_is_archived_once() {
        let yes = RoomSource([(ARCHIVED, FieldValue::Boolean(true))].into_iter().collect());
        let no = RoomSource::default();
        let open = Fields::default();
        assert!(yes.archives(&open, None) && yes.archives(&open, Some(&no)));
        assert!(!yes.archives(&open, Some(&yes)) && !yes.archives(yes.fields(), None) && !no.archives(&open, None));
        assert!(!yes.archives(&open, Some(&no.after(Some(&yes)))));
    }
}
