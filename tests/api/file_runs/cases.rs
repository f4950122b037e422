//! Files that people really bring, and what has to come out of a run.

use rand::Rng as _;

use super::{again::said, *};

/// The user names of everybody in the room.
async fn members(workspace: &Workspace, room: &Document) -> Vec<String> {
    let found = workspace.found("rocketchat_subscription", doc! { "rid": room.get_str("_id").unwrap() }).await;
    let name = |one: &Document| one.get_document("u").unwrap().get_str("username").unwrap().to_owned();
    let mut names: Vec<String> = found.iter().map(name).collect();
    names.sort_unstable();
    names
}

async fn room(workspace: &Workspace, filter: Document) -> Document {
    let mut found = workspace.found("rocketchat_room", filter.clone()).await;
    assert_eq!(found.len(), 1, "{filter}: {found:?}");
    found.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_have_an_account_need_no_row_to_own_a_room_or_to_be_in_it_in_any_letter_case() {
    let (workspace, service) = served().await;
    workspace.add_user(user("ann")).await;
    workspace.add_user(user("bea")).await;
    let channels = "\"ops\",\"Ann\",\"private\",\"bea\"\n\"lost\",\"nobody\",\"public\",\"bea\"\n".to_owned();
    service.import("csv", &zip(&[("channels.csv", channels)])).await;
    let ops = room(&workspace, doc! { "name": "ops" }).await;
    assert_eq!(ops.get_document("u").unwrap().get_str("_id").ok(), Some("ann"));
    assert_eq!(members(&workspace, &ops).await, ["ann", "bea"]);
    // A creator whom nobody knows: the person who imports owns the room.
    let lost = room(&workspace, doc! { "name": "lost" }).await;
    assert_eq!(lost.get_document("u").unwrap().get_str("_id").ok(), Some("admin"));
    assert_eq!(workspace.found("users", doc! {}).await.len(), 3);
    let receipt = service.get_as_admin("/api/v1/import.receipt").await.json();
    let rooms = receipt["records"].as_array().unwrap().iter().filter(|record| record["dataType"] == "channel");
    let reasons: Vec<&Value> = rooms.map(|record| &record["reason"]).collect();
    assert_eq!(reasons, [&json!(null), &json!("The creator nobody is not known here: admin owns the room.")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_finds_its_room_whatever_the_order_of_entries_and_the_room_s_name() {
    let (workspace, service) = served().await;
    let taken = doc! { "_id": "taken", "t": "p", "name": "talk", "fname": "talk", "msgs": 0, "usersCount": 0 };
    workspace.fill("rocketchat_room", vec![taken]).await;
    let files = zip(&[
        ("talk/m.csv", "\"ann\",\"1479162481336\",\"one\"\n\"ann\",\"1479162481336\",\"two\"\n".to_owned()),
        ("users.csv", "\"ann\",\"ann@corp.example\",\"Ann\"\n".to_owned()),
        ("channels.csv", "\"Talk\",\"ann\",\"public\",\"ann\"\n".to_owned()),
    ]);
    for _ in 0..2 {
        service.import("csv", &files).await;
        let talk = room(&workspace, doc! { "t": "c", "importIds": { "$exists": true } }).await;
        let found = workspace.found("rocketchat_message", doc! {}).await;
        assert!(found.iter().all(|message| message.get("rid") == talk.get("_id")), "{talk}: {found:?}");
        assert_eq!((found.len(), talk.get_i32("msgs").ok()), (2, Some(2)));
        assert_eq!(talk.get_document("lastMessage").unwrap().get_str("msg").ok(), Some("two"));
        assert_eq!(talk.get("lm"), talk.get_document("lastMessage").unwrap().get("ts"));
    }
    let taken = room(&workspace, doc! { "_id": "taken" }).await;
    assert_eq!((taken.get_i32("msgs").ok(), taken.get("importIds")), (Some(0), None));
}

/// A Slack export of these people, groups and direct messages.
pub(super) fn slack(users: &Value, lists: &[(&str, Value)], days: &[(String, Value)]) -> Vec<u8> {
    let mut files = vec![("users.json", users.to_string())];
    files.extend(lists.iter().map(|(name, list)| (*name, list.to_string())));
    files.extend(days.iter().map(|(name, day)| (name.as_str(), day.to_string())));
    zip(&files)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_people_share_one_room_and_people_of_other_companies_lose_nothing() {
    let (workspace, service) = served().await;
    let person = |id: &str, name: &str| json!({ "id": id, "name": name, "profile": { "email": format!("{name}@corp.example") } });
    let users = json!([person("U01", "ann"), person("U02", "bea"), person("U03", "cid")]);
    let group = |id: &str, members: [&str; 3]| json!({ "id": id, "name": format!("mpdm-{id}"), "members": members });
    let groups = json!([group("G1", ["U01", "U02", "U03"]), group("G2", ["U03", "U02", "U01"])]);
    let direct = json!([{ "id": "D1", "members": ["U01", "W9EXT"] }, { "id": "D2", "members": ["U02", "U02"] }]);
    let mut foreign = said("W9EXT", "1577923200.000100", "hi");
    foreign["user_profile"] = json!({ "real_name": "Ext Person", "name": "ext" });
    let day = |folder: &str, message: Value| (format!("{folder}/2020-01-02.json"), json!([message]));
    let days = [
        day("mpdm-G1", said("U01", "1577923201.000100", "first")),
        day("mpdm-G2", said("U02", "1577923202.000100", "second")),
        day("D1", foreign),
        day("D2", said("U02", "1577923203.000100", "note to self")),
    ];
    service.import("slack", &slack(&users, &[("mpims.json", groups), ("dms.json", direct)], &days)).await;
    let group = room(&workspace, doc! { "importIds": "G1" }).await;
    assert_eq!(room(&workspace, doc! { "importIds": "G2" }).await.get("_id"), group.get("_id"));
    assert_eq!((members(&workspace, &group).await.len(), group.get_i32("msgs").ok()), (3, Some(2)));
    let oneself = room(&workspace, doc! { "importIds": "D2" }).await;
    assert_eq!((members(&workspace, &oneself).await, oneself.get_i32("msgs").ok()), (vec!["bea".to_owned()], Some(1)));
    let stranger = workspace.found("users", doc! { "importIds": "W9EXT" }).await.remove(0);
    assert_eq!(
        (stranger.get_bool("active").ok(), stranger.get_bool("importPlaceholder").ok()),
        (Some(false), Some(true))
    );
    let message = workspace.found("rocketchat_message", doc! { "u._id": stranger.get_str("_id").unwrap() }).await;
    assert_eq!(message[0].get_str("msg").ok(), Some("hi"));
    assert_eq!(message[0].get("rid"), room(&workspace, doc! { "importIds": "D1" }).await.get("_id"));
    assert!(message[0].iter().all(|(_, value)| *value != Bson::Null), "{message:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gains_a_private_room_of_somebody_with_another_address() {
    const NAMES: u32 = 12;
    const PEOPLE: usize = 40;
    let (workspace, service) = served().await;
    let mut draw = rand::rng();
    let address = |draw: &mut rand::rngs::ThreadRng| {
        (draw.random_range(0..5) > 0).then(|| {
            let address = format!("p{}@corp.example", draw.random_range(0..NAMES));
            if draw.random() { address.to_uppercase() } else { address }
        })
    };
    for number in 0..NAMES {
        let emails = if number % 5 == 0 {
            vec![]
        } else {
            vec![doc! { "address": format!("p{}@corp.example", (number * 7) % NAMES), "verified": number % 2 == 0 }]
        };
        workspace
            .add_user(user(&format!("a{number}")).with("username", format!("name{number}")).with("emails", emails))
            .await;
    }
    let people: Vec<(String, Option<String>)> =
        (0..PEOPLE).map(|_| (format!("name{}", draw.random_range(0..NAMES)), address(&mut draw))).collect();
    let users: Vec<Value> = people.iter().enumerate().map(|(number, (name, address))| {
        json!({ "id": format!("U{number:02}"), "name": name, "profile": { "email": address } })
    }).collect();
    let groups: Vec<Value> = (0..PEOPLE).map(|number| {
        let owner = format!("U{number:02}");
        json!({ "id": format!("G{number:02}"), "name": format!("own-{number}"), "created": 1_500_000_000, "creator": owner, "members": [owner] })
    }).collect();
    let direct: Vec<Value> = (0..PEOPLE)
        .map(|number| json!({ "id": format!("D{number:02}"), "members": [format!("U{number:02}")] }))
        .collect();
    service
        .import("slack", &slack(&json!(users), &[("groups.json", json!(groups)), ("dms.json", json!(direct))], &[]))
        .await;
    let mut looked_at = 0;
    for (number, (name, wanted)) in people.iter().enumerate() {
        let ids = [format!("G{number:02}"), format!("D{number:02}")];
        for room in workspace.found("rocketchat_room", doc! { "importIds": { "$in": ids.to_vec() } }).await {
            let rid = room.get_str("_id").unwrap();
            for one in
                workspace.found("rocketchat_subscription", doc! { "rid": rid, "u._id": { "$ne": "admin" } }).await
            {
                let account = one.get_document("u").unwrap().get_str("_id").unwrap();
                let account = workspace.found("users", doc! { "_id": account }).await.remove(0);
                let emails = account.get_array("emails").cloned().unwrap_or_default();
                let held: Vec<String> = emails
                    .iter()
                    .map(|email| email.as_document().unwrap().get_str("address").unwrap().to_lowercase())
                    .collect();
                let is_same =
                    wanted.as_ref().is_none_or(|wanted| held.is_empty() || held.contains(&wanted.to_lowercase()));
                assert!(is_same, "{name} {wanted:?} of {people:?} gave {room} to {account}");
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > PEOPLE, "{looked_at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_talk_is_a_direct_message_for_as_many_as_the_workspace_lets_into_one() {
    // A group needs an owner: the person who imports.
    for (most, kind, people) in [(2, "p", 10), (12, "d", 9)] {
        let (workspace, service) = served().await;
        workspace.set("DirectMesssage_maxUsers", most).await;
        let person = |number: u8| json!({ "id": format!("U0{number}"), "name": format!("user{number}"), "profile": { "email": format!("user{number}@corp.example") } });
        let all: Vec<String> = (1..=9).map(|number| format!("U0{number}")).collect();
        let users: Vec<Value> = (1..=9).map(person).collect();
        let groups = json!([{ "id": "G1", "name": "mpdm-all-1", "members": all }]);
        let day = ("mpdm-all-1/2020-01-02.json".to_owned(), json!([said("U01", "1577923200.000100", "all of us")]));
        service.import("slack", &slack(&json!(users), &[("mpims.json", groups)], &[day])).await;
        let talk = room(&workspace, doc! { "importIds": "G1" }).await;
        assert_eq!((talk.get_str("t").ok(), talk.get_i32("msgs").ok()), (Some(kind), Some(1)), "{most}: {talk}");
        assert_eq!(members(&workspace, &talk).await.len(), people);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lists_of_somebody_alone_are_one_room() {
    let (workspace, service) = served().await;
    let users = json!([{ "id": "U01", "name": "ann", "profile": { "email": "ann@corp.example" } }]);
    let direct = json!([{ "id": "D1", "members": ["U01"] }, { "id": "D2", "members": ["U01", "U01"] }]);
    let day = |folder: &str, ts: &str| (format!("{folder}/2020-01-02.json"), json!([said("U01", ts, "note to self")]));
    let days = [day("D1", "1577923200.000100"), day("D2", "1577923201.000100")];
    service.import("slack", &slack(&users, &[("dms.json", direct)], &days)).await;
    let oneself = room(&workspace, doc! { "importIds": "D1" }).await;
    assert_eq!(oneself.get_array("importIds").unwrap().len(), 2, "{oneself}");
    assert_eq!((members(&workspace, &oneself).await, oneself.get_i32("msgs").ok()), (vec!["ann".to_owned()], Some(2)));
}
