//! What of a file is imported, and what the operation counts then.

use std::collections::BTreeSet;

use super::*;

const PEOPLE: usize = 4600;
const DELETED: usize = 1200;
/// Deleted people who wrote: the first ones where everybody reads, the others in the channel that is left out.
const WROTE: usize = 7;
const WROTE_ELSEWHERE: usize = 3;

fn id(number: usize) -> String {
    format!("U{number:04}")
}

/// A Slack export with many people, the first of them deleted, and two channels.
fn export() -> Vec<u8> {
    let person = |number: usize| {
        let name = format!("person{number}");
        json!({
            "id": id(number), "name": name, "deleted": number < DELETED,
            "profile": { "real_name": name, "email": format!("{name}@corp.example") },
        })
    };
    let channel = |id: &str, name: &str| json!({ "id": id, "name": name, "created": 1_500_000_000, "creator": "U4000", "members": ["U4000"] });
    let message = |author: usize| {
        let ts = format!("{}.000100", 1_600_000_000 + author);
        json!({ "type": "message", "user": id(author), "ts": ts, "text": "hello" })
    };
    let messages = |authors: &mut dyn Iterator<Item = usize>| json!(authors.map(message).collect::<Vec<_>>());
    let files = [
        ("users.json", json!((0..PEOPLE).map(person).collect::<Vec<_>>())),
        ("channels.json", json!([channel("C1", "kept"), channel("C2", "dropped")])),
        ("kept/2020-09-13.json", messages(&mut (0..WROTE).chain([4000]))),
        ("dropped/2020-09-13.json", messages(&mut (WROTE..WROTE + WROTE_ELSEWHERE).chain([4001]))),
    ];
    zip(&files.map(|(name, content)| (name, content.to_string())))
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_people_who_are_left_out_are_there_only_if_they_wrote_something() {
    let (workspace, service) = served().await;
    service.load("slack", &export()).await;
    let listed = service.get_as_admin("/api/v1/getImportFileData").await.json();
    let people = listed["users"].as_array().unwrap();
    assert_eq!(people.len(), PEOPLE);
    let chosen: Vec<&Value> =
        people.iter().filter(|user| user["is_deleted"] == false).map(|user| &user["user_id"]).collect();
    assert_eq!(chosen.len(), PEOPLE - DELETED);
    let input = json!({ "users": { "list": chosen }, "channels": { "list": ["C1"] } });
    let answer = service.start_import(input).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let operation = service.wait_for_state("done").await["operation"].clone();

    let all = PEOPLE - DELETED + WROTE + 1 + WROTE + 1;
    let count = ["total", "completed", "error"].map(|name| operation["count"][name].as_u64().unwrap_or_default());
    assert_eq!(count, [all as u64, all as u64, 0], "{operation}");
    let accounts = workspace.found("users", doc! { "importIds": { "$exists": true } }).await;
    assert_eq!(accounts.len(), PEOPLE - DELETED + WROTE);
    let stand_ins: BTreeSet<(String, bool)> = accounts
        .iter()
        .filter(|account| account.get_bool("importPlaceholder").unwrap_or_default())
        .map(|account| {
            let import_id = account.get_array("importIds").unwrap()[0].as_str().unwrap();
            (import_id.to_owned(), account.get_bool("active").unwrap())
        })
        .collect();
    assert_eq!(stand_ins, (0..WROTE).map(|number| (id(number), false)).collect());
    let rooms = workspace.found("rocketchat_room", doc! { "importIds": { "$exists": true } }).await;
    assert_eq!(rooms.iter().map(|room| room.get_str("name").unwrap()).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(workspace.found("rocketchat_message", doc! {}).await.len(), WROTE + 1);
    check_rooms(&workspace).await;

    // A later import with these people fills the accounts that stand in for them.
    service.load("slack", &export()).await;
    let with_one = json!({ "users": { "list": [id(0)] }, "channels": { "list": ["C1"] } });
    assert_eq!(service.start_import(with_one).await.status, 200);
    service.wait_for_state("done").await;
    let first = workspace.found("users", doc! { "importIds": id(0) }).await;
    assert_eq!(first.len(), 1);
    assert!(!first[0].contains_key("importPlaceholder"), "{}", first[0]);
    assert_eq!(first[0].get_str("name").unwrap(), "person0");
    let others = workspace.found("users", doc! { "importPlaceholder": true }).await;
    assert_eq!(others.len(), WROTE - 1);
}

/// One is in no list, and one is in the list and was left out.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_stand_in_for_somebody_are_not_among_those_without_a_password() {
    let person = |id: &str, name: &str| json!({ "id": id, "name": name, "profile": { "email": format!("{name}@corp.example") } });
    let channels = json!([{ "id": "C1", "name": "dev", "created": 1_500_000_000, "creator": "U1", "members": ["U1"] }]);
    let said = |id: &str, second: u32| json!({ "type": "message", "user": id, "ts": format!("{second}.000100"), "text": "hello" });
    let files = [
        ("users.json", json!([person("U1", "ann"), person("U2", "bea")])),
        ("channels.json", channels),
        (
            "dev/2020-09-13.json",
            json!([said("U1", 1_600_000_000), said("U2", 1_600_000_001), said("W9", 1_600_000_002)]),
        ),
    ];
    let export = zip(&files.map(|(name, content)| (name, content.to_string())));
    let one = json!({ "users": { "list": ["U1"] }, "channels": { "list": ["C1"] } });
    for (input, stand_ins, people) in [(one, 2, json!([["U1"]])), (everything(), 1, json!([["U1"], ["U2"]]))] {
        let (workspace, service) = served().await;
        service.load("slack", &export).await;
        assert_eq!(service.start_import(input).await.status, 200);
        service.wait_for_state("done").await;
        assert_eq!(workspace.found("users", doc! { "importPlaceholder": true }).await.len(), stand_ins);
        let receipt = service.get_as_admin("/api/v1/import.receipt").await.json();
        let records = receipt["records"].as_array().unwrap();
        let without = records.iter().filter(|record| record["withoutPassword"] == true);
        let without: Vec<&Value> = without.map(|record| &record["importIds"]).collect();
        assert_eq!(json!(without), people, "{receipt}");
        assert_eq!(receipt["withoutPassword"], without.len(), "{receipt}");
    }
}

/// A call makes nobody a stand-in, whatever it says of him.
#[tokio::test]
async fn a_user_of_a_call_with_the_mark_of_a_stand_in_is_an_account_without_a_password() {
    let (workspace, service) = served().await;
    let user = |name: &str, mark: &str| json!({ "importIds": [name], "emails": [format!("{name}@corp.example")], "username": name, mark: true });
    service.stage(&[user("cid", "importPlaceholder"), user("dan", "_placeholder")]).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    assert!(workspace.found("users", doc! { "importPlaceholder": true }).await.is_empty());
    let receipt = service.get_as_admin("/api/v1/import.receipt").await.json();
    assert_eq!(receipt["withoutPassword"], 2, "{receipt}");
}
