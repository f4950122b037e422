//! Canvases: documents that live in Slack alone. Each becomes a message with a link to it, in the rooms that it belongs to.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::domain::record_type::RecordType;

use crate::importers::{
    archive::Archive,
    entries::{EntryElements, FoundElement},
    json::{object_of, text_of},
    record::{Element, PassedOver, Place, Problem},
    stable_id::stable_number,
};

use super::{LIST_MEMBERS, files::is_web_address, messages::RoomMessages, names::Names, rooms::Rooms, survey::Survey};

pub(super) const LIST: &str = "canvases.json";
pub(super) const KIND: &str = "canvas";
/// The form of canvases among the files of a message.
const MODE: &str = "canvas";
/// Members with the ids of the rooms in which a file was shared.
const ROOMS: [&str; 4] = ["channels", "groups", "mpims", "ims"];
const MICROS_PER_SECOND: u64 = 1_000_000;

/// Whether a file in a room's folder, named without its ending, holds canvases and no messages.
pub(super) fn is_file_of_canvases(stem: &str) -> bool {
    stem.starts_with(MODE)
}

/// An element of a room's folder, with a canvas as the message that links to it. Anything else is returned as it is.
pub(super) fn as_message(element: FoundElement) -> FoundElement {
    let (place, json) = element?;
    let canvas = is_of_canvases(&place).then(|| object_of(&json).ok()).flatten();
    let message = canvas.as_ref().and_then(message);
    Ok((place, message.map_or(json, |message| message.to_string().into_bytes())))
}

/// Says that an element of a file of canvases could not become a message.
pub(super) fn without_link(element: &FoundElement) -> Option<Element> {
    let (place, json) = element.as_ref().ok().filter(|(place, _)| is_of_canvases(place))?;
    let is_message = object_of(json).is_ok_and(|element| text_of(&element, "type") == Some("message"));
    (!is_message).then(|| passed_over(place.clone()))
}

fn passed_over(place: Place) -> Element {
    PassedOver::one(KIND, "It has no address or no time.", place).into()
}

fn is_of_canvases(place: &Place) -> bool {
    let file = place.entry.as_deref().and_then(|entry| Some(entry.rsplit_once('/')?.1));
    file.is_some_and(is_file_of_canvases)
}

/// A message as the export would hold it. None if the canvas has no address and no time.
fn message(canvas: &Value) -> Option<Value> {
    if text_of(canvas, "type") == Some("message") {
        return None;
    }
    let address = ["permalink", "url_private"].into_iter().find_map(|name| text_of(canvas, name));
    // The query may hold a token.
    let address = address.filter(|address| is_web_address(address))?.split(['?', '#']).next()?;
    let seconds = ["created", "timestamp"].into_iter().find_map(|name| canvas.get(name)?.as_u64());
    let seconds = seconds.filter(|seconds| *seconds > 0)?;
    // Two canvases of one second are two messages.
    let micros = stable_number(&["canvas", text_of(canvas, "id").unwrap_or(address)]) % MICROS_PER_SECOND;
    let title = ["title", "name", "id"].into_iter().find_map(|name| text_of(canvas, name)).unwrap_or(KIND);
    Some(json!({
        "type": "message",
        "user": canvas.get("user").filter(|user| user.is_string()),
        "ts": format!("{seconds}.{micros:06}"),
        "text": "",
        "files": [{ "mode": MODE, "title": title, "permalink": address }],
    }))
}

/// The list of all canvases of an export.
#[derive(Debug, Clone)]
pub(super) struct Canvases {
    archive: Arc<Archive>,
    /// The offset of the list in the archive's directory, if there is one.
    list: Option<u64>,
    rooms: Arc<Rooms>,
}

impl Canvases {
    pub(super) const fn new(archive: Arc<Archive>, list: Option<u64>, rooms: Arc<Rooms>) -> Self {
        Self { archive, list, rooms }
    }

    fn elements(&self) -> EntryElements {
        let list = self.list.into_iter().collect();
        EntryElements::new(self.archive.clone(), list, RecordType::Message, LIST_MEMBERS)
    }

    /// The messages that canvases become, for their authors.
    pub(super) fn messages(&self) -> impl Iterator<Item = FoundElement> + Send + use<> {
        let rooms = self.rooms.clone();
        self.elements().flatten().filter_map(move |(place, json)| {
            let canvas = object_of(&json).ok()?;
            let message = message(&canvas).filter(|_| rooms_of(&canvas, &rooms).next().is_some())?;
            Some(Ok((place, message.to_string().into_bytes())))
        })
    }

    /// A message in each room that a canvas was shared in. One that was shared in no room of the export is passed over with
    /// its address.
    pub(super) fn staged(&self, names: &Arc<Names>) -> impl Iterator<Item = Element> + Send + use<> {
        let (rooms, names) = (self.rooms.clone(), names.clone());
        self.elements().flat_map(move |element| match element {
            Ok((place, json)) => staged(&place, &json, &rooms, &names),
            Err(problem) => vec![problem.into()],
        })
    }
}

fn rooms_of<'c>(canvas: &'c Value, rooms: &'c Rooms) -> impl Iterator<Item = &'c str> {
    let shared = ROOMS.iter().filter_map(move |name| canvas.get(name)?.as_array()).flatten();
    shared.filter_map(Value::as_str).filter(move |id| rooms.has(id))
}

fn staged(place: &Place, json: &[u8], rooms: &Rooms, names: &Arc<Names>) -> Vec<Element> {
    let canvas = match object_of(json) {
        Ok(canvas) => canvas,
        Err(reason) => return vec![Problem::new(RecordType::Message, place.clone(), reason).into()],
    };
    let Some(message) = message(&canvas) else { return vec![passed_over(place.clone())] };
    let json = message.to_string().into_bytes();
    let in_room = |id| {
        let mut room = RoomMessages::new(id, names.clone(), Survey::new(std::iter::empty::<FoundElement>));
        room.staged(Ok((place.clone(), json.clone())))
    };
    let messages: Vec<Element> = rooms_of(&canvas, rooms).flat_map(in_room).collect();
    if !messages.is_empty() {
        return messages;
    }
    let address = text_of(&message["files"][0], "permalink").unwrap_or_default();
    vec![PassedOver::one(KIND, format!("It was shared in no room of the export: {address}"), place.clone()).into()]
}
