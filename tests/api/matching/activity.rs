//! Accounts that a file ends or takes up again, where it decides about that.

use std::time::Duration;

use bson::{Bson, Document, doc};
use serde_json::{Value, json};

use super::{account, address, import, outcomes, receipt};
use crate::harness::{Service, Workspace, served, user};

#[tokio::test]
async fn somebody_who_is_deactivated_is_signed_out_and_the_last_administrator_stays() {
    let (workspace, service) = served().await;
    workspace.add_user(user("boss").admin().with_token("boss-token")).await;
    assert_eq!(service.status_as("boss", "boss-token").await.status, 200);
    let leaver = |name: &str| json!({ "importIds": [format!("id of {name}")], "emails": [format!("{name}@corp.example")], "username": name, "deleted": true });
    let rules = json!({ "onExisting": "update", "alsoUpdate": ["deleted"] });
    import(&service, &[leaver("boss")], &rules).await;
    assert_eq!(outcomes(&service).await, ["updated"]);
    assert_eq!(service.status_as("boss", "boss-token").await.status, 401);
    let boss = account(&workspace, "boss").await;
    assert!(!boss.get_bool("active").unwrap());
    let resume = boss.get_document("services").unwrap().get_document("resume").unwrap();
    assert_eq!(resume.get_array("loginTokens").unwrap(), &Vec::<Bson>::new());

    let status = import(&service, &[leaver("admin")], &rules).await;
    assert_eq!(status["operation"]["count"]["error"], 1, "{status}");
    let reason = receipt(&service).await[0]["reason"].clone();
    assert_eq!(reason, "The last active administrator is not deactivated: account admin (@admin).");
    assert!(account(&workspace, "admin").await.get_bool("active").unwrap());
}

#[tokio::test]
async fn of_the_last_two_administrators_one_stays_although_both_are_deactivated_at_once() {
    let (workspace, service) = served().await;
    workspace.add_user(user("boss").admin()).await;
    let deactivated = doc! { "$set": { "active": false } };
    // Somebody else is in the middle of deactivating the caller.
    let mut session = workspace.database.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let users = workspace.collection("users");
    users.update_one(doc! { "_id": "admin" }, deactivated).session(&mut session).await.unwrap();

    let boss = json!({ "importIds": ["1"], "emails": ["boss@corp.example"], "username": "boss", "deleted": true });
    service.stage(&[boss]).await;
    let answer =
        service.post("/api/v1/import.run", &json!({ "onExisting": "update", "alsoUpdate": ["deleted"] })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // The run has long decided, on the accounts as they are until the other one is done.
    tokio::time::sleep(Duration::from_secs(2)).await;
    session.commit_transaction().await.unwrap();

    let status = service.wait_for_state("done").await;
    assert_eq!(status["operation"]["count"]["error"], 1, "{status}");
    let reason = receipt(&service).await[0]["reason"].clone();
    assert_eq!(reason, "The last active administrator is not deactivated: account boss (@boss).");
    assert!(account(&workspace, "boss").await.get_bool("active").unwrap());
}

/// Kim owns a room of several people, one alone, and writes with Lee and with Max, who is inactive.
async fn settle(workspace: &Workspace) {
    for (name, is_active) in [("kim", true), ("lee", true), ("max", false)] {
        let person = user(name).with("emails", address(&format!("{name}@corp.example"), true));
        workspace.add_user(person.with("active", is_active)).await;
    }
    let direct =
        |id: &str, other: &str| doc! { "_id": id, "t": "d", "uids": ["kim", other], "usernames": ["kim", other] };
    let rooms = [
        doc! { "_id": "shared", "t": "c", "name": "shared" },
        doc! { "_id": "alone", "t": "p", "name": "alone" },
        direct("with-lee", "lee"),
        direct("with-max", "max"),
    ];
    workspace.collection("rocketchat_room").insert_many(rooms).await.unwrap();
    let member = |room: &str, kind: &str, name: &str, person: &str, minute: i64, roles: &[&str]| {
        let ts = bson::DateTime::from_millis(minute * 60_000);
        doc! {
            "_id": format!("{room} {person}"), "rid": room, "t": kind, "name": name, "u": { "_id": person }, "ts": ts,
            "roles": roles,
        }
    };
    let subscriptions = [
        member("shared", "c", "shared", "kim", 1, &["owner"]),
        member("shared", "c", "shared", "max", 2, &[]),
        member("shared", "c", "shared", "lee", 3, &[]),
        member("alone", "p", "alone", "kim", 1, &["owner"]),
        member("with-lee", "d", "lee", "kim", 1, &[]),
        member("with-lee", "d", "kim", "lee", 1, &[]),
        member("with-max", "d", "kim", "max", 1, &[]),
    ];
    workspace.collection("rocketchat_subscription").insert_many(subscriptions).await.unwrap();
}

async fn find(workspace: &Workspace, collection: &str, id: &str) -> Document {
    workspace.collection(collection).find_one(doc! { "_id": id }).await.unwrap().unwrap()
}

async fn give_kim(service: &Service, deleted: bool) -> Value {
    let kim = json!({ "importIds": ["k"], "emails": ["kim@corp.example"], "username": "kim", "deleted": deleted });
    import(service, &[kim], &json!({ "onExisting": "update", "alsoUpdate": ["deleted"] })).await
}

#[tokio::test]
async fn rooms_and_direct_messages_of_somebody_who_is_deactivated_are_looked_after_as_in_rocket_chat() {
    let (workspace, service) = served().await;
    settle(&workspace).await;
    give_kim(&service, true).await;
    assert_eq!(outcomes(&service).await, ["updated"]);
    let roles =
        async |id: &str| find(&workspace, "rocketchat_subscription", id).await.get_array("roles").unwrap().clone();
    assert_eq!(roles("shared lee").await, [Bson::from("owner")], "the first of the others who is active");
    assert_eq!(roles("shared max").await, []);
    assert_eq!(roles("alone kim").await, [Bson::from("owner")]);
    for id in ["with-lee lee", "with-max max"] {
        assert!(find(&workspace, "rocketchat_subscription", id).await.get_bool("archived").unwrap(), "{id}");
    }
    for room in ["with-lee", "with-max"] {
        let room = find(&workspace, "rocketchat_room", room).await;
        assert!(room.get_bool("ro").unwrap() && !room.get_bool("reactWhenReadOnly").unwrap());
    }
    assert!(find(&workspace, "rocketchat_room", "shared").await.get_bool("ro").is_err());
    let log = service.log_lines("the room shared has the new owner lee");
    assert_eq!(log.len(), 1, "{log:?}");

    // Somebody comes back.
    workspace.update("users", "kim", doc! { "$set": { "inactiveReason": "idle_too_long" } }).await;
    give_kim(&service, false).await;
    let kim = account(&workspace, "kim").await;
    assert!(kim.get_bool("active").unwrap() && !kim.contains_key("inactiveReason"));
    for id in ["with-lee lee", "with-max max"] {
        assert!(!find(&workspace, "rocketchat_subscription", id).await.get_bool("archived").unwrap(), "{id}");
    }
    let is_read_only = async |room: &str| find(&workspace, "rocketchat_room", room).await.get_bool("ro").unwrap();
    assert_eq!((is_read_only("with-lee").await, is_read_only("with-max").await), (false, true), "Max is inactive");
    // A second time there is nothing to do.
    give_kim(&service, false).await;
    assert_eq!(outcomes(&service).await, ["same"]);
}

#[tokio::test]
async fn people_who_leave_or_come_back_in_one_file_are_taken_one_after_the_other() {
    let (workspace, service) = served().await;
    settle(&workspace).await;
    workspace.update("users", "max", doc! { "$set": { "active": true } }).await;
    let owner = doc! { "$set": { "roles": ["owner"] } };
    workspace.update("rocketchat_subscription", "shared lee", owner).await;
    let give = async |names: &[&str], deleted: bool| {
        let person = |name: &&str| json!({ "importIds": [name], "emails": [format!("{name}@corp.example")], "username": name, "deleted": deleted });
        let people: Vec<Value> = names.iter().map(person).collect();
        import(&service, &people, &json!({ "onExisting": "update", "alsoUpdate": ["deleted"] })).await;
    };
    // Both owners of the room at once: neither may count on the other.
    give(&["kim", "lee"], true).await;
    let roles = find(&workspace, "rocketchat_subscription", "shared max").await.get_array("roles").unwrap().clone();
    assert_eq!(roles, [Bson::from("owner")]);
    let is_read_only = async |room: &str| find(&workspace, "rocketchat_room", room).await.get_bool("ro").unwrap();
    assert!(is_read_only("with-lee").await);
    give(&["kim", "lee"], false).await;
    assert!(!is_read_only("with-lee").await, "both are back");
}

#[tokio::test]
async fn somebody_who_comes_back_under_another_name_is_written_to_again() {
    let (workspace, service) = served().await;
    settle(&workspace).await;
    give_kim(&service, true).await;
    let kim = json!({ "importIds": ["k"], "emails": ["kim@corp.example"], "username": "kim.lee", "deleted": false });
    import(&service, &[kim], &json!({ "onExisting": "update", "alsoUpdate": ["deleted"] })).await;
    assert_eq!(account(&workspace, "kim").await.get_str("username").unwrap(), "kim.lee");
    let partner = find(&workspace, "rocketchat_subscription", "with-lee lee").await;
    assert!(!partner.get_bool("archived").unwrap());
}

#[tokio::test]
async fn direct_messages_of_a_placeholder_can_be_written_to_once_the_person_is_there() {
    let (workspace, service) = served().await;
    settle(&workspace).await;
    let stand_in = doc! { "$set": { "active": false, "importPlaceholder": true, "importIds": ["k"] } };
    workspace.update("users", "kim", stand_in).await;
    let ended = doc! { "$set": { "ro": true, "reactWhenReadOnly": false } };
    workspace.update("rocketchat_room", "with-lee", ended).await;
    let kim = json!({ "importIds": ["k"], "emails": ["kim@corp.example"], "username": "kim" });
    import(&service, &[kim], &json!({ "onExisting": "link" })).await;
    assert!(account(&workspace, "kim").await.get_bool("active").unwrap());
    assert!(!find(&workspace, "rocketchat_room", "with-lee").await.get_bool("ro").unwrap());
}

#[tokio::test]
async fn the_only_administrator_whose_account_says_nothing_about_its_activity_stays() {
    let (workspace, service) = served().await;
    workspace.update("users", "admin", doc! { "$unset": { "active": 1 } }).await;
    let admin = json!({ "importIds": ["a"], "emails": ["admin@corp.example"], "username": "admin", "deleted": true });
    workspace.update("users", "admin", doc! { "$set": { "importIds": ["a"] } }).await;
    import(&service, &[admin], &json!({ "onExisting": "update", "alsoUpdate": ["deleted"] })).await;
    let reason = receipt(&service).await[0]["reason"].clone();
    assert_eq!(reason, "The last active administrator is not deactivated: account admin (@admin).");
}

#[tokio::test]
async fn somebody_of_another_server_is_not_deactivated() {
    let (workspace, service) = served().await;
    let kim = user("kim").with("emails", address("kim@corp.example", true)).with("federated", true);
    workspace.add_user(kim).await;
    let status = give_kim(&service, true).await;
    assert_eq!(status["operation"]["count"]["error"], 1, "{status}");
    let reason = receipt(&service).await[0]["reason"].clone();
    assert_eq!(reason, "Somebody of another server is not deactivated here: account kim (@kim).");
    assert!(account(&workspace, "kim").await.get_bool("active").unwrap());
    workspace.update("users", "kim", doc! { "$set": { "active": false } }).await;
    give_kim(&service, false).await;
    let reason = receipt(&service).await[0]["reason"].clone();
    assert_eq!(reason, "Somebody of another server is not activated here: account kim (@kim).");
}
