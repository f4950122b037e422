//! Passwords for people who get an account and have none.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use bson::doc;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::{TempDir, tempdir};

use super::{
    File, call, csv_of,
    proxy::{Fate, Proxy},
    summary,
};
use crate::harness::{Service, Workspace, eventually, program, served, user};

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
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "one of new people, and two of dee who failed");
}

#[tokio::test]
async fn the_password_of_somebody_who_failed_is_in_a_file_of_its_own_and_holds_once_the_account_is_made() {
    let (workspace, service) = served().await;
    workspace.add_user(user("ann").with("emails", vec![doc! { "address": "other@corp.example" }])).await;
    let file = File::new("people.csv", "username,emails,importIds\nann,ann@corp.example,1\nbob,bob@corp.example,2\n");
    let folder = tempdir().unwrap();
    let (out, failed) = (folder.path().join("passwords.csv"), folder.path().join("passwords.csv.failed"));
    let arguments = ["users", file.path(), "--run", "--json", "--passwords-out", out.to_str().unwrap()];
    let finished = call(&service.address, &arguments).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let told = summary(&finished);
    assert_eq!((&told["passwords"], &told["failedPasswords"]), (&json!(1), &json!(1)), "{told}");
    assert!(finished.errors.contains("if import.resume makes the account"), "{finished:?}");
    assert_eq!(passwords(&out)[0].0, "bob");
    assert_eq!(fs::metadata(&failed).unwrap().permissions().mode() & 0o777, OWNER_ALONE);
    let made = passwords(&failed);
    assert_eq!((made.len(), made[0].0.as_str()), (1, "ann"));

    workspace.collection("users").delete_one(doc! { "_id": "ann" }).await.unwrap();
    assert_eq!(service.post("/api/v1/import.resume", &json!({})).await.status, 200);
    service.run_import().await;
    service.wait_for_state("done").await;
    assert_can_log_in(&workspace, &made[0]).await;

    fs::remove_file(&out).unwrap();
    let again = call(&service.address, &arguments).await;
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.errors.contains("passwords.csv.failed is there already"), "{again:?}");
}

#[tokio::test]
async fn the_receipt_as_csv_marks_the_rows_of_new_accounts_without_a_password_and_no_others() {
    let (workspace, service) = served().await;
    for name in ["cid", "dee"] {
        let emails = vec![doc! { "address": format!("{name}@corp.example"), "verified": true }];
        workspace.add_user(user(name).with("emails", emails)).await;
    }
    let people = "username,emails,importIds,password\n\
                  ann,ann@corp.example,1,\nbob,bob@corp.example,2,own-secret\ncid,cid@corp.example,3,\n\
                  dee,other@corp.example,4,\nfay,fay@corp.example,5,\n";
    let file = File::new("people.csv", people);
    let finished = call(&service.address, &["users", file.path(), "--run", "--on-existing", "link"]).await;
    assert_eq!(finished.code, Some(1), "the name of dee is another person's: {finished:?}");
    let receipt = call(&service.address, &["receipt"]).await;
    assert_eq!(receipt.code, Some(0), "{receipt:?}");
    let mut rows = csv::Reader::from_reader(receipt.output.trim_start_matches('\u{feff}').as_bytes());
    let header = rows.headers().unwrap().clone();
    let place = |column: &str| header.iter().position(|name| name == column).unwrap();
    let columns = ["importIds", "outcome", "withoutPassword"].map(place);
    let rows: Vec<[String; 3]> =
        rows.records().map(|row| row.unwrap()).map(|row| columns.map(|column| row[column].to_owned())).collect();
    let expected = [
        ["1", "created", "true"],
        ["2", "created", ""],
        ["3", "linked", ""],
        ["4", "failed", ""],
        ["5", "created", "true"],
    ];
    assert_eq!(rows, expected.map(|row| row.map(str::to_owned)), "{receipt:?}");
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

const PATIENCE: Duration = Duration::from_secs(60);
const ADD_USERS: &str = "/api/v1/import.addUsers";

/// Begins a command that is going to be killed.
fn begin(url: &str, arguments: &[&str]) -> Child {
    let settings = [("ROCKETCHAT_URL", url), ("ROCKETCHAT_USER_ID", "admin"), ("ROCKETCHAT_AUTH_TOKEN", super::TOKEN)];
    program(arguments, &settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn kill(mut command: Child) {
    command.kill().unwrap();
    command.wait().unwrap();
}

/// Calls that make passwords for the people of one file.
struct Making {
    file: File,
    _folder: TempDir,
    out: PathBuf,
}

impl Making {
    fn of(people: &str) -> Self {
        let folder = tempdir().unwrap();
        Self { file: File::new("people.csv", people), out: folder.path().join("passwords.csv"), _folder: folder }
    }

    fn arguments(&self) -> Vec<&str> {
        vec!["users", self.file.path(), "--run", "--json", "--passwords-out", self.out.to_str().unwrap()]
    }

    /// Begins the call and kills it as soon as the import is in one of these states.
    async fn killed_in(&self, states: &[&str], service: &Service) {
        let command = begin(&service.address, &self.arguments());
        let is_there = async || {
            let answer = service.status().await.json();
            answer["state"].as_str().is_some_and(|state| states.contains(&state))
        };
        eventually("the run begins", PATIENCE, is_there).await;
        kill(command);
    }
}

fn unfinished(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".unfinished");
    name.into()
}

/// The file holds the passwords with which so many people can log in, for its owner alone, and no other file is there.
async fn assert_passwords(workspace: &Workspace, out: &Path, people: usize) {
    assert_eq!(fs::metadata(out).unwrap().permissions().mode() & 0o777, OWNER_ALONE);
    assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 1, "the unfinished file is gone");
    let made = passwords(out);
    assert_eq!(made.len(), people);
    for row in made.iter().step_by(7) {
        assert_can_log_in(workspace, row).await;
    }
}

/// The password of the file is that of the account.
async fn assert_can_log_in(workspace: &Workspace, (name, password): &(String, String)) {
    let account = workspace.collection("users").find_one(doc! { "username": name }).await.unwrap().unwrap();
    let services = account.get_document("services").unwrap();
    let bcrypt = services.get_document("password").unwrap().get_str("bcrypt").unwrap();
    let digest = format!("{:x}", Sha256::digest(password));
    assert!(bcrypt::verify(digest, bcrypt).unwrap(), "{name}");
}

#[tokio::test]
async fn a_call_that_was_killed_during_the_run_goes_on_with_the_same_import_and_the_same_passwords() {
    let (workspace, service) = served().await;
    let making = Making::of(&csv_of(0..80));
    making.killed_in(&["importing"], &service).await;
    let (out, arguments) = (&making.out, making.arguments());
    assert!(!out.exists(), "the outcome is not known");
    assert_eq!(fs::metadata(unfinished(out)).unwrap().permissions().mode() & 0o777, OWNER_ALONE);

    let again = call(&service.address, &arguments).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.errors.contains("going on with operation"), "{again:?}");
    let summary = summary(&again);
    assert_eq!((&summary["passwords"], &summary["run"]["created"]), (&json!(80), &json!(80)), "{summary}");
    assert_eq!(workspace.operations().await.len(), 1, "no second import");
    assert_passwords(&workspace, out, 80).await;
    assert_eq!(call(&service.address, &arguments).await.code, Some(2), "a whole file is never written over");
}

#[tokio::test]
async fn a_call_that_was_killed_before_the_run_goes_on_where_it_was() {
    let (workspace, service) = served().await;
    let proxy =
        Proxy::before(&service.address, ADD_USERS, |n| if n < 2 { Fate::Passed } else { Fate::RequestLost }).await;
    let making = Making::of(&csv_of(0..40));
    let (out, arguments) = (&making.out, [&making.arguments()[..], &["--batch", "10"]].concat());
    let command = begin(&proxy.address, &arguments);
    eventually("a batch is lost", PATIENCE, async || proxy.troubled() > 0).await;
    kill(command);
    assert_eq!(workspace.count_staged().await, 20);
    let staged = workspace.staged_data().await[0].get_str("password").unwrap().to_owned();

    let again = call(&service.address, &arguments).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(summary(&again)["staged"], json!(40), "{again:?}");
    assert_eq!(workspace.operations().await.len(), 1, "no second import");
    assert_passwords(&workspace, out, 40).await;
    assert!(passwords(out).iter().any(|(_, password)| *password == staged), "nobody got a second password");
}

#[tokio::test]
async fn the_passwords_of_a_run_that_nobody_followed_are_written_down_also_after_another_import() {
    let (workspace, service) = served().await;
    let making = Making::of(&csv_of(0..20));
    making.killed_in(&["importing", "done"], &service).await;
    let (out, arguments) = (&making.out, making.arguments());
    service.wait_for_state("done").await;
    // The command may have been faster than its end.
    if !out.exists() {
        service.new_import().await;
        let again = call(&service.address, &arguments).await;
        assert_eq!(again.code, Some(0), "{again:?}");
        assert_eq!((&summary(&again)["staged"], &summary(&again)["passwords"]), (&json!(0), &json!(20)), "{again:?}");
    }
    assert_passwords(&workspace, out, 20).await;
}

#[tokio::test]
async fn somebody_of_whom_the_check_says_that_he_fails_and_who_gets_an_account_all_the_same_is_in_the_file() {
    let (workspace, service) = served().await;
    workspace.add_user(user("ann").with("emails", vec![doc! { "address": "other@corp.example" }])).await;
    let proxy =
        Proxy::before(&service.address, ADD_USERS, |n| if n < 3 { Fate::RequestLost } else { Fate::Passed }).await;
    let people = "username,emails,importIds\nann,ann@corp.example,1\nadmin,somebody.else@corp.example,2\nbob,bob@corp.example,3\n";
    workspace.update("users", "admin", doc! { "$set": { "emails": [{ "address": "admin@corp.example" }] } }).await;
    let making = Making::of(people);
    let (out, arguments) = (&making.out, making.arguments());
    let goes = async {
        eventually("the check is over", PATIENCE, async || proxy.troubled() > 0).await;
        workspace.collection("users").delete_one(doc! { "_id": "ann" }).await.unwrap();
    };
    let (finished, ()) = tokio::join!(call(&proxy.address, &arguments), goes);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let summary = summary(&finished);
    assert_eq!((&summary["check"]["failed"], &summary["run"]["failed"]), (&json!(2), &json!(1)), "{summary}");
    let names: Vec<String> = passwords(out).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["ann", "bob"], "who failed is not among them");
}

#[tokio::test]
async fn a_nightly_file_gives_people_who_are_there_their_passwords_once_where_that_is_named() {
    let (workspace, service) = served().await;
    for name in ["ann", "bob"] {
        let person =
            user(name).with("emails", vec![doc! { "address": format!("{name}@corp.example"), "verified": true }]);
        workspace.add_user(person.with("importIds", vec![name])).await;
    }
    let people = "username,emails,importIds,password\nann,ann@corp.example,ann,a secret\nbob,bob@corp.example,bob,\n";
    let file = File::new("people.csv", people);
    let folder = tempdir().unwrap();
    let out = folder.path().join("passwords.csv");
    let night = async |more: &[&str]| {
        let mut arguments =
            vec!["users", file.path(), "--json", "--on-existing", "update", "--also-update", "password"];
        arguments.extend(more);
        call(&service.address, &arguments).await
    };
    let refused = night(&["--run", "--passwords-out", out.to_str().unwrap()]).await;
    assert_eq!(refused.code, Some(2), "Bob would get a made one: {refused:?}");
    assert!(refused.errors.contains("leave one of the two out") && !out.exists(), "{refused:?}");

    let refused = night(&["--check"]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.errors.contains("takes run-import and edit-other-user-password"), "{refused:?}");
    workspace.grant("edit-other-user-password", &["admin"]).await;
    let checked = night(&["--check"]).await;
    assert_eq!(summary(&checked)["check"]["updated"], 1, "{checked:?}");
    let first = night(&["--run"]).await;
    assert_eq!((first.code, &summary(&first)["run"]["updated"]), (Some(0), &json!(1)), "{first:?}");
    assert_can_log_in(&workspace, &("ann".to_owned(), "a secret".to_owned())).await;
    let before = workspace.collection("users").find_one(doc! { "_id": "ann" }).await.unwrap();
    let second = night(&["--run"]).await;
    assert_eq!((second.code, &summary(&second)["staged"]), (Some(0), &json!(0)), "{second:?}");
    assert_eq!(workspace.collection("users").find_one(doc! { "_id": "ann" }).await.unwrap(), before);
}

#[tokio::test]
async fn the_made_password_of_somebody_whose_account_stood_in_for_him_is_written_down() {
    let (workspace, service) = served().await;
    let stand_in = user("ann").with("importIds", vec!["1"]).with("active", false).with("importPlaceholder", true);
    workspace.add_user(stand_in).await;
    let file = File::new("people.csv", "username,emails,importIds\nann,ann@corp.example,1\n");
    let folder = tempdir().unwrap();
    let out = folder.path().join("passwords.csv");
    let finished =
        call(&service.address, &["users", file.path(), "--run", "--passwords-out", out.to_str().unwrap()]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let made = passwords(&out);
    assert_eq!(made.len(), 1, "{finished:?}");
    assert_can_log_in(&workspace, &made[0]).await;
}
