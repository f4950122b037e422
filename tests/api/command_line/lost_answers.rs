//! A network that loses requests and answers: everybody is staged once, and run once.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::{
    File, call, csv_of, operation_count,
    proxy::{Fate, Proxy, Seems},
};
use crate::harness::{eventually, served, staged_user};

const ADD_USERS: &str = "/api/v1/import.addUsers";
const TOO_MANY: &str =
    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Imports 50 users in batches of 10 over a proxy with this temper, and sees them all, each once, whichever server the
/// program believes to speak to.
async fn assert_exact(path: &'static str, fate: impl Fn(usize) -> Fate + Copy + Send + Sync + 'static) {
    tokio::join!(assert_exact_with(Seems::ThisService, path, fate), assert_exact_with(Seems::RocketChat, path, fate));
}

async fn assert_exact_with(seems: Seems, path: &'static str, fate: impl Fn(usize) -> Fate + Send + Sync + 'static) {
    let (workspace, service) = served().await;
    let proxy = Proxy::disguised(&service.address, seems, path, fate).await;
    let file = File::new("users.csv", csv_of(0..50));
    let staged = call(&proxy.address, &["users", file.path(), "--batch", "10"]).await;
    if path == ADD_USERS {
        assert_eq!(staged.code, Some(0), "{staged:?}");
        eventually("what is late arrives", Duration::from_secs(10), async || proxy.troubled() > 0).await;
        let names: Vec<String> =
            workspace.staged_data().await.iter().map(|user| user.get_str("username").unwrap().to_owned()).collect();
        assert_eq!(names.len(), 50);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 50);
    }
    let ran = call(&proxy.address, &["users", file.path(), "--batch", "10", "--run", "--replace=staged"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(proxy.troubled() > 0, "nothing was lost");
    assert_eq!(workspace.count_imported().await, 50);
    workspace.left_staged(0).await;
}

#[tokio::test]
async fn nobody_is_staged_twice_when_the_answer_is_lost() {
    assert_exact(ADD_USERS, |n| if n % 5 == 1 { Fate::AnswerLost } else { Fate::Passed }).await;
}

#[tokio::test]
async fn nobody_is_missing_when_the_request_is_lost() {
    assert_exact(ADD_USERS, |n| if n == 2 { Fate::RequestLost } else { Fate::Passed }).await;
}

#[tokio::test]
async fn nobody_is_staged_twice_when_the_request_arrives_after_the_connection_broke() {
    assert_exact(ADD_USERS, |n| if n == 2 { Fate::Late(Duration::from_secs(2)) } else { Fate::Passed }).await;
}

#[tokio::test]
async fn a_request_that_arrives_much_later_than_its_repetition_stages_nobody_twice() {
    let (workspace, service) = served().await;
    let late = |n| if n == 2 { Fate::Late(Duration::from_secs(8)) } else { Fate::Passed };
    let proxy = Proxy::before(&service.address, ADD_USERS, late).await;
    let file = File::new("users.csv", csv_of(0..50));
    let begun = Instant::now();
    let staged = call(&proxy.address, &["users", file.path(), "--batch", "10"]).await;
    assert_eq!(staged.code, Some(0), "{staged:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "nothing has to be waited for: {staged:?}");
    assert_eq!(workspace.count_staged().await, 50);
    eventually("what is late arrives", Duration::from_secs(20), async || proxy.troubled() > 0).await;
    assert_eq!(workspace.count_staged().await, 50);
    assert_eq!(operation_count(&service, "users").await, 50);
}

#[tokio::test]
async fn users_whose_answer_was_lost_are_not_put_into_an_import_that_somebody_else_began() {
    let (workspace, service) = served().await;
    let lost = |n| if n == 1 { Fate::Late(Duration::from_secs(1)) } else { Fate::Passed };
    let proxy = Proxy::before(&service.address, ADD_USERS, lost).await;
    let file = File::new("users.csv", csv_of(0..20));
    let arguments = ["users", file.path(), "--batch", "10", "--run"];
    let somebody_else = async {
        let patience = Duration::from_secs(20);
        eventually("the first batch is staged", patience, async || workspace.count_staged().await >= 10).await;
        service.new_import().await;
    };
    let (finished, ()) = tokio::join!(call(&proxy.address, &arguments), somebody_else);
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.errors.contains("somebody else began another import"), "{finished:?}");
    assert_eq!(workspace.count_imported().await, 0);
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_waited_for() {
    assert_exact(ADD_USERS, |n| if n % 4 == 1 { Fate::Answered(TOO_MANY) } else { Fate::Passed }).await;
}

#[tokio::test]
async fn a_gateway_without_its_server_is_asked_again() {
    assert_exact(ADD_USERS, |n| if n == 1 { Fate::Answered(BAD_GATEWAY) } else { Fate::Passed }).await;
}

#[tokio::test]
async fn a_run_whose_answer_was_lost_is_followed_and_not_started_again() {
    assert_exact("/api/v1/import.run", |n| if n == 0 { Fate::AnswerLost } else { Fate::Passed }).await;
}

#[tokio::test]
async fn users_staged_by_somebody_else_meanwhile_keep_the_import_from_being_run() {
    let (workspace, service) = served().await;
    let address = service.address.clone();
    let proxy =
        Proxy::before(&address, ADD_USERS, |n| if n == 1 { Fate::Late(Duration::from_secs(1)) } else { Fate::Passed })
            .await;
    let file = File::new("users.csv", csv_of(0..20));
    let arguments = ["users", file.path(), "--batch", "10", "--run"];
    let command = call(&proxy.address, &arguments);
    let somebody_else = async {
        eventually("the first batch is staged", Duration::from_secs(20), async || workspace.count_staged().await >= 10)
            .await;
        service.add_users(&[staged_user(1000)]).await;
    };
    let (finished, ()) = tokio::join!(command, somebody_else);
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.errors.contains("nothing was run"), "{finished:?}");
    assert_eq!(workspace.count_imported().await, 0);
}
