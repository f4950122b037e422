//! The list of failed users: downloaded, mended and sent again.

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::{
    browser::Browser,
    harness::{Workspace, user},
    page::set_up_signed_in,
};

/// Stages the two users of the chosen file in the place of the import before, and runs them.
async fn run_both(browser: &Browser) {
    browser.click("#send").await;
    browser.says("#question-text", "failed and are still staged").await;
    browser.says("#question-text", "The receipt keeps the reasons").await;
    browser.click("#question-yes").await;
    browser.says("#file-good", "2 users staged").await;
    browser.click("#run").await;
    browser.says("#state-detail", "2 users imported, none failed.").await;
}

async fn account(workspace: &Workspace, username: &str) -> Document {
    workspace.collection("users").find_one(doc! { "username": username }).await.unwrap().expect(username)
}

#[tokio::test]
async fn the_list_of_failed_users_is_mended_and_run_again_from_the_page_with_values_as_they_were() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    workspace.add_user(user("@bob")).await;
    workspace.add_user(user("=cmd")).await;
    let file = "importIds,emails,username,name,roles\n\
                +4915,bob@corp.example,@bob,-Bob,bot\n\
                =7,cid@corp.example,=cmd,Cid,\n\
                3,dan@corp.example,dan,Dan,\n";
    browser.choose("#users-on-existing", "fail").await;
    let _file = browser.choose_file(".csv", file).await;
    browser.says("#foreseen-failed", "2").await;
    browser.click("#send").await;
    browser.says("#file-good", "3 users staged").await;
    browser.click("#run").await;
    browser.says("#state", "Done, with failures").await;
    browser.says("#failed-table caption", "2 users not imported").await;
    browser.click("#failed-download").await;
    let list = browser.downloaded("failed-users.csv").await;
    for cell in ["\"'+4915\"", "\"'@bob\"", "\"'-Bob\"", "\"'=7\"", "\"'=cmd\""] {
        assert!(list.contains(cell), "{list}");
    }

    // As a spreadsheet leaves it: a name corrected, the marks as they were.
    let mended = list.replace("\"'@bob\"", "\"'@bobby\"").replace("\"'=cmd\"", "cid");
    let _file = browser.choose_file(".csv", &mended).await;
    browser.says("#foreseen-created", "2").await;
    assert!(!browser.is_shown("#file-failures").await);
    run_both(&browser).await;
    let account = async |username: &str| account(&workspace, username).await;
    let bobby = account("@bobby").await;
    assert_eq!(bobby.get_array("importIds").unwrap(), &[bson::Bson::from("+4915")]);
    assert_eq!((bobby.get_str("name").unwrap(), bobby.get_array("roles").unwrap().len()), ("-Bob", 2), "{bobby}");
    assert_eq!(account("cid").await.get_array("importIds").unwrap(), &[bson::Bson::from("=7")]);
    assert_eq!(workspace.count_imported().await, 2 + 3);
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn the_list_of_failed_users_holds_all_that_they_were_sent_with_and_somebody_who_has_left_stays_inactive() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    workspace.add_user(user("existing")).await;
    let room = doc! { "_id": "news", "t": "c", "name": "news", "fname": "News", "msgs": 0, "usersCount": 1 };
    workspace.collection("rocketchat_room").insert_one(room).await.unwrap();
    let left = json!({
        "importIds": ["1", "x1"], "emails": ["old@corp.example"], "username": "existing", "name": "Old One",
        "deleted": true, "type": "bot", "bio": "=Head, of \"sales\"\n; since 1999", "statusText": "gone", "utcOffset": -3.5,
        "channels": ["news", "#team"], "avatarUrl": "https://pictures.example/1.png", "requirePasswordChange": true,
        "customFields": { "team": "x", "desk": { "floor": 3, "tags": ["a;b", "+1"] } },
    });
    let plain = json!({ "importIds": ["2"], "emails": ["plain@corp.example"], "username": "existing", "bio": "x".repeat(40_000) });
    service.stage(&[left, plain]).await;
    service.run_import().await;
    browser.says("#state", "Done, with failures").await;
    browser.says("#failed-table caption", "2 users not imported").await;
    browser.click("#failed-download").await;
    let list = browser.downloaded("failed-users.csv").await;
    let header = list.trim_start_matches('\u{feff}').lines().next().unwrap();
    let columns = "importIds,emails,username,name,roles,requirePasswordChange,type,deleted,utcOffset,bio,statusText,channels,avatarUrl,\
                   customFields,line,errors";
    assert_eq!(header.replace('"', ""), columns);
    assert!(!list.contains("xxx"), "no value is cut");
    assert!(list.contains("Not in this list, as a cell cannot hold it: bio."), "{list}");

    let mended = list.replacen("\"existing\"", "\"old\"", 1).replacen("\"existing\"", "\"plain\"", 1);
    let _file = browser.choose_file(".csv", &mended).await;
    browser.says("#foreseen-created", "2").await;
    run_both(&browser).await;
    let account = async |username: &str| account(&workspace, username).await;
    let old = account("old").await;
    let expected = doc! {
        "active": false, "type": "bot", "bio": "=Head, of \"sales\"\n; since 1999", "statusText": "gone", "utcOffset": -3.5,
        "_pendingAvatarUrl": "https://pictures.example/1.png", "requirePasswordChange": true, "name": "Old One",
        "importIds": ["1", "x1"],
    };
    for (field, value) in expected {
        assert_eq!(old.get(&field), Some(&value), "{field} of {old}");
    }
    let custom = bson::deserialize_from_document::<Value>(old.get_document("customFields").unwrap().clone()).unwrap();
    assert_eq!(custom, json!({ "team": "x", "desk": { "floor": 3, "tags": ["a;b", "+1"] } }));
    let joined = doc! { "u._id": old.get_str("_id").unwrap(), "rid": "news" };
    assert_eq!(workspace.collection("rocketchat_subscription").count_documents(joined).await.unwrap(), 1);
    assert!(account("plain").await.get_bool("active").unwrap());
    browser.assert_no_errors(&[]).await;
}
