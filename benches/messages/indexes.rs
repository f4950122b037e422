//! Rocket.Chat's indexes on the collections that an import with messages fills.

use bson::{Document, doc};
use mongodb::{IndexModel, options::IndexOptions};

use crate::workspace::Workspace;

/// Makes those of messages, rooms and subscriptions.
///
/// Source: `packages/models/src/models/{Messages,Rooms,Subscriptions}.ts` (`modelIndexes`).
pub async fn make(workspace: &Workspace) {
    for (collection, indexes) in
        [("rocketchat_message", messages()), ("rocketchat_room", rooms()), ("rocketchat_subscription", subscriptions())]
    {
        workspace.collection::<Document>(collection).create_indexes(indexes).await.unwrap();
    }
}

fn plain(keys: Document) -> IndexModel {
    IndexModel::builder().keys(keys).build()
}

fn with(keys: Document, options: IndexOptions) -> IndexModel {
    IndexModel::builder().keys(keys).options(options).build()
}

fn sparse(keys: Document) -> IndexModel {
    with(keys, IndexOptions::builder().sparse(true).build())
}

fn partial(keys: Document, present: &str) -> IndexModel {
    let filter = doc! { present: { "$exists": true } };
    with(keys, IndexOptions::builder().partial_filter_expression(filter).build())
}

fn messages() -> Vec<IndexModel> {
    let expiring = IndexOptions::builder().expire_after(std::time::Duration::ZERO).build();
    let mut indexes = vec![
        plain(doc! { "rid": 1, "ts": 1, "_updatedAt": 1 }),
        plain(doc! { "ts": 1 }),
        plain(doc! { "u._id": 1 }),
        plain(doc! { "rid": 1, "t": 1, "u._id": 1 }),
        with(doc! { "expireAt": 1 }, expiring),
        plain(doc! { "msg": "text" }),
        plain(doc! { "location": "2dsphere" }),
        sparse(doc! { "slackTs": 1, "slackBotId": 1 }),
        sparse(doc! { "tcount": 1, "tlm": 1 }),
        plain(doc! { "rid": 1, "tcount": 1 }),
        partial(doc! { "rid": 1, "unread": 1, "ts": 1, "tmid": 1, "tshow": 1 }, "unread"),
        partial(doc! { "rid": 1, "tlm": -1 }, "tcount"),
    ];
    let fields = [
        "editedAt",
        "editedBy._id",
        "file._id",
        "files._id",
        "mentions.username",
        "pinned",
        "unread",
        "pinnedBy._id",
        "starred._id",
        "drid",
        "tmid",
        "navigation.token",
        "federation.eventId",
        "t",
    ];
    indexes.extend(fields.map(|field| sparse(doc! { field: 1 })));
    indexes
}

fn rooms() -> Vec<IndexModel> {
    let unique = IndexOptions::builder().unique(true).sparse(true).build();
    let mut indexes = vec![
        with(doc! { "name": 1 }, unique),
        plain(doc! { "u._id": 1 }),
        plain(doc! { "ts": 1 }),
        plain(doc! { "t": 1, "ts": 1 }),
        sparse(doc! { "teamId": 1, "teamDefault": 1 }),
    ];
    let fields =
        ["default", "featured", "muted", "prid", "fname", "uids", "createdOTR", "encrypted", "broadcast", "federated"];
    indexes.extend(fields.map(|field| sparse(doc! { field: 1 })));
    indexes
}

fn subscriptions() -> Vec<IndexModel> {
    let unique = |sparse: bool| IndexOptions::builder().unique(true).sparse(sparse).build();
    let mut indexes = vec![
        with(doc! { "E2EKey": 1 }, unique(true)),
        with(doc! { "rid": 1, "u._id": 1 }, unique(false)),
        plain(doc! { "rid": 1, "u._id": 1, "open": 1 }),
        plain(doc! { "rid": 1, "u.username": 1 }),
        plain(doc! { "rid": 1, "alert": 1, "u._id": 1 }),
        plain(doc! { "rid": 1, "roles": 1 }),
        plain(doc! { "u._id": 1, "name": 1, "t": 1 }),
        plain(doc! { "name": 1, "t": 1 }),
        plain(doc! { "u._id": 1, "open": 1, "department": 1 }),
        plain(doc! { "rid": 1, "ls": 1 }),
        plain(doc! { "u._id": 1, "autotranslate": 1 }),
        plain(doc! { "v._id": 1, "open": 1 }),
    ];
    indexes.extend(["open", "alert", "ts", "ls", "prid"].map(|field| plain(doc! { field: 1 })));
    let fields = [
        "desktopNotifications",
        "mobilePushNotifications",
        "emailNotifications",
        "autoTranslate",
        "autoTranslateLanguage",
        "userHighlights.0",
    ];
    indexes.extend(fields.map(|field| sparse(doc! { field: 1 })));
    indexes
}
