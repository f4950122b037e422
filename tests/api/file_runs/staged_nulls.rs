//! Records that hold nulls, as Rocket.Chat's own importers stage them.

use super::*;

/// The paths at which a value holds a null.
fn nulls(path: &str, value: &Bson) -> Vec<String> {
    match value {
        Bson::Null | Bson::Undefined => vec![path.to_owned()],
        Bson::Document(fields) => {
            fields.iter().flat_map(|(name, value)| nulls(&format!("{path}.{name}"), value)).collect()
        }
        Bson::Array(list) => {
            list.iter().enumerate().flat_map(|(at, value)| nulls(&format!("{path}[{at}]"), value)).collect()
        }
        _ => Vec::new(),
    }
}

/// Messages with a null in every place where a source may have one.
fn messages() -> Vec<Document> {
    let ts = |second: i64| bson::DateTime::from_millis(1_577_923_200_000 + second * 1000);
    let none = Bson::Null;
    let top: Document = [
        "t",
        "groupable",
        "tmid",
        "tshow",
        "tlm",
        "tcount",
        "replies",
        "editedAt",
        "editedBy",
        "mentions",
        "channels",
        "_importFile",
        "_hidden",
        "url",
        "attachments",
        "bot",
        "emoji",
        "alias",
        "avatar",
        "reactions",
        "pinned",
        "pinnedAt",
        "pinnedBy",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), none.clone()))
    .collect();
    let attachment = doc! {
        "text": "of the attachment", "title": &none, "color": &none, "ts": &none, "thumb_url": &none, "image_size": &none,
        "fields": [&none, { "title": "a", "value": "b", "short": &none }, { "title": &none, "value": "alone" }],
        "actions": [&none, { "type": "button", "text": "press", "url": &none }],
        "attachments": [&none, { "text": "inner", "fields": &none, "author_name": &none }],
        "more": { "list": [&none, 1, { "deep": &none }] },
    };
    let nested = doc! {
        "replies": [&none], "tcount": 1, "tlm": &none, "editedAt": ts(9), "editedBy": &none, "mentions": [&none, "here"],
        "channels": [&none], "attachments": [&none, attachment], "bot": { "i": &none }, "url": { "meta": &none },
        "reactions": { ":x:": { "name": ":x:", "users": [&none, "U01"] }, ":y:": &none }, "pinned": true,
        "pinnedAt": &none, "pinnedBy": &none,
    };
    let file = doc! {
        "_hidden": true,
        "_importFile": {
            "downloadUrl": "https://f.example/a", "id": "F1", "size": &none, "name": &none, "external": false, "source": "slack",
            "original": { "id": "F1", "title": &none, "shares": [&none, { "ts": &none }] },
        },
    };
    let own = [("top", top), ("nested", nested), ("file", file)];
    let message = |(at, (id, own)): (i64, (&str, Document))| {
        let mut message = doc! { "_id": id, "rid": "C01", "u": { "_id": "U01" }, "ts": ts(at), "msg": id };
        message.extend(own);
        message
    };
    (0..).zip(own).map(message).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_that_is_stored_holds_a_null_at_any_depth() {
    let workspace = workspace().await.ready_for_imports().await;
    let user = doc! {
        "importIds": ["U01"], "username": "ann", "name": "Ann", "emails": ["ann@corp.example"], "deleted": Bson::Null, "type": "user",
    };
    let room = doc! { "importIds": ["C01"], "name": "dev", "t": "c", "users": ["U01"], "u": { "_id": "U01" }, "topic": Bson::Null };
    let records = [("user", user), ("channel", room)].into_iter();
    let records = records.chain(messages().into_iter().map(|message| ("message", message)));
    let staged = records.enumerate().map(|(number, (kind, data))| {
        doc! { "_id": format!("65b0{number:020x}"), "dataType": kind, "data": data, "options": {} }
    });
    workspace.fill("rocketchat_import_data", staged.collect()).await;
    let operation = doc! {
        "_id": ROOT, "type": "Slack", "importerKey": "slack", "ts": bson::DateTime::now(), "valid": true, "user": "admin",
        "status": "importer_user_selection", "_updatedAt": bson::DateTime::now(), "count": { "total": 5 },
    };
    workspace.collection("rocketchat_import").insert_one(operation).await.unwrap();
    let service = workspace.serve().await;
    assert_eq!(service.start_import(everything()).await.status, 200);
    let operation = service.wait_for_state("done").await["operation"].clone();
    assert_eq!(operation["count"]["completed"], 5, "{operation}");
    let found = workspace.found("rocketchat_message", doc! {}).await;
    assert_eq!(found.len(), 3);
    for message in &found {
        assert_eq!(nulls("", &Bson::Document(message.clone())), Vec::<String>::new(), "{message}");
    }
    let nested = found.iter().find(|message| message.get_str("_id").is_ok_and(|id| id == "nested")).unwrap();
    let attachments = nested.get_array("attachments").unwrap();
    assert_eq!(attachments.len(), 1, "{nested}");
    assert!(attachments[0].to_string().contains("alone"), "no text is lost: {nested}");
    for name in ["rocketchat_room", "users"] {
        for stored in workspace.found(name, doc! { "importIds": { "$exists": true } }).await {
            assert_eq!(nulls("", &Bson::Document(stored.clone())), Vec::<String>::new(), "{stored}");
        }
    }
}
