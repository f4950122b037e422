//! Notes on imported messages, by which a further import knows what it made and what was deleted here.

use super::{
    again::{Export, first_messages, said},
    begun::killed_before_the_receipt,
    *,
};

const NOTES: &str = "rocketchat_import_service_messages";
const MESSAGES: &str = "rocketchat_message";
/// The bytes of one note of a pack, and those of the hash of its source.
const NOTE_BYTES: usize = 48;
const SOURCE: std::ops::Range<usize> = 24..40;

impl Workspace {
    async fn delete_message(&self, id: &str) {
        let deleted = self.collection(MESSAGES).delete_one(doc! { "_id": id }).await.unwrap();
        assert_eq!(deleted.deleted_count, 1, "{id}");
    }
}

/// The notes of a pack, as releases before packs stored them: each in a document of its own.
fn single_notes(pack: &Document, ids: &[String]) -> Vec<Document> {
    let notes = pack.get_binary_generic("notes").unwrap();
    assert_eq!(notes.len(), ids.len() * NOTE_BYTES);
    let single = |(id, note): (&String, &[u8])| {
        let source = rocketchat_import::domain::stable_hash::hex(&note[SOURCE]);
        doc! { "_id": id, "madeBy": { "root": pack.get_str("root").unwrap(), "record": "earlier" }, "source": source }
    };
    ids.iter().zip(notes.chunks(NOTE_BYTES)).map(single).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_notes_of_an_older_release_hold_on() {
    let (workspace, service) = served().await;
    let mut export = Export { bea: "bea", dev: first_messages(), ops: None };
    service.import("slack", &export.zip()).await;
    let pack = workspace.found(NOTES, doc! { "_id.room": "C01" }).await.remove(0);
    let ids: Vec<String> = (1..=8).map(|number| format!("slack-C01-160000000{number}-000100")).collect();
    workspace.collection(NOTES).delete_many(doc! {}).await.unwrap();
    workspace.fill(NOTES, single_notes(&pack, &ids)).await;
    workspace.delete_message(&ids[1]).await;
    let before = workspace.found(MESSAGES, doc! { "_id": { "$in": &ids } }).await;
    service.import("slack", &export.zip()).await;
    assert_eq!(workspace.found(MESSAGES, doc! { "_id": { "$in": &ids } }).await, before);

    export.dev[3]["text"] = json!("better");
    service.import("slack", &export.zip()).await;
    let there = workspace.found(MESSAGES, doc! { "_id": { "$in": &ids } }).await;
    assert_eq!(there.len(), 7);
    assert_eq!(there[2].get_str("msg").unwrap(), "better");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_of_a_room_are_noted_together() {
    let (workspace, service) = served().await;
    let dev = (0..1200).map(|second| said("U01", &format!("{}.000100", 1_600_000_000 + second), "hello")).collect();
    service.import("slack", &Export { bea: "bea", dev, ops: None }.zip()).await;
    assert_eq!(workspace.collection(MESSAGES).count_documents(doc! { "msg": "hello" }).await.unwrap(), 1200);
    let notes = workspace.found(NOTES, doc! {}).await.len();
    assert!(notes < 20, "{notes} documents");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_in_any_order_are_known_again() {
    let (workspace, service) = served().await;
    let message = |number: i64| {
        // Backwards, and two of them in order.
        let day = if number == 5 { 40 } else { 30 - number };
        let ts = bson::DateTime::from_millis(1_600_000_000_000 + day * 86_400_000).try_to_rfc3339_string().unwrap();
        json!({ "_id": format!("m{number}"), "rid": "r1", "u": { "_id": "u1" }, "ts": { "$date": ts }, "msg": format!("number {number}") })
    };
    let file = records_of_a_room((1..=10).map(message));
    let first = service.import("records", &file).await;
    assert_eq!(first["count"]["error"], 0, "{first}");
    let made = workspace.found(MESSAGES, doc! { "msg": { "$regex": "^number" } }).await;
    assert_eq!(made.len(), 10);
    for gone in ["number 3", "number 6"] {
        workspace.collection(MESSAGES).delete_one(doc! { "msg": gone }).await.unwrap();
    }
    let left = workspace.found(MESSAGES, doc! { "msg": { "$regex": "^number" } }).await;
    service.import("records", &file).await;
    assert_eq!(workspace.found(MESSAGES, doc! { "msg": { "$regex": "^number" } }).await, left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_deleted_here_comes_again_with_its_people_and_messages() {
    let (workspace, service) = served().await;
    let mut export = Export { bea: "bea", dev: first_messages(), ops: None };
    service.import("slack", &export.zip()).await;
    let of_room = |id: &str| doc! { "rid": id };
    let room = workspace.found("rocketchat_room", doc! { "name": "dev" }).await.remove(0);
    let id = room.get_str("_id").unwrap().to_owned();
    let known = |messages: &[Document]| {
        messages.iter().map(|message| (message.get("_id").cloned(), message.get("msg").cloned())).collect::<Vec<_>>()
    };
    let before = known(&workspace.found(MESSAGES, of_room(&id)).await);
    let people = workspace.found("rocketchat_subscription", of_room(&id)).await.len();
    // As Rocket.Chat does it.
    workspace.collection("rocketchat_room").delete_one(doc! { "_id": &id }).await.unwrap();
    for collection in [MESSAGES, "rocketchat_subscription"] {
        workspace.collection(collection).delete_many(of_room(&id)).await.unwrap();
    }
    workspace.collection("users").update_many(doc! {}, doc! { "$pull": { "__rooms": &id } }).await.unwrap();

    service.import("slack", &export.zip()).await;
    assert_eq!(known(&workspace.found(MESSAGES, of_room(&id)).await), before);
    assert_eq!(workspace.found("rocketchat_subscription", of_room(&id)).await.len(), people);
    check_rooms(&workspace).await;

    workspace.delete_message("slack-C01-1600000002-000100").await;
    export.dev[3]["text"] = json!("better");
    service.import("slack", &export.zip()).await;
    let after = workspace.found(MESSAGES, of_room(&id)).await;
    assert_eq!(after.len(), before.len() - 1, "a message that was deleted stays so");
    assert!(after.iter().any(|message| message.get_str("msg").unwrap() == "better"));
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_rows_of_a_room_that_comes_again_are_as_many_as_before() {
    let (workspace, service) = served().await;
    let file = zip(&[
        ("users.csv", "ann,ann@corp.example,Ann\n".to_owned()),
        ("channels.csv", "dev,ann,public,ann\n".to_owned()),
        ("dev/2024.csv", "ann,1700000000000,ping\nann,1700000000000,ping\nann,1700000001000,pong\n".to_owned()),
    ]);
    service.import("csv", &file).await;
    let count = async |text: &str| workspace.found(MESSAGES, doc! { "msg": text }).await.len();
    assert_eq!((count("ping").await, count("pong").await), (2, 1));
    workspace.collection("rocketchat_room").delete_one(doc! { "name": "dev" }).await.unwrap();
    workspace.collection(MESSAGES).delete_many(doc! {}).await.unwrap();
    for _ in 0..2 {
        service.import("csv", &file).await;
        assert_eq!((count("ping").await, count("pong").await), (2, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_comes_again_is_created_in_the_receipt_of_a_killed_batch() {
    let (workspace, service) = served().await;
    let export = Export { bea: "bea", dev: first_messages(), ops: None };
    service.import("slack", &export.zip()).await;
    let room = workspace.found("rocketchat_room", doc! { "name": "dev" }).await.remove(0);
    let id = room.get_str("_id").unwrap().to_owned();
    workspace.collection("rocketchat_room").delete_one(doc! { "_id": &id }).await.unwrap();
    let deleted = workspace.collection(MESSAGES).delete_many(doc! { "rid": &id }).await.unwrap().deleted_count;
    service.load("slack", &export.zip()).await;
    let is_made =
        async || workspace.collection(MESSAGES).count_documents(doc! { "rid": &id }).await.unwrap() == deleted;
    let service = killed_before_the_receipt(&workspace, service, 2, is_made).await;
    assert_eq!(workspace.collection(MESSAGES).count_documents(doc! { "rid": &id }).await.unwrap(), deleted);
    let (created, updated, _) = service.message_outcomes().await;
    assert_eq!((created, updated), (deleted, 0));
}
