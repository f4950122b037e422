//! A Slack export of any size, and what must be stored of it.

use std::{
    collections::BTreeSet,
    io::{Cursor, Write as _},
};

use bson::{Document, doc};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{Service, Workspace};

const PEOPLE: usize = 10;

/// An archive of these files.
pub fn zip(files: &[(&str, String)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A Slack export of ten people, with so many messages in each of the rooms; every tenth message has an answer.
#[derive(Debug, Clone, Copy)]
pub struct SlackExport {
    pub rooms: usize,
    pub messages: usize,
}

impl SlackExport {
    /// The messages of all rooms.
    pub fn all(self) -> u64 {
        (self.rooms * self.messages) as u64
    }

    pub fn zip(self) -> Vec<u8> {
        let person = |number: usize| {
            let (id, name) = (format!("U{number:02}"), format!("person{number}"));
            json!({ "id": id, "name": name, "real_name": name, "profile": { "email": format!("{name}@corp.example") } })
        };
        let members: Vec<String> = (0..PEOPLE).map(|number| format!("U{number:02}")).collect();
        let room = |number: usize| {
            let (id, name) = (format!("C{number:02}"), format!("room{number}"));
            json!({ "id": id, "name": name, "created": 1_500_000_000, "creator": "U00", "members": members })
        };
        let messages = json!((0..self.messages).map(message).collect::<Vec<_>>()).to_string();
        let names: Vec<String> = (0..self.rooms).map(|number| format!("room{number}/2020-09-13.json")).collect();
        let mut files = vec![
            ("users.json", json!((0..PEOPLE).map(person).collect::<Vec<_>>()).to_string()),
            ("channels.json", json!((0..self.rooms).map(room).collect::<Vec<_>>()).to_string()),
        ];
        files.extend(names.iter().map(|name| (name.as_str(), messages.clone())));
        zip(&files)
    }

    /// Fails unless everything is stored once, counters agree, and `import.verify` finds no difference in any operation.
    pub async fn assert_stored(self, workspace: &Workspace, service: &Service) {
        let Self { rooms, messages } = self;
        let count = async |collection: &str, filter: Document| {
            workspace.collection(collection).count_documents(filter).await.unwrap()
        };
        assert_eq!(count("rocketchat_message", doc! {}).await, self.all());
        for room in 0..rooms {
            let of_room = doc! { "_id": { "$regex": format!("^slack-C{room:02}-") } };
            let found = workspace.collection("rocketchat_message").find(of_room).await.unwrap();
            let found: Vec<Document> = found.try_collect().await.unwrap();
            let texts: BTreeSet<&str> = found.iter().map(|message| message.get_str("msg").unwrap()).collect();
            assert_eq!(texts.len(), messages);
        }
        assert_eq!(count("rocketchat_message", doc! { "tcount": 1 }).await, self.all() / 10);
        assert_eq!(count("users", doc! {}).await, PEOPLE as u64 + 1);
        let imported = doc! { "importIds": { "$exists": true } };
        let found = workspace.collection("rocketchat_room").find(imported).await.unwrap();
        let found: Vec<Document> = found.try_collect().await.unwrap();
        let number = |room: &Document, name: &str| usize::try_from(room.get_i32(name).unwrap()).unwrap();
        let counters: Vec<(usize, usize)> =
            found.iter().map(|room| (number(room, "msgs"), number(room, "usersCount"))).collect();
        assert_eq!(counters, vec![(messages, PEOPLE); rooms]);
        for operation in workspace.operations().await {
            let id = operation.get_str("_id").unwrap();
            let answer = service.get_as_admin(&format!("/api/v1/import.verify?operationId={id}")).await;
            let summary: Value = serde_json::from_str(answer.body.lines().last().unwrap()).unwrap();
            assert_eq!(summary["summary"]["differences"], 0, "{}", answer.body);
        }
    }
}

fn message(number: usize) -> Value {
    let ts = format!("{}.000100", 1_600_000_000 + number);
    let mut message =
        json!({ "type": "message", "user": format!("U{:02}", number % PEOPLE), "ts": ts, "text": number.to_string() });
    match number % 10 {
        0 => message["thread_ts"] = json!(ts),
        1 => message["thread_ts"] = json!(format!("{}.000100", 1_600_000_000 + number - 1)),
        _ => {}
    }
    message
}
