//! Exports that come again, and longer, while people go on working with what came before.

use std::collections::BTreeSet;

use rand::seq::SliceRandom as _;

use super::*;

/// A message of a Slack export.
pub(super) fn said(person: &str, ts: &str, text: &str) -> Value {
    json!({ "type": "message", "user": person, "ts": ts, "text": text })
}

pub(super) struct Export {
    pub(super) bea: &'static str,
    pub(super) dev: Vec<Value>,
    pub(super) ops: Option<Vec<Value>>,
}

impl Export {
    pub(super) fn zip(&self) -> Vec<u8> {
        let person = |id: &str, name: &str| json!({ "id": id, "name": name, "real_name": name, "profile": { "email": format!("{id}@corp.example") } });
        let room = |id: &str, name: &str| json!({ "id": id, "name": name, "created": 1_500_000_000, "creator": "U01", "members": ["U01", "U02"] });
        let users = json!([person("U01", "ann"), person("U02", self.bea)]);
        let mut channels = vec![room("C01", "dev")];
        channels.extend(self.ops.is_some().then(|| room("C02", "ops")));
        let direct = json!([{ "id": "D01", "created": 1_500_000_000, "members": ["U01", "U02"] }]);
        let mut files = vec![
            ("users.json", users.to_string()),
            ("channels.json", json!(channels).to_string()),
            ("dms.json", direct.to_string()),
            ("dev/2020-09-13.json", json!(self.dev).to_string()),
            ("D01/2020-09-13.json", json!([said("U02", "1600000300.000100", "just us")]).to_string()),
        ];
        files.extend(self.ops.as_ref().map(|ops| ("ops/2020-09-14.json", json!(ops).to_string())));
        zip(&files)
    }
}

pub(super) fn first_messages() -> Vec<Value> {
    let mut root = said("U01", "1600000005.000100", "who is in?");
    root["thread_ts"] = json!("1600000005.000100");
    let mut answer = said("U02", "1600000006.000100", "me");
    answer["thread_ts"] = json!("1600000005.000100");
    vec![
        said("U01", "1600000001.000100", "edited here"),
        said("U02", "1600000002.000100", "deleted here"),
        said("U01", "1600000003.000100", "liked here"),
        said("U02", "1600000004.000100", "edited in Slack"),
        root,
        answer,
        said("U01", "1600000007.000100", "a file is stored here"),
        said("U01", "1600000008.000100", "edited in both"),
    ]
}

fn id(number: u32) -> String {
    format!("slack-C01-160000000{number}-000100")
}

/// Everything but the moments of change.
async fn snapshot(workspace: &Workspace) -> Vec<(&'static str, Vec<Document>)> {
    let mut all = Vec::new();
    for name in ["users", "rocketchat_room", "rocketchat_subscription", "rocketchat_message"] {
        let mut documents = workspace.found(name, doc! {}).await;
        for document in documents.iter_mut().filter(|_| name != "rocketchat_message") {
            document.remove("_updatedAt");
        }
        all.push((name, documents));
    }
    all
}

impl Workspace {
    async fn message(&self, number: u32) -> Document {
        self.collection("rocketchat_message").find_one(doc! { "_id": id(number) }).await.unwrap().unwrap()
    }

    async fn count(&self, collection: &str) -> u64 {
        self.collection(collection).count_documents(doc! {}).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_did_meanwhile_stays_when_an_export_comes_again_and_when_a_longer_one_comes() {
    let (workspace, service) = served().await;
    let mut export = Export { bea: "bea", dev: first_messages(), ops: None };
    service.import("slack", &export.zip()).await;
    assert_eq!(workspace.count("rocketchat_message").await, 9);
    check_rooms(&workspace).await;
    let january = export.zip();

    // What people do, as Rocket.Chat stores it.
    let admin = doc! { "_id": "admin", "username": "admin" };
    let edit = doc! { "$set": { "msg": "as people want it", "editedAt": bson::DateTime::now(), "editedBy": admin } };
    workspace.update("rocketchat_message", &id(1), edit.clone()).await;
    workspace.update("rocketchat_message", &id(8), edit).await;
    workspace.collection("rocketchat_message").delete_one(doc! { "_id": id(2) }).await.unwrap();
    let dev = workspace.found("rocketchat_room", doc! { "importIds": "C01" }).await.remove(0);
    let dev = dev.get_str("_id").unwrap().to_owned();
    workspace.update("rocketchat_room", &dev, doc! { "$inc": { "msgs": -1 } }).await;
    let like = doc! { "$set": { "reactions": { ":heart:": { "usernames": ["admin"] } } } };
    workspace.update("rocketchat_message", &id(3), like).await;
    let file = doc! { "$set": {
        "file": { "_id": "f1", "name": "a.png" }, "attachments": [{ "title": "a.png", "title_link": "/file-upload/f1/a.png" }],
    } };
    workspace.update("rocketchat_message", &id(7), file).await;
    // Somebody leaves the room, and does not come back by an import.
    let bea = workspace.found("users", doc! { "importIds": "U02" }).await.remove(0).get_str("_id").unwrap().to_owned();
    workspace.collection("rocketchat_subscription").delete_one(doc! { "rid": &dev, "u._id": &bea }).await.unwrap();
    workspace.update("rocketchat_room", &dev, doc! { "$inc": { "usersCount": -1 } }).await;

    let before = snapshot(&workspace).await;
    service.import("slack", &export.zip()).await;
    assert_eq!(snapshot(&workspace).await, before);

    export.bea = "beate";
    let at_work = json!({ "user": "U02", "ts": "1600000099.000000" });
    for (number, text) in [(3, "better"), (7, "edited in Slack, too")] {
        export.dev[number]["text"] = json!(text);
        export.dev[number]["edited"] = at_work.clone();
    }
    export.dev.push(said("U02", "1600000009.000100", "new in dev"));
    export.ops = Some(vec![said("U01", "1600086400.000100", "new in ops")]);
    service.import("slack", &export.zip()).await;

    let text = |message: &Document| message.get_str("msg").unwrap().to_owned();
    assert_eq!(text(&workspace.message(1).await), "as people want it");
    assert_eq!(text(&workspace.message(8).await), "as people want it");
    assert_eq!(text(&workspace.message(4).await), "better");
    let edited = workspace.message(4).await;
    assert_eq!(edited.get_datetime("editedAt").unwrap().timestamp_millis(), 1_600_000_099_000);
    assert!(workspace.message(3).await.get_document("reactions").unwrap().contains_key(":heart:"));
    assert_eq!(workspace.message(7).await.get_array("attachments").unwrap().len(), 1);
    assert!(workspace.found("rocketchat_message", doc! { "_id": id(2) }).await.is_empty());
    assert_eq!(workspace.message(5).await.get_i32("tcount").unwrap(), 1);
    // One was deleted, two are new.
    assert_eq!(workspace.count("rocketchat_message").await, 9 - 1 + 2);
    assert_eq!(workspace.found("rocketchat_room", doc! { "importIds": { "$exists": true } }).await.len(), 3);
    let people = workspace.found("users", doc! { "importIds": "U02" }).await;
    assert_eq!((people.len(), people[0].get_str("username").unwrap()), (1, "bea"));
    assert_eq!(workspace.count("users").await, 3);
    let members = workspace.found("rocketchat_subscription", doc! { "rid": &dev }).await;
    assert_eq!(members.len(), 1, "{members:?}");
    check_rooms(&workspace).await;

    let before = snapshot(&workspace).await;
    service.import("slack", &january).await;
    assert_eq!(snapshot(&workspace).await, before, "the older export changes nothing");
    assert_eq!(service.message_outcomes().await, (0, 0, 9));
    service.import("slack", &export.zip()).await;
    assert_eq!(snapshot(&workspace).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_second_keep_the_order_of_slack_in_a_longer_export_as_well() {
    let (workspace, service) = served().await;
    // Ten in each millisecond.
    let message = |number: u32| said("U01", &format!("1600000000.{:06}", number * 100), &number.to_string());
    let in_order = async || -> Vec<(i64, u32)> {
        let messages = workspace.found("rocketchat_message", doc! { "_id": { "$regex": "^slack-C01" } }).await;
        let place = |message: &Document| {
            let ts = message.get_datetime("ts").unwrap().timestamp_millis();
            (ts, message.get_str("msg").unwrap().parse().unwrap())
        };
        let mut places: Vec<(i64, u32)> = messages.iter().map(place).collect();
        places.sort_unstable();
        places
    };
    // Five of those that come later lie among the others, five behind them.
    let is_late = |number: &u32| (240..245).contains(number) || *number >= 505;
    let all: Vec<u32> = (0..510).collect();
    for expected in [all.iter().copied().filter(|number| !is_late(number)).collect(), all.clone()] {
        let mut numbers: Vec<u32> = expected.clone();
        numbers.shuffle(&mut rand::rng());
        let export = Export { bea: "bea", dev: numbers.into_iter().map(message).collect(), ops: None };
        service.import("slack", &export.zip()).await;
        let places = in_order().await;
        assert_eq!(places.iter().map(|(_, number)| *number).collect::<Vec<_>>(), expected);
        let moments: BTreeSet<i64> = places.iter().map(|(ts, _)| *ts).collect();
        assert_eq!(moments.len(), places.len(), "two messages share a millisecond");
    }
    check_rooms(&workspace).await;
}
