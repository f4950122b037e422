//! An import operation: one import from its creation to its end.

use super::{
    counts::Counts,
    field_value::{Date, FieldValue, Fields},
    file_source::FileSource,
    importer::Importer,
    matching::WantedRules,
    pace::Pace,
    progress_step::ProgressStep,
};

pub use super::state::State;

/// One import operation as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Everything stored about it, in stored order.
    pub fields: Fields,
}

impl State {
    /// The state of an operation with this `valid` and this step (`None`: a step no release from 3.0 on writes).
    ///
    /// An operation that is not valid is in error wherever it was, unless it had finished; a step that is not known
    /// gives no state at all. Source: `apps/meteor/server/services/import/service.ts`.
    #[must_use]
    pub fn of(valid: bool, step: Option<ProgressStep>) -> Option<Self> {
        match step {
            Some(ProgressStep::Done) => Some(Self::Done),
            _ if !valid => Some(Self::Error),
            Some(step) => Some(step.state()),
            None => None,
        }
    }
}

impl Operation {
    /// The public state; `None` where Rocket.Chat answers none, see [`State::of`].
    #[must_use]
    pub fn state(&self) -> Option<State> {
        State::of(self.is_valid(), self.step())
    }

    /// Whether the operation may still be worked on. It never becomes valid again.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.fields.get("valid").is_some_and(FieldValue::is_truthy)
    }

    /// The step it is at; `None` if `status` is missing or not known.
    #[must_use]
    pub fn step(&self) -> Option<ProgressStep> {
        ProgressStep::from_stored(self.fields.get("status")?.as_text()?)
    }

    /// The importer that filled it; `None` for one that is not known.
    #[must_use]
    pub fn importer(&self) -> Option<Importer> {
        Importer::from_key(self.importer_key())
    }

    /// The `importerKey` as stored, empty if there is none.
    #[must_use]
    pub fn importer_key(&self) -> &str {
        self.text("importerKey")
    }

    /// The `status` as stored, empty if there is none.
    #[must_use]
    pub fn status(&self) -> &str {
        self.text("status")
    }

    /// One of the numbers in `count`; a missing one reads 0.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        let count = self.fields.get("count").and_then(FieldValue::as_object);
        let number = count.and_then(|count| count.get(name)).and_then(FieldValue::as_integer);
        number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
    }

    /// The counters a run moves.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { completed: self.count("completed"), error: self.count("error") }
    }

    fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(FieldValue::as_text).unwrap_or_default()
    }

    /// The `_id`, where it is a text as Rocket.Chat writes it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.fields.get("_id")?.as_text()
    }

    /// The operation whose staged records it imports: itself, unless it goes on with those of another one.
    #[must_use]
    pub fn root(&self) -> Option<&str> {
        self.own("records").or_else(|| self.id())
    }

    /// The ended operation that it goes on with.
    #[must_use]
    pub fn resumes(&self) -> Option<&str> {
        self.own("resumes")
    }

    /// The id of the selection that it was started with; `None` if everything was chosen.
    #[must_use]
    pub fn selection(&self) -> Option<&str> {
        self.own("selection")
    }

    /// The `_id` of the user who made it.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.fields.get("user")?.as_text()
    }

    /// Why it failed, in a sentence for people.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.own("problem")
    }

    /// Where its file is; `None` for an operation without a file, or whose file Rocket.Chat holds.
    #[must_use]
    pub fn file_source(&self) -> Option<FileSource> {
        FileSource::from_fields(self.own_value("source")?.as_object()?)
    }

    /// Whether its file was staged to the end.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.own_value("loaded").is_some_and(FieldValue::is_truthy)
    }

    /// Whether a call to this service ended it, and not a start of Rocket.Chat. Known for operations with a file only.
    #[must_use]
    pub fn is_ended_by_call(&self) -> bool {
        self.own_value("endedByCall").is_some_and(FieldValue::is_truthy)
    }

    /// Whether this service made it to fetch what imports left.
    #[must_use]
    pub fn fetches(&self) -> bool {
        self.own_value("fetches").is_some_and(FieldValue::is_truthy)
    }

    /// The bytes of the files that it fetched, and of all that it fetches as far as their source says; `None` for one that
    /// fetches none.
    #[must_use]
    pub fn fetched_bytes(&self) -> Option<(u64, u64)> {
        let number = |name: &str| u64::try_from(self.own_value(name)?.as_integer()?).ok();
        Some((number("bytes")?, number("bytesTotal")?))
    }

    /// The import that it follows by itself, to fetch what that one left.
    #[must_use]
    pub fn follows(&self) -> Option<&str> {
        self.own("follows")
    }

    /// Whether files and pictures follow it by themselves; `None` where nobody said so.
    #[must_use]
    pub fn is_to_be_followed(&self) -> Option<bool> {
        self.own_value("fetchNext").map(FieldValue::is_truthy)
    }

    /// Whether it goes on with a run that was under way, so that nobody need start it.
    #[must_use]
    pub fn goes_on_by_itself(&self) -> bool {
        self.own_value("goesOn").is_some_and(FieldValue::is_truthy)
    }

    /// The rules that it, or the one that it resumes, was started under, where they are not the importer's own.
    #[must_use]
    pub fn rules(&self) -> WantedRules {
        let stored = self.own_value("rules").and_then(FieldValue::as_object);
        stored.map(WantedRules::from_stored).unwrap_or_default()
    }

    /// How fast it, or the one that it resumes, may be run, where a call has bounded that.
    #[must_use]
    pub fn pace(&self) -> Option<Pace> {
        let stored = self.own_value("pace").and_then(FieldValue::as_integer);
        stored.and_then(|records| u32::try_from(records).ok()).and_then(Pace::new)
    }

    /// How often the service has gone on by itself, in this operation and those that it resumes.
    #[must_use]
    pub fn resumptions(&self) -> u64 {
        let number = self.own_value("resumptions").and_then(FieldValue::as_integer);
        number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
    }

    /// One of the texts that this service stores in `import`, which Rocket.Chat does not know.
    fn own(&self, name: &str) -> Option<&str> {
        self.own_value(name)?.as_text()
    }

    fn own_value(&self, name: &str) -> Option<&FieldValue> {
        self.fields.get("import")?.as_object()?.get(name)
    }

    /// When it was made; `None` where no date is stored, as in old operations.
    #[must_use]
    pub fn made_at(&self) -> Option<Date> {
        self.date("ts")
    }

    /// When it last changed, by the clock of the process that changed it.
    #[must_use]
    pub fn updated_at(&self) -> Option<Date> {
        self.date("_updatedAt")
    }

    fn date(&self, name: &str) -> Option<Date> {
        match self.fields.get(name)? {
            FieldValue::Date(date) => Some(*date),
            _ => None,
        }
    }

    /// Whether somebody who saw `seen`, the same operation, would go back in time with this: it changed earlier,
    /// or fewer users were processed. Never when the state is another one, which everybody has to hear of.
    #[must_use]
    pub fn goes_back_behind(&self, seen: &Self) -> bool {
        let (counts, seen_counts) = (self.counts(), seen.counts());
        self.fields.get("_id") == seen.fields.get("_id")
            && self.state() == seen.state()
            && (self.updated_at().zip(seen.updated_at()).is_some_and(|(updated, seen)| updated < seen)
                || counts.completed < seen_counts.completed
                || counts.error < seen_counts.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_read_back_from_what_is_stored() {
        for step in ProgressStep::ALL {
            assert_eq!(ProgressStep::from_stored(step.as_str()), Some(*step));
        }
        assert_eq!(ProgressStep::from_stored("downloading_file_url"), None);
    }

    #[test]
    fn nothing_but_another_state_goes_back_in_time() {
        let operation = |status: &str, updated: i64, completed: i64| {
            let count = Fields::from_iter([("completed", FieldValue::Integer(completed))]);
            Operation {
                fields: Fields::from_iter([
                    ("_id", FieldValue::Text("one".into())),
                    ("valid", FieldValue::Boolean(true)),
                    ("status", FieldValue::Text(status.into())),
                    ("_updatedAt", FieldValue::Date(Date::from_epoch_millis(updated))),
                    ("count", FieldValue::Object(count)),
                ]),
            }
        };
        let seen = operation("importer_importing_users", 5, 50);
        for (status, updated, completed, goes_back) in [
            ("importer_importing_users", 5, 50, false),
            ("importer_finishing", 6, 50, false),
            ("importer_importing_users", 4, 100, true),
            ("importer_importing_users", 6, 0, true),
            ("importer_done", 4, 50, false),
        ] {
            let next = operation(status, updated, completed);
            assert_eq!(next.goes_back_behind(&seen), goes_back, "{status} {updated} {completed}");
        }
        let other = Operation { fields: operation("importer_new", 1, 0).fields.with("_id", FieldValue::Null) };
        assert!(!other.goes_back_behind(&seen));
    }

    #[test]
    fn an_operation_that_is_not_valid_is_in_error_unless_it_is_done() {
        for step in ProgressStep::ALL {
            let expected = if *step == ProgressStep::Done { State::Done } else { State::Error };
            assert_eq!(State::of(false, Some(*step)), Some(expected));
        }
        assert_eq!(State::of(false, None), Some(State::Error));
        assert_eq!(State::of(true, None), None);
    }
}
