//! Checks against the workspace behind a proxy that takes no large bodies: the whole list is checked at once all the same.

use bson::{bson, doc};
use serde_json::{Value, json};

use super::{File, call, proxy::Proxy, summary};
use crate::harness::{Workspace, served, user};

/// The default of nginx.
const MIB: usize = 1024 * 1024;
const UPLOADS: &str = "rocketchat_import_service_files.files";

/// So many rows of about three kilobytes.
fn long_rows(numbers: impl Iterator<Item = usize>) -> String {
    let biography = "x".repeat(3000);
    let row = |number| format!("user{number},user{number}@x.io,{number},{biography}\n");
    numbers.map(row).collect::<Vec<String>>().concat()
}

/// A list of more than a mebibyte, whose last users are the twins of the first ones.
fn list_with_twins() -> String {
    let twins = "TWIN,other@x.io,10001,\nlast,EVE@x.io,10002,\n";
    let first = "twin,new@x.io,10003,\nfirst,eve@x.io,10004,\n";
    format!("username,emails,importIds,bio\n{first}{}{twins}", long_rows(0..1200))
}

async fn add_twin(workspace: &Workspace) {
    let emails = bson!([{ "address": "somebody@x.io", "verified": true }]);
    workspace.add_user(user("twin").with("emails", emails)).await;
}

async fn uploads(workspace: &Workspace) -> u64 {
    workspace.database.collection::<bson::Document>(UPLOADS).count_documents(doc! {}).await.unwrap()
}

#[tokio::test]
async fn twins_at_both_ends_of_a_list_are_foreseen_as_the_run_treats_them() {
    let (workspace, service) = served().await;
    add_twin(&workspace).await;
    let file = File::new("users.csv", list_with_twins());
    let proxy = Proxy::narrow(&service.address, MIB).await;
    let arguments = |way: &'static str| ["users", file.path(), way, "--json", "--on-username-taken", "suffix"];
    let straight = call(&service.address, &arguments("--check")).await;
    let checked = call(&proxy.address, &arguments("--check")).await;
    assert!(proxy.troubled() > 0, "the proxy refused nothing: {checked:?}");
    assert_eq!(summary(&checked)["check"], summary(&straight)["check"], "{checked:?}");
    assert_eq!(summary(&straight)["check"]["created"], json!(1203), "{straight:?}");
    assert!(!checked.errors.contains("half"), "{checked:?}");
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));
    assert_eq!(uploads(&workspace).await, 0, "the upload is removed");

    let ran = call(&proxy.address, &arguments("--run")).await;
    let (run, check) = (&summary(&ran)["run"], &summary(&checked)["check"]);
    let outcomes = |counts: &Value| ["created", "linked", "updated", "failed"].map(|outcome| counts[outcome].clone());
    assert_eq!(outcomes(run), outcomes(check), "{ran:?}");
}

#[tokio::test]
async fn a_user_who_is_larger_than_what_the_proxy_takes_is_named_before_anything_is_staged() {
    let (workspace, service) = served().await;
    let large = format!("large,large@x.io,10001,{}\n", "x".repeat(MIB));
    let file = File::new("users.csv", format!("username,emails,importIds,bio\n{}{large}", long_rows(0..300)));
    let proxy = Proxy::narrow(&service.address, MIB).await;
    for way in ["--check", "--run"] {
        let alone = call(&proxy.address, &["users", file.path(), way]).await;
        assert_eq!(alone.code, Some(3), "{alone:?}");
        assert!(alone.errors.contains("the user of line 302 alone makes a request of"), "{alone:?}");
        assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0), "{way}");
    }
    assert_eq!(uploads(&workspace).await, 0, "the upload is removed");
}

#[tokio::test]
async fn a_service_that_takes_no_uploads_for_a_check_is_sent_smaller_parts() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", format!("username,emails,importIds,bio\n{}", long_rows(0..500)));
    let proxy = Proxy::narrow_before_older(&service.address, MIB).await;
    let checked = call(&proxy.address, &["users", file.path(), "--check", "--json"]).await;
    assert_eq!((checked.code, &summary(&checked)["check"]["created"]), (Some(0), &json!(500)), "{checked:?}");
    assert!(checked.errors.contains("going on with half of that"), "{checked:?}");
    assert_eq!(uploads(&workspace).await, 0);
}

#[tokio::test]
async fn a_proxy_that_takes_next_to_nothing_takes_the_parts_of_a_check_all_the_same() {
    let (_workspace, service) = served().await;
    let file = File::new("users.csv", format!("username,emails,importIds,bio\n{}", long_rows(0..60)));
    let proxy = Proxy::narrow(&service.address, 20_000).await;
    let checked = call(&proxy.address, &["users", file.path(), "--check", "--json"]).await;
    assert_eq!((checked.code, &summary(&checked)["check"]["created"]), (Some(0), &json!(60)), "{checked:?}");
}
