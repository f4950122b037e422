//! Messages that the workspace would remove soon after they are imported.

use bson::{DateTime, Document, doc};
use serde_json::{Value, json};

use crate::harness::*;

const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// An operation of a file with a room of this kind and a message of so many days ago, ready to be started.
async fn prepared(service: &Service, workspace: &Workspace, kind: &str, days: i64) -> String {
    prepared_with(service, workspace, &[room("C1", kind)], &[message("C1", days)]).await
}

/// An operation of a file with these rooms and messages, ready to be started.
async fn prepared_with(service: &Service, workspace: &Workspace, rooms: &[Document], messages: &[Document]) -> String {
    let id = service.stage(&staged_users(0..1)).await;
    let rooms = rooms.iter().map(|room| ("channel", room));
    let staged = rooms.clone().chain(messages.iter().map(|message| ("message", message)));
    let records = staged.enumerate().map(|(number, (kind, data))| {
        doc! { "_id": format!("f{number}{id}"), "dataType": kind, "operation": &id, "data": data }
    });
    workspace.collection("rocketchat_import_data").insert_many(records).await.unwrap();
    let [rooms, messages] = [rooms.len(), messages.len()].map(|count| i32::try_from(count).unwrap());
    let count = doc! { "total": 1 + rooms + messages, "users": 1, "channels": rooms, "messages": messages };
    workspace.change_operation(&id, doc! { "type": "CSV", "importerKey": "csv", "count": count }).await;
    id
}

/// A staged room.
fn room(import_id: &str, kind: &str) -> Document {
    doc! {
        "importIds": [import_id], "name": format!("room-{kind}"), "t": kind, "users": ["id0"], "u": { "_id": "id0" },
    }
}

/// A staged message of so many days ago.
fn message(room: &str, days: i64) -> Document {
    let written = DateTime::from_millis(DateTime::now().timestamp_millis() - days * MILLIS_PER_DAY);
    doc! { "rid": room, "u": { "_id": "id0" }, "msg": "Good old days", "ts": written }
}

fn pinned(room: &str, days: i64) -> Document {
    let mut message = message(room, days);
    message.insert("pinned", true);
    message
}

/// Switches the policy on: messages stay 10 days in channels, and for ever elsewhere.
async fn keep_channels_for_ten_days(workspace: &Workspace) {
    workspace.set("RetentionPolicy_Enabled", true).await;
    workspace.set("RetentionPolicy_AppliesToChannels", true).await;
    workspace.set("RetentionPolicy_TTL_Channels", 10 * MILLIS_PER_DAY).await;
}

/// Puts this room in place of all that are there.
async fn only_room(workspace: &Workspace, kind: &str, fields: Document) {
    let rooms = workspace.collection("rocketchat_room");
    rooms.delete_many(doc! {}).await.unwrap();
    let mut room = doc! { "_id": "here", "name": "here", "fname": "here", "t": kind, "msgs": 0, "usersCount": 0 };
    room.extend(fields);
    rooms.insert_one(room).await.unwrap();
}

/// How long messages stay, by the words of the refusal; nothing if the run began, which is over then.
async fn kept(service: &Service, more: Value) -> Option<String> {
    let answer = start(service, more).await;
    if answer.status == 200 {
        service.wait_for_state("done").await;
        return None;
    }
    let answer = answer.json();
    assert_eq!(answer["errorType"], "error-retention-policy", "{answer}");
    let (_, rest) = answer["error"].as_str().unwrap().split_once("removes messages after ").unwrap();
    Some(rest.split_once(", and").unwrap().0.to_owned())
}

async fn start(service: &Service, more: Value) -> Answer {
    let mut body = json!({ "input": { "users": { "all": true }, "channels": { "all": true } } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    service.post("/api/v1/startImport", &body).await
}

#[tokio::test]
async fn messages_that_the_workspace_would_remove_are_imported_only_if_that_is_accepted() {
    let (workspace, service) = served().await;
    for (setting, value) in [
        ("RetentionPolicy_Enabled", bson::Bson::Boolean(true)),
        ("RetentionPolicy_AppliesToChannels", true.into()),
        ("RetentionPolicy_TTL_Channels", (10 * MILLIS_PER_DAY).into()),
        ("RetentionPolicy_AppliesToDMs", false.into()),
        ("RetentionPolicy_AppliesToGroups", true.into()),
        // As releases before 6.11 store it.
        ("RetentionPolicy_MaxAge_Groups", 400.into()),
    ] {
        workspace.set(setting, value).await;
    }
    let id = prepared(&service, &workspace, "c", 11).await;
    for refused in [
        start(&service, json!({})).await,
        start(&service, json!({ "acceptRetention": false })).await,
        service.post("/api/v1/import.run", &json!({})).await,
    ] {
        assert_eq!(
            refused.told(),
            (
                400,
                r#"{"success":false,"error":"The workspace removes messages after 10 days, and this import has older ones. Change the retention policy, or start with `acceptRetention: true` [error-retention-policy]","errorType":"error-retention-policy"}"#
            )
        );
    }
    assert_eq!(workspace.operation_named(&id).await.get_str("status").unwrap(), "importer_user_selection");
    let wrong = start(&service, json!({ "acceptRetention": "yes" })).await;
    assert_eq!(wrong.json()["error"], "must be boolean /acceptRetention");
    assert_eq!(start(&service, json!({ "acceptRetention": true })).await.status, 200);
    service.wait_for_state("done").await;
    assert_eq!(workspace.collection("rocketchat_message").count_documents(doc! {}).await.unwrap(), 1);

    for (kind, days) in [("c", 9), ("p", 11), ("d", 5000)] {
        prepared(&service, &workspace, kind, days).await;
        assert_eq!(start(&service, json!({})).await.status, 200, "{kind} {days}");
        service.wait_for_state("done").await;
    }
    prepared(&service, &workspace, "p", 401).await;
    assert_eq!(start(&service, json!({})).await.json()["errorType"], "error-retention-policy");
    workspace.set("RetentionPolicy_FilesOnly", true).await;
    assert_eq!(start(&service, json!({})).await.status, 200, "messages stay");
}

#[tokio::test]
async fn old_messages_of_a_room_that_the_file_does_not_list_are_found() {
    let (workspace, service) = served().await;
    keep_channels_for_ten_days(&workspace).await;
    only_room(&workspace, "c", doc! { "name": "talk", "importIds": ["C7"] }).await;
    for named in ["talk", "C7"] {
        prepared_with(&service, &workspace, &[], &[message(named, 11)]).await;
        assert_eq!(kept(&service, json!({})).await.as_deref(), Some("10 days"), "{named}");
        prepared_with(&service, &workspace, &[], &[message(named, 9)]).await;
        assert_eq!(kept(&service, json!({})).await, None, "{named}");
    }
    only_room(&workspace, "p", doc! { "name": "talk" }).await;
    prepared_with(&service, &workspace, &[], &[message("talk", 12)]).await;
    assert_eq!(kept(&service, json!({})).await, None, "the policy is one of channels");
}

#[tokio::test]
async fn the_retention_of_a_room_that_is_there_wins_over_that_of_its_kind() {
    let (workspace, service) = served().await;
    keep_channels_for_ten_days(&workspace).await;
    let own = |days: i32| doc! { "enabled": true, "overrideGlobal": true, "maxAge": days };
    let files_only = doc! { "enabled": true, "overrideGlobal": true, "maxAge": 5, "filesOnly": true };
    let off = doc! { "enabled": false, "overrideGlobal": true, "maxAge": 5 };
    let without_age = doc! { "enabled": true, "overrideGlobal": true };
    let as_its_kind = doc! { "enabled": true, "overrideGlobal": false, "maxAge": 5 };
    for (kind, retention, days, expected) in [
        ("c", own(400), 11, None),
        ("c", own(400), 401, Some("400 days")),
        ("c", own(5), 7, Some("5 days")),
        ("p", own(5), 7, Some("5 days")),
        ("p", own(5), 4, None),
        ("c", own(-1), 11, None),
        ("c", files_only, 11, None),
        ("c", off, 11, None),
        ("c", without_age, 11, None),
        ("c", as_its_kind.clone(), 7, None),
        ("c", as_its_kind, 11, Some("10 days")),
    ] {
        let case = format!("{kind} {retention} {days}");
        let by_import_id = doc! { "importIds": ["C1"], "retention": &retention };
        let by_name = doc! { "name": format!("room-{kind}"), "retention": &retention };
        let unlisted = doc! { "name": "talk", "retention": &retention };
        for (found, rooms, named) in [
            (by_import_id, vec![room("C1", kind)], "C1"),
            (by_name, vec![room("C1", kind)], "C1"),
            (unlisted, Vec::new(), "talk"),
        ] {
            only_room(&workspace, kind, found.clone()).await;
            prepared_with(&service, &workspace, &rooms, &[message(named, days)]).await;
            assert_eq!(kept(&service, json!({})).await.as_deref(), expected, "{case} {found}");
        }
    }
    workspace.set("RetentionPolicy_AppliesToChannels", false).await;
    only_room(&workspace, "c", doc! { "importIds": ["C1"], "retention": own(5) }).await;
    prepared(&service, &workspace, "c", 7).await;
    assert_eq!(kept(&service, json!({})).await.as_deref(), Some("5 days"), "the policy applies to no kind");
    workspace.set("RetentionPolicy_Enabled", false).await;
    assert_eq!(kept(&service, json!({})).await, None, "nothing is removed");
}

#[tokio::test]
async fn pinned_messages_stay_where_they_are_spared() {
    let (workspace, service) = served().await;
    keep_channels_for_ten_days(&workspace).await;
    let staged = [room("C1", "c")];
    let only_pinned = [pinned("C1", 11), message("C1", 1)];
    prepared_with(&service, &workspace, &staged, &only_pinned).await;
    assert_eq!(kept(&service, json!({})).await.as_deref(), Some("10 days"));
    workspace.set("RetentionPolicy_DoNotPrunePinned", true).await;
    assert_eq!(kept(&service, json!({})).await, None);
    prepared_with(&service, &workspace, &staged, &[pinned("C1", 12), message("C1", 11)]).await;
    assert_eq!(kept(&service, json!({})).await.as_deref(), Some("10 days"), "one is not pinned");

    let mut own = doc! { "enabled": true, "overrideGlobal": true, "maxAge": 5, "excludePinned": false };
    only_room(&workspace, "c", doc! { "importIds": ["C1"], "retention": &own }).await;
    prepared_with(&service, &workspace, &staged, &only_pinned).await;
    assert_eq!(kept(&service, json!({})).await.as_deref(), Some("5 days"), "the room spares none");
    workspace.set("RetentionPolicy_DoNotPrunePinned", false).await;
    own.insert("excludePinned", true);
    only_room(&workspace, "c", doc! { "importIds": ["C1"], "retention": own }).await;
    assert_eq!(kept(&service, json!({})).await, None, "the room spares them");
}

#[tokio::test]
async fn messages_of_threads_stay_where_they_are_spared() {
    let (workspace, service) = served().await;
    keep_channels_for_ten_days(&workspace).await;
    let staged = [room("C1", "c")];
    let of_thread = |days: i64| {
        let mut root = message("C1", days);
        root.extend(doc! { "_id": "root", "tcount": 1, "replies": ["id0"] });
        let mut answer = message("C1", days - 1);
        answer.extend(doc! { "_id": "answer", "tmid": "root" });
        [root, answer]
    };
    let only_a_thread = [of_thread(13).as_slice(), &[message("C1", 1)]].concat();
    prepared_with(&service, &workspace, &staged, &only_a_thread).await;
    assert_eq!(kept(&service, json!({})).await, None, "threads are spared unless somebody says otherwise");
    prepared_with(&service, &workspace, &staged, &[of_thread(14).as_slice(), &[message("C1", 11)]].concat()).await;
    assert_eq!(kept(&service, json!({})).await.as_deref(), Some("10 days"), "one is in no thread");
    workspace.set("RetentionPolicy_DoNotPruneThreads", false).await;
    for days in [15, 11] {
        prepared_with(&service, &workspace, &staged, &of_thread(days)).await;
        assert_eq!(kept(&service, json!({})).await.as_deref(), Some("10 days"), "{days}");
    }
    workspace.set("RetentionPolicy_DoNotPruneThreads", true).await;
    workspace.set("RetentionPolicy_DoNotPrunePinned", true).await;
    prepared_with(&service, &workspace, &staged, &[of_thread(16).as_slice(), &[pinned("C1", 12)]].concat()).await;
    assert_eq!(kept(&service, json!({})).await, None, "both are spared");

    let mut own = doc! { "enabled": true, "overrideGlobal": true, "maxAge": 5, "ignoreThreads": false };
    only_room(&workspace, "c", doc! { "importIds": ["C1"], "retention": &own }).await;
    prepared_with(&service, &workspace, &staged, &of_thread(17)).await;
    assert_eq!(kept(&service, json!({})).await.as_deref(), Some("5 days"), "the room spares none");
    workspace.set("RetentionPolicy_DoNotPruneThreads", false).await;
    own.insert("ignoreThreads", true);
    only_room(&workspace, "c", doc! { "importIds": ["C1"], "retention": own }).await;
    assert_eq!(kept(&service, json!({})).await, None, "the room spares them");
}

#[tokio::test]
async fn discussions_keep_all_of_theirs_where_they_are_spared() {
    let (workspace, service) = served().await;
    keep_channels_for_ten_days(&workspace).await;
    let own = doc! { "enabled": true, "overrideGlobal": true, "maxAge": 5 };
    for (retention, expected) in [(None, "10 days"), (Some(own), "5 days")] {
        let mut discussion = doc! { "importIds": ["C1"], "prid": "parent" };
        discussion.extend(retention.map(|retention| ("retention".to_owned(), retention.into())));
        for (spared, expected) in [(true, None), (false, Some(expected))] {
            workspace.set("RetentionPolicy_DoNotPruneDiscussion", spared).await;
            only_room(&workspace, "c", discussion.clone()).await;
            prepared_with(&service, &workspace, &[room("C1", "c")], &[message("C1", 11)]).await;
            assert_eq!(kept(&service, json!({})).await.as_deref(), expected, "{discussion} {spared}");
        }
    }
}

#[tokio::test]
async fn where_only_files_go_rooms_with_rules_of_their_own_still_lose_messages() {
    let (workspace, service) = served().await;
    keep_channels_for_ten_days(&workspace).await;
    workspace.set("RetentionPolicy_FilesOnly", true).await;
    let own = |files_only: bool| doc! { "enabled": true, "overrideGlobal": true, "maxAge": 5, "filesOnly": files_only };
    let as_its_kind = doc! { "enabled": true, "filesOnly": false, "maxAge": 5 };
    for (retention, expected) in [(own(false), Some("5 days")), (own(true), None), (as_its_kind, None)] {
        only_room(&workspace, "c", doc! { "importIds": ["C1"], "retention": &retention }).await;
        prepared(&service, &workspace, "c", 11).await;
        assert_eq!(kept(&service, json!({})).await.as_deref(), expected, "{retention}");
    }
    only_room(&workspace, "p", doc! {}).await;
    prepared(&service, &workspace, "c", 12).await;
    assert_eq!(kept(&service, json!({})).await, None, "a new room has the rules of its kind");
}

#[tokio::test]
async fn an_old_message_counts_only_in_a_room_that_would_lose_it() {
    let (workspace, service) = served().await;
    keep_channels_for_ten_days(&workspace).await;
    let staged = [room("C1", "c"), room("G1", "p")];
    prepared_with(&service, &workspace, &staged, &[message("C1", 1), message("G1", 500)]).await;
    assert_eq!(kept(&service, json!({})).await, None, "groups keep theirs for ever");
    workspace.set("RetentionPolicy_AppliesToGroups", true).await;
    workspace.set("RetentionPolicy_TTL_Groups", 400 * MILLIS_PER_DAY).await;
    for (channel, group, expected) in
        [(2, 100, None), (3, 501, Some("400 days")), (11, 502, Some("10 days")), (12, 101, Some("10 days"))]
    {
        prepared_with(&service, &workspace, &staged, &[message("C1", channel), message("G1", group)]).await;
        assert_eq!(kept(&service, json!({})).await.as_deref(), expected, "{channel} {group}");
    }
}

#[tokio::test]
async fn a_room_that_the_selection_leaves_out_does_not_count() {
    let (workspace, service) = served().await;
    keep_channels_for_ten_days(&workspace).await;
    let mut other = room("C2", "c");
    other.insert("name", "other");
    prepared_with(&service, &workspace, &[room("C1", "c"), other], &[message("C1", 11), message("C2", 1)]).await;
    let only = |id: &str| json!({ "input": { "users": { "all": true }, "channels": { "list": [id] } } });
    assert_eq!(kept(&service, json!({})).await.as_deref(), Some("10 days"));
    assert_eq!(kept(&service, only("C1")).await.as_deref(), Some("10 days"));
    assert_eq!(kept(&service, only("C2")).await, None);
}

#[tokio::test]
async fn old_direct_messages_count_where_the_policy_applies_to_them() {
    let (workspace, service) = served().await;
    workspace.set("RetentionPolicy_Enabled", true).await;
    workspace.set("RetentionPolicy_AppliesToDMs", true).await;
    workspace.set("RetentionPolicy_TTL_DMs", 10 * MILLIS_PER_DAY).await;
    prepared(&service, &workspace, "d", 11).await;
    assert_eq!(kept(&service, json!({})).await.as_deref(), Some("10 days"));
    let without = json!({ "input": { "users": { "all": true }, "channels": { "list": ["C1"] } } });
    assert_eq!(kept(&service, without).await, None, "direct messages are left out");
    for (kind, days) in [("d", 9), ("c", 11)] {
        prepared(&service, &workspace, kind, days).await;
        assert_eq!(kept(&service, json!({})).await, None, "{kind}");
    }
}
