//! Passwords for people who get an account and have none.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use bson::doc;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use super::{File, call, summary};
use crate::harness::{Service, eventually, served, user};

const OWNER_ALONE: u32 = 0o600;

/// The rows of a file of passwords: user name and password.
fn passwords(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("username,emails,importIds,password"));
    let rows = lines.map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    rows.map(|row| (row[0].clone(), row[3].clone())).collect()
}

#[tokio::test]
async fn those_who_get_an_account_without_a_password_get_one_that_is_written_down_once() {
    let (workspace, service) = served().await;
    let address = |address: &str| vec![doc! { "address": address, "verified": true }];
    workspace.add_user(user("cid").with("emails", address("cid@corp.example"))).await;
    workspace.add_user(user("dee").with("emails", address("other@corp.example"))).await;
    let people = "username,emails,importIds,password\n\
                  ann,ann@corp.example,1,\nbob,bob@corp.example,2,own-secret\ncid,cid@corp.example,3,\n\
                  dee,dee@corp.example,4,\n=eve,eve@corp.example,5,\n";
    let file = File::new("people.csv", people);
    let folder = tempdir().unwrap();
    let out = folder.path().join("passwords.csv");
    let arguments =
        ["users", file.path(), "--run", "--json", "--on-existing", "link", "--passwords-out", out.to_str().unwrap()];
    let finished = call(&service.address, &arguments).await;
    assert_eq!(finished.code, Some(1), "the name of dee is another person's: {finished:?}");
    assert_eq!(summary(&finished)["passwords"], json!(2), "{finished:?}");

    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, OWNER_ALONE);
    let made = passwords(&out);
    let names: Vec<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["ann", "'=eve"], "with a mark before what a spreadsheet would take for a formula");
    let users = workspace.collection("users");
    let ann = users.find_one(doc! { "username": "ann" }).await.unwrap().unwrap();
    assert!(ann.get_bool("requirePasswordChange").unwrap());
    let bcrypt = ann.get_document("services").unwrap().get_document("password").unwrap().get_str("bcrypt").unwrap();
    let digest = format!("{:x}", Sha256::digest(&made[0].1));
    assert!(bcrypt::verify(digest, bcrypt).unwrap(), "the password of the file is that of the account");
    let bob = users.find_one(doc! { "username": "bob" }).await.unwrap().unwrap();
    assert!(!bob.contains_key("requirePasswordChange"), "{bob}");

    for (_, password) in &made {
        assert!(!finished.output.contains(password) && !finished.errors.contains(password));
        assert!(service.log_lines(password).is_empty());
        for collection in workspace.database.list_collection_names().await.unwrap() {
            let found = workspace.collection(&collection).find(doc! {}).await.unwrap();
            let documents: Vec<bson::Document> = futures::TryStreamExt::try_collect(found).await.unwrap();
            assert!(!format!("{documents:?}").contains(password), "in clear text in {collection}");
        }
    }

    // Never written over; and where nobody gets an account there is no file.
    let before = fs::read(&out).unwrap();
    let again = call(&service.address, &arguments).await;
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.errors.contains("is there already"), "{again:?}");
    assert_eq!(fs::read(&out).unwrap(), before);
    let other = folder.path().join("other.csv");
    let arguments = ["users", file.path(), "--run", "--replace", "--passwords-out", other.to_str().unwrap()];
    call(&service.address, &arguments).await;
    assert!(!other.exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_person_must_change_the_password_where_the_file_or_the_script_says_so() {
    let (workspace, service) = served().await;
    let file = File::new(
        "people.csv",
        "username,emails,importIds,must change password\nann,ann@corp.example,1,yes\nbob,bob@corp.example,2,no\n",
    );
    let finished = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    service
        .stage(&[json!({ "importIds": ["3"], "emails": ["cid@corp.example"], "username": "cid", "requirePasswordChange": "true" })])
        .await;
    service.run_import().await;
    service.wait_for_state("done").await;
    for (name, expected) in [("ann", true), ("bob", false), ("cid", true)] {
        let account = workspace.collection("users").find_one(doc! { "username": name }).await.unwrap().unwrap();
        assert_eq!(account.get_bool("requirePasswordChange").unwrap_or(false), expected, "{account}");
    }
}

#[tokio::test]
async fn the_password_of_somebody_who_failed_leaves_the_staging_area_and_the_reason_stays() {
    let (workspace, service) = served().await;
    workspace.add_user(user("ann")).await;
    service
        .stage(&[
            json!({ "importIds": ["1"], "emails": ["ann@corp.example"], "username": "ann", "password": "s3cret" }),
        ])
        .await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let has_password = async || workspace.staged_data().await[0].contains_key("password");
    assert!(has_password().await, "there is time to correct the user");

    let settings = [("MONGO_URL", workspace.url.as_str()), ("PORT", "0"), ("FAILED_PASSWORD_HOURS", "0")];
    let _other = Service::start(&settings).await;
    eventually("the password is gone", std::time::Duration::from_secs(20), async || !has_password().await).await;
    let failed = &workspace.staged().await[0];
    let reason = failed.get_array("errors").unwrap()[0].as_document().unwrap().get_str("message").unwrap();
    assert!(reason.contains("ann"), "{reason}");
}
