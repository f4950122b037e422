//! Rooms of an export: public and private channels, group talks, and talks of two.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::domain::{
    field_value::{FieldValue, Fields},
    record_type::RecordType,
};

use crate::importers::{
    archive::composed,
    entries::FoundElement,
    json::{date, object_of, person, text, text_of, texts},
    record::{Element, PassedOver, Place, Problem, Record},
};

use super::{
    names::Names,
    text::{import_id, plain},
};

const MILLIS_PER_SECOND: i64 = 1000;

/// Which of the export's lists a room is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Channels,
    Groups,
    GroupTalks,
    Talks,
}

impl List {
    pub(super) const ALL: [Self; 4] = [Self::Channels, Self::Groups, Self::GroupTalks, Self::Talks];

    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Channels => "channels.json",
            Self::Groups => "groups.json",
            Self::GroupTalks => "mpims.json",
            Self::Talks => "dms.json",
        }
    }
}

/// Rooms by the folder their messages lie in, which is named after the room or after its id.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    ids: Vec<Box<str>>,
    by_folder: HashMap<Box<str>, u32>,
}

impl Rooms {
    /// Adds the rooms of a list; also their names to `names`.
    pub(super) fn add(&mut self, list: List, names: &mut Names, elements: impl Iterator<Item = FoundElement>) {
        for (_, json) in elements.flatten() {
            let Ok(room) = object_of(&json) else { continue };
            let Some(id) = text_of(&room, "id") else { continue };
            let Ok(number) = u32::try_from(self.ids.len()) else { return };
            let name = text_of(&room, "name").filter(|_| list != List::Talks);
            for folder in name.into_iter().chain([id]) {
                self.by_folder.entry(composed(folder).into()).or_insert(number);
            }
            if let Some(name) = name.filter(|_| matches!(list, List::Channels | List::Groups)) {
                names.add_channel(id, name);
            }
            self.ids.push(id.into());
        }
    }

    /// The number of the room that a folder belongs to.
    pub(super) fn of_folder(&self, folder: &str) -> Option<u32> {
        self.by_folder.get(folder).copied()
    }

    /// Whether a room has this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.by_folder.get(id).is_some_and(|number| self.id(*number) == id)
    }

    pub(super) fn id(&self, number: u32) -> &str {
        self.ids.get(number as usize).map(AsRef::as_ref).unwrap_or_default()
    }
}

/// The members of talks, who must all be somebody.
pub(super) fn participants(elements: impl Iterator<Item = FoundElement>) -> impl Iterator<Item = (Place, String)> {
    elements.flatten().flat_map(|(place, json)| {
        let members = object_of(&json).map(|room| members_of(&room)).unwrap_or_default();
        members.into_iter().map(move |member| (place.clone(), member))
    })
}

fn members_of(room: &Value) -> Vec<String> {
    let members = room.get("members").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    members.iter().filter_map(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

/// The rooms of a list as records; each id once over all lists, which `seen` holds.
pub(super) fn room(
    element: FoundElement,
    list: List,
    names: &Names,
    direct_message_max_users: usize,
    seen: &mut HashSet<Box<str>>,
) -> Element {
    let (place, json) = match element {
        Ok(element) => element,
        Err(problem) => return problem.into(),
    };
    let failed = |reason: &str, ids| Problem::new(RecordType::Channel, place.clone(), reason).with_ids(ids).into();
    let room = match object_of(&json) {
        Ok(room) => room,
        Err(reason) => return failed(&reason, None),
    };
    let Some(id) = text_of(&room, "id") else { return failed("The room has no id.", None) };
    if !seen.insert(id.into()) {
        return PassedOver::one("channel", "Listed before.", place).into();
    }
    let members = members_of(&room);
    let users = || texts(members.iter().map(|id| import_id(id)));
    let created = room.get("created").and_then(Value::as_i64).filter(|seconds| *seconds > 0);
    let created = created.and_then(|seconds| seconds.checked_mul(MILLIS_PER_SECOND));
    if list == List::Talks {
        if members.is_empty() {
            return failed("The direct message has no members.", Some(id.to_owned()));
        }
        let mut data = vec![("importIds", texts([id])), ("users", users()), ("t", text("d"))];
        data.extend(created.map(|millis| ("ts", date(millis))));
        return Record::new(RecordType::Channel, Fields::from_iter(data), place).into();
    }
    let Some(name) = text_of(&room, "name") else { return failed("The room has no name.", Some(id.to_owned())) };
    let kind = match list {
        List::Channels => "c",
        List::GroupTalks if !members.is_empty() && members.len() <= direct_message_max_users.max(1) => "d",
        List::Groups | List::GroupTalks | List::Talks => "p",
    };
    let mut data = Vec::new();
    if list == List::Channels && room.get("is_general").and_then(Value::as_bool) == Some(true) {
        data.push(("_id", text("general")));
    }
    data.extend(text_of(&room, "creator").map(|creator| ("u", person(import_id(creator)))));
    data.extend([("importIds", texts([id])), ("name", text(name)), ("users", users()), ("t", text(kind))]);
    for (field, source) in [("topic", "topic"), ("description", "purpose")] {
        let value = room.get(source).and_then(|value| text_of(value, "value"));
        data.extend(value.map(|value| (field, text(plain(value, names)))));
    }
    for (field, source) in [("_topicSince", "topic"), ("_descriptionSince", "purpose")] {
        let set = room.get(source).filter(|value| text_of(value, "value").is_some());
        let seconds = set.and_then(|value| value.get("last_set")?.as_i64()).filter(|seconds| *seconds > 0);
        let millis = seconds.and_then(|seconds| seconds.checked_mul(MILLIS_PER_SECOND));
        data.extend(millis.map(|millis| (field, date(millis))));
    }
    data.extend(created.map(|millis| ("ts", date(millis))));
    let archived = room.get("is_archived").and_then(Value::as_bool).unwrap_or_default();
    data.push(("archived", FieldValue::Boolean(archived)));
    Record::new(RecordType::Channel, Fields::from_iter(data), place).into()
}
