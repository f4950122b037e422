//! Users out of public reports of bulk imports, over the command line.

use bson::{Bson, doc};
use serde_json::{Value, json};

use super::{File, add_roles, call, operation_count, summary};
use crate::harness::{served, user};

fn address(address: &str) -> Bson {
    bson::bson!([{ "address": address, "verified": true }])
}

#[tokio::test]
async fn one_user_who_fails_keeps_nobody_else_out_and_his_holder_is_named() {
    let rows =
        ["ann,ann@corp.example,e1,Ann Lee", "bea2,bea@corp.example,e2,Bea Poe", "cid,cid@corp.example,e3,Cid Roe"];
    for order in [[1, 0, 2], [0, 1, 2], [0, 2, 1]] {
        let (workspace, service) = served().await;
        workspace.add_user(user("bea").with("emails", address("bea@corp.example"))).await;
        let text = order.map(|place| rows[place]).join("\n");
        let file = File::new("people.csv", format!("username,emails,importIds,name\n{text}"));
        let arguments = ["users", file.path(), "--run", "--json", "--on-existing", "fail"];
        let finished = call(&service.address, &arguments).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let summary = summary(&finished);
        assert_eq!((&summary["run"]["created"], &summary["run"]["failed"]), (&json!(2), &json!(1)), "{summary}");
        let reason = "The e-mail address bea@corp.example is taken by the user bea (bea). \
            With onExisting set to link, that account gets the import id.";
        assert_eq!(
            (&summary["failed"][0]["importIds"], &summary["failed"][0]["errors"]),
            (&json!(["e2"]), &json!([reason]))
        );
        assert_eq!(operation_count(&service, "total").await, 3);
        for (username, name) in [("ann", "Ann Lee"), ("cid", "Cid Roe")] {
            let account = workspace.collection("users").find_one(doc! { "username": username }).await.unwrap().unwrap();
            assert_eq!(account.get_str("name").unwrap(), name);
        }
    }
}

#[tokio::test]
async fn a_wrong_user_or_a_wrong_setting_is_named_before_anything_is_sent() {
    let (workspace, service) = served().await;
    let bot = "{\"importIds\":[\"1\"],\"emails\":[\"a@corp.example\"]}\n{\"importIds\":[\"2\"],\"username\":\"ci\",\"type\":\"bot\"}\n";
    let file = File::new("people.jsonl", bot);
    let finished = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.errors.contains("line 2: emails missing"), "{finished:?}");

    workspace.set("Accounts_Registration_Users_Default_Roles", "user,staff").await;
    let file = File::new("people.csv", "username,emails,importIds\nann,ann@corp.example,1\n");
    let finished = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_ne!(finished.code, Some(0), "{finished:?}");
    let sentence = "the setting Accounts_Registration_Users_Default_Roles is wrong: there is no role staff";
    assert!(finished.errors.contains(sentence), "{finished:?}");
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));
}

#[tokio::test]
async fn accounts_of_a_file_have_their_own_roles_and_the_default_ones_each_once() {
    let (workspace, service) = served().await;
    add_roles(&workspace).await;
    workspace.set("Accounts_Registration_Users_Default_Roles", "user, livechat-agent ,user").await;
    let file = File::new(
        "people.csv",
        "username,emails,importIds,roles\nann,a@corp.example,1,admin;admin\nbea,b@corp.example,2,\n",
    );
    let finished = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for (username, expected) in
        [("ann", &["admin", "user", "livechat-agent"][..]), ("bea", &["user", "livechat-agent"])]
    {
        let account = workspace.collection("users").find_one(doc! { "username": username }).await.unwrap().unwrap();
        assert_eq!(account.get("roles"), Some(&Bson::from(expected.to_vec())), "{username}");
    }
}

#[tokio::test]
async fn somebody_who_differs_from_an_account_in_letter_case_only_is_made_with_a_warning_or_refused() {
    let (workspace, service) = served().await;
    workspace.add_user(user("b0b").with("username", "Bob").with("emails", address("Bob@Corp.example"))).await;
    let file = File::new("people.csv", "username,emails,importIds\nbob,bob@corp.example,7\n");
    let rule = ["users", file.path(), "--run", "--on-existing", "fail"];
    let refused = call(&service.address, &[&rule[..], &["--refuse-case-twins"]].concat()).await;
    assert_eq!((refused.code, workspace.operations().await.len()), (Some(2), 0), "{refused:?}");
    let checked = call(&service.address, &["users", file.path(), "--check", "--on-existing", "fail"]).await;
    let told = |text: &str| text.contains("of the account b0b (@Bob) in letter case only");
    assert!(told(&refused.errors) && told(&checked.errors), "{refused:?} {checked:?}");
    let made = call(&service.address, &rule).await;
    assert_eq!((checked.code, made.code), (Some(0), Some(0)), "{checked:?} {made:?}");
    assert_eq!(workspace.count_imported().await, 2, "as in Rocket.Chat, both are there");
}

#[tokio::test]
async fn neighbouring_long_ids_of_a_file_stay_two_people() {
    let (workspace, service) = served().await;
    let text = "{\"importIds\":[1523,\"007\",76561198000000001],\"emails\":[\"a@corp.example\"],\"username\":\"42\"}\n\
                {\"importIds\":[76561198000000002],\"emails\":[\"b@corp.example\"]}\n";
    let file = File::new("people.jsonl", text);
    let finished = call(&service.address, &["users", file.path()]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let staged = workspace.staged_data().await;
    let ids = |place: usize| staged[place].get_array("importIds").unwrap().clone();
    assert_eq!(ids(0), [Bson::from("1523"), Bson::from("007"), Bson::from("76561198000000001")]);
    assert_eq!(ids(1), [Bson::from("76561198000000002")]);
}

#[tokio::test]
async fn somebody_who_is_there_is_linked_and_a_name_of_another_person_gets_a_number_on_demand() {
    let (workspace, service) = served().await;
    workspace.add_user(user("ann").with("emails", address("ann@corp.example")).with_roles(&["admin"])).await;
    workspace.add_user(user("kim").with("emails", address("kim@corp.example"))).await;
    let text = "username,emails,importIds\nann,ann@corp.example,U01ANN\nkim,kim.b@partner.example,U02KIM\n";
    let file = File::new("people.csv", text);
    let link = ["users", file.path(), "--run", "--json", "--on-existing", "link"];
    let finished = call(&service.address, &link).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let told = summary(&finished);
    assert_eq!((&told["run"]["linked"], &told["run"]["failed"]), (&json!(1), &json!(1)), "{told}");
    let reason = told["failed"][0]["errors"][0].as_str().unwrap();
    assert!(reason.contains("user name") && reason.contains("kim (@kim)"), "{reason}");
    let ann = workspace.collection("users").find_one(doc! { "_id": "ann" }).await.unwrap().unwrap();
    assert_eq!(ann.get_array("importIds").unwrap(), &[Bson::from("U01ANN")]);
    assert_eq!((ann.get_array("roles").unwrap().len(), ann.get("emails")), (1, Some(&address("ann@corp.example"))));

    let suffix = [&link[..], &["--on-username-taken", "suffix", "--replace"]].concat();
    let finished = call(&service.address, &suffix).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let kim = workspace.collection("users").find_one(doc! { "importIds": "U02KIM" }).await.unwrap().unwrap();
    assert_eq!(kim.get_str("username").unwrap(), "kim-1");
    let receipt: Value = service.get_as_admin("/api/v1/import.receipt").await.json();
    assert!(receipt["records"][0]["reason"].as_str().unwrap().contains("kim-1"), "{receipt}");
}
