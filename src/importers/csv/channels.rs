//! `channels.csv`: a name, its creator, `private` or anything else, and its members a row.

use std::{collections::HashMap, sync::Arc};

use crate::domain::{field_value::Fields, record_type::RecordType};

use crate::importers::{
    archive::composed,
    entries::{FoundRow, RowSource},
    json::{person, text, texts},
    record::{Element, PassedOver, Place, Problem, Record},
    rows::{Row, trimmed},
    stable_id::stable_id,
};

const PRIVATE: &str = "private";
const MEMBER_SEPARATOR: char = ';';

/// The import id of a channel. Rocket.Chat makes a new one for each import; this one is the same each time, so that a
/// second import finds the room again.
pub(super) fn import_id(name: &str) -> String {
    stable_id(&["csv channel", name])
}

/// The names of `channels.csv`, for folders to be found by them.
#[derive(Debug, Clone, Default)]
pub(super) struct ChannelNames {
    /// Import ids by name, and the line each name stands on first.
    exact: Arc<HashMap<String, Known>>,
    /// Import ids by lower-case name, where only one name is spelt so.
    folded: HashMap<String, Option<String>>,
}

#[derive(Debug, Clone)]
struct Known {
    id: String,
    first: Place,
}

impl ChannelNames {
    pub(super) fn read(rows: RowSource) -> Self {
        let mut exact: HashMap<String, Known> = HashMap::new();
        let mut folded: HashMap<String, Option<String>> = HashMap::new();
        for (place, row) in rows.flatten() {
            let name = name_of(&row);
            if name.is_empty() || exact.contains_key(&name) {
                continue;
            }
            let id = import_id(&name);
            folded.entry(name.to_lowercase()).and_modify(|id| *id = None).or_insert_with(|| Some(id.clone()));
            exact.insert(name, Known { id, first: place });
        }
        Self { exact: Arc::new(exact), folded }
    }

    /// The import id of the channel that a folder is named after.
    pub(super) fn id_of(&self, folder: &str) -> Option<&str> {
        let name = composed(trimmed(folder));
        let exact = self.exact.get(&name).map(|known| known.id.as_str());
        exact.or_else(|| self.folded.get(&name.to_lowercase())?.as_deref())
    }

    pub(super) fn channels_in(&self, rows: RowSource) -> impl Iterator<Item = Element> + Send + use<> {
        let names = self.exact.clone();
        rows.enumerate().map(move |(number, row)| channel(row, number == 0, &names))
    }
}

fn name_of(row: &Row) -> String {
    composed(row.trimmed(0))
}

fn channel(row: FoundRow, is_first: bool, names: &HashMap<String, Known>) -> Element {
    let (place, row) = match row {
        Ok(row) => row,
        Err(problem) => return problem.into(),
    };
    let (name, creator, kind) = (name_of(&row), row.trimmed(1), row.trimmed(2));
    let header = ["creator", "owner", "ownerusername"].iter().any(|word| creator.eq_ignore_ascii_case(word));
    if is_first && header && name.to_lowercase().ends_with("name") {
        return PassedOver::one("header", "The row names the columns.", place).into();
    }
    let Some(known) = names.get(&name) else {
        return Problem::new(RecordType::Channel, place, "The row has no channel name.").into();
    };
    if known.first != place {
        let reason = format!("The channel is there already: {}.", known.first);
        return Problem::new(RecordType::Channel, place, reason).with_ids([name]).into();
    }
    let members = row.trimmed(3).split(MEMBER_SEPARATOR).map(trimmed).filter(|member| !member.is_empty());
    let mut data = vec![("importIds", texts([known.id.as_str()]))];
    if !creator.is_empty() {
        data.push(("u", person(creator)));
    }
    let kind = if kind.eq_ignore_ascii_case(PRIVATE) { "p" } else { "c" };
    data.extend([("name", text(name)), ("users", texts(members)), ("t", text(kind))]);
    Record::new(RecordType::Channel, Fields::from_iter(data), place).into()
}
