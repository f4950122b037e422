//! Files behind a proxy that takes no large bodies.

use std::{iter::repeat_n, time::Duration};

use bson::doc;

use crate::{
    browser::Browser,
    exports::csv_zip,
    harness::{Service, Workspace, eventually},
    page::set_up,
    proxy::Proxy,
};

/// The default of nginx.
const LIMIT: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);
const FILES: &str = "rocketchat_import_service_files.files";
const CHUNKS: &str = "rocketchat_import_service_files.chunks";

/// The same as [`crate::page::set_up_signed_in`], with a proxy between the page and the service that takes so many bytes.
async fn set_up_behind(limit: usize) -> Option<(Workspace, Service, Browser, Proxy)> {
    let (workspace, service, browser) = set_up().await?;
    let proxy = Proxy::narrow(&service.address, limit).await;
    browser.open_page_at(&proxy.address).await;
    browser.sign_in("admin", "admin-token").await;
    browser.shown("#dashboard").await;
    browser.shown("#state").await;
    Some((workspace, service, browser, proxy))
}

/// A CSV file of people with a `bio` of so many letters each.
fn with_bios(bios: impl IntoIterator<Item = usize>) -> String {
    let rows = bios
        .into_iter()
        .enumerate()
        .map(|(number, letters)| format!("{number},user{number}@corp.example,user{number},{}\n", "x".repeat(letters)));
    "importIds,emails,username,bio\n".to_owned() + &rows.collect::<String>()
}

async fn nothing_is_left(workspace: &Workspace) {
    eventually("no upload is left", PATIENCE, async || {
        let count = async |name| workspace.collection(name).count_documents(doc! {}).await.unwrap();
        (count(FILES).await, count(CHUNKS).await) == (0, 0)
    })
    .await;
}

#[tokio::test]
async fn a_file_above_the_limit_of_a_proxy_is_checked_in_pieces_staged_in_halves_and_run() {
    let Some((workspace, service, browser, proxy)) = set_up_behind(LIMIT).await else { return };
    let _file = browser.choose_file(".csv", with_bios(repeat_n(3000, 500))).await;
    browser.says("#file-good", "500 users, nothing wrong.").await;
    browser.says("#file-warnings", "was sent in pieces").await;
    browser.says("#file-warnings", "client_max_body_size").await;
    assert!(!browser.is_shown("#file-bad").await);
    assert!(proxy.troubled() > 0, "the file is above the limit");
    nothing_is_left(&workspace).await;
    assert!(workspace.operations().await.is_empty(), "a check begins nothing");

    browser.click("#send").await;
    browser.says("#file-good", "500 users staged").await;
    browser.says("#file-good", "client_max_body_size").await;
    assert_eq!(workspace.count_staged().await, 500);
    browser.click("#run").await;
    service.wait_for_state("done").await;
    assert_eq!(workspace.count_imported().await, 500);
}

#[tokio::test]
async fn a_user_who_is_above_the_limit_alone_is_named() {
    let Some((workspace, _service, browser, _proxy)) = set_up_behind(LIMIT / 4).await else { return };
    let mut bios = vec![3000; 100];
    bios[70] = LIMIT / 4;
    let _file = browser.choose_file(".csv", with_bios(bios)).await;
    browser.says("#send", "Stage 100 users").await;
    browser.click("#send").await;
    browser.says("#send-error", "The user user70 alone is larger").await;
    browser.says("#send-error", "client_max_body_size").await;
    nothing_is_left(&workspace).await;
}

#[tokio::test]
async fn an_upload_for_a_check_is_removed_when_another_file_is_chosen_meanwhile() {
    let Some((workspace, _service, browser, _proxy)) = set_up_behind(100 * 1024).await else { return };
    let _large = browser.choose_file(".csv", with_bios(repeat_n(3000, 5000))).await;
    browser.says("#file-checking", "of 15").await;
    let _small = browser.choose_file(".csv", with_bios([10])).await;
    browser.says("#file-good", "1 user, nothing wrong.").await;
    nothing_is_left(&workspace).await;
}

#[tokio::test]
async fn a_proxy_that_takes_no_piece_either_is_answered_with_what_to_do() {
    let Some((workspace, _service, browser, _proxy)) = set_up_behind(1000).await else { return };
    let _file = browser.choose_file(".csv", with_bios(repeat_n(100, 100))).await;
    browser.says("#file-bad", "A proxy before the server takes no file of").await;
    for way_out in
        ["client_max_body_size", "the command line, which sends in parts", "each part needs the line of column names"]
    {
        browser.says("#file-bad", way_out).await;
    }
    nothing_is_left(&workspace).await;
    let _file = browser.choose_file(".csv", with_bios([10])).await;
    browser.says("#file-good", "1 user, nothing wrong.").await;
}

#[tokio::test]
async fn an_export_goes_through_a_narrow_proxy_in_smaller_pieces() {
    let Some((_workspace, _service, browser, proxy)) = set_up_behind(100 * 1024).await else { return };
    let file = csv_zip(3, 2, 600_000);
    browser.choose_export(file.path().to_str().unwrap()).await;
    browser.click("#export-send").await;
    browser.says("#state", "Ready").await;
    assert!((1..=4).contains(&proxy.troubled()), "the page goes on with what got through");
}
