//! People whose exports come again, and people who were left out.

use super::{
    again::{Export, first_messages, said},
    cases::slack,
    *,
};

impl Service {
    /// What the last import made of each person, by import id.
    async fn people(&self) -> Vec<(String, String)> {
        let receipt = self.get_as_admin("/api/v1/import.receipt?count=0").await.json();
        let records = receipt["records"].as_array().unwrap().iter().filter(|record| record["dataType"] == "user");
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value} of {receipt}")).to_owned();
        let mut people: Vec<_> =
            records.map(|record| (text(&record["importIds"][0]), text(&record["outcome"]))).collect();
        people.sort_unstable();
        people
    }
}

fn outcomes(people: &[(&str, &str)]) -> Vec<(String, String)> {
    people.iter().map(|(id, outcome)| ((*id).to_owned(), (*outcome).to_owned())).collect()
}

/// Of two exports, the later one renames one of two people, and has somebody more.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_say_who_is_new_and_who_is_the_same_when_exports_come_in_turn() {
    let (workspace, service) = served().await;
    let mut stranger = said("W9", "1600000099.000100", "from elsewhere");
    stranger["user_profile"] = json!({ "name": "ext", "real_name": "Ext Person" });
    let january = Export { bea: "bea", dev: first_messages(), ops: None };
    let february = Export { bea: "beate", dev: [first_messages(), vec![stranger]].concat(), ops: None };
    let both_are_the_same = [("U01", "same"), ("U02", "same")];
    let three_are_the_same = [("U01", "same"), ("U02", "same"), ("W9", "same")];
    for (export, expected) in [
        (&january, &[("U01", "created"), ("U02", "created")][..]),
        (&february, &[("U01", "same"), ("U02", "same"), ("W9", "created")]),
        (&january, &both_are_the_same),
        (&february, &three_are_the_same),
    ] {
        service.import("slack", &export.zip()).await;
        assert_eq!(service.people().await, outcomes(expected));
        let bea = workspace.found("users", doc! { "importIds": "U02" }).await;
        assert_eq!((bea.len(), bea[0].get_str("username").ok()), (1, Some("bea")), "people keep their names here");
    }
}

/// With `update`, the later export's name is taken over; and the older one's as well when it comes again, as the caller wants it.
#[tokio::test(flavor = "multi_thread")]
async fn with_update_receipts_say_who_changed_when_exports_come_in_turn() {
    let (_workspace, service) = served().await;
    let export = |bea: &'static str| Export { bea, dev: first_messages(), ops: None };
    for (bea, expected) in [("bea", "created"), ("beate", "updated"), ("beate", "same"), ("bea", "updated")] {
        service.load("slack", &export(bea).zip()).await;
        let body = json!({ "input": everything(), "onExisting": "update" });
        assert_eq!(service.post("/api/v1/startImport", &body).await.status, 200);
        service.wait_for_state("done").await;
        let ann = if expected == "created" { "created" } else { "same" };
        assert_eq!(service.people().await, outcomes(&[("U01", ann), ("U02", expected)]), "{bea}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_of_a_direct_message_who_was_left_out_and_wrote_nothing_stands_in() {
    let (workspace, service) = served().await;
    let person = |id: &str, name: &str| json!({ "id": id, "name": name, "real_name": name, "profile": { "email": format!("{name}@corp.example") } });
    let users = json!([person("U01", "ann"), person("U02", "bea"), person("U03", "cid"), person("U04", "dan")]);
    let direct = json!([{ "id": "D1", "members": ["U01", "U02"] }]);
    let channel = json!([{ "id": "C1", "name": "dev", "creator": "U01", "members": ["U01", "U03"] }]);
    let day = ("D1/2020-01-02.json".to_owned(), json!([said("U01", "1577923200.000100", "are you there?")]));
    let export = slack(&users, &[("channels.json", channel), ("dms.json", direct)], &[day]);
    service.load("slack", &export).await;
    let input = json!({ "users": { "list": ["U01"] }, "channels": { "all": true } });
    assert_eq!(service.start_import(input).await.status, 200);
    service.wait_for_state("done").await;
    let stand_ins = workspace.found("users", doc! { "importPlaceholder": true }).await;
    let ids: Vec<&Bson> = stand_ins.iter().map(|account| &account.get_array("importIds").unwrap()[0]).collect();
    assert_eq!(ids, [&Bson::from("U02")], "neither members of channels nor anybody else");
    assert_eq!(stand_ins[0].get_bool("active").ok(), Some(false));
    let talk = workspace.found("rocketchat_room", doc! { "importIds": "D1" }).await.remove(0);
    assert_eq!((talk.get_array("uids").unwrap().len(), talk.get_i32("msgs").ok()), (2, Some(1)), "{talk}");
    assert_eq!(talk.get_bool("ro").ok(), Some(true), "nobody reads an answer");

    service.import("slack", &export).await;
    let bea = workspace.found("users", doc! { "importIds": "U02" }).await;
    assert_eq!((bea.len(), bea[0].get_bool("active").ok()), (1, Some(true)), "a later import fills the account");
    assert!(!bea[0].contains_key("importPlaceholder"), "{}", bea[0]);
}
