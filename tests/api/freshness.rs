//! An answer is never older than the database was when the request came in.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use bson::{Document, doc};
use futures::future::join_all;
use mongodb::{Collection, options::CollectionOptions, options::WriteConcern};
use serde_json::json;

use crate::harness::{Service, Workspace, operation, user, workspace};

const ROUNDS: i64 = 200;
const POLLERS: usize = 8;

/// The collection, written as the round has it: half of all writes wait for a majority, half for one member only.
fn written_as(workspace: &Workspace, name: &str, round: i64) -> Collection<Document> {
    let concern = if round % 2 == 0 { WriteConcern::majority() } else { WriteConcern::nodes(1) };
    let options = CollectionOptions::builder().write_concern(concern).build();
    workspace.database.collection_with_options(name, options)
}

async fn set_completed(workspace: &Workspace, round: i64) {
    written_as(workspace, "rocketchat_import", round)
        .update_one(doc! { "_id": "one" }, doc! { "$set": { "count.completed": round } })
        .await
        .unwrap();
}

async fn completed_seen_by(service: &Service) -> i64 {
    let answer = service.status().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["operation"]["count"]["completed"].as_i64().unwrap()
}

#[tokio::test]
async fn progress_written_before_a_request_is_in_its_answer_from_each_of_two_services() {
    let workspace = workspace().await;
    workspace.add_operation(operation("one")).await;
    let services = [workspace.serve().await, workspace.serve().await];
    for round in 0..ROUNDS {
        set_completed(&workspace, round).await;
        for seen in join_all(services.iter().map(completed_seen_by)).await {
            assert_eq!(seen, round);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_pollers_never_see_less_than_was_written_before_they_asked() {
    let workspace = workspace().await;
    workspace.add_operation(operation("one")).await;
    set_completed(&workspace, 0).await;
    let services = [Arc::new(workspace.serve().await), Arc::new(workspace.serve().await)];
    let written = Arc::new(AtomicI64::new(0));
    let over = Arc::new(AtomicBool::new(false));

    let pollers: Vec<_> = (0..POLLERS)
        .map(|number| {
            let (service, written, over) =
                (Arc::clone(&services[number % services.len()]), Arc::clone(&written), Arc::clone(&over));
            tokio::spawn(async move {
                let mut asked = 0;
                while asked == 0 || !over.load(Ordering::Acquire) {
                    let at_least = written.load(Ordering::Acquire);
                    let seen = completed_seen_by(&service).await;
                    assert!(seen >= at_least, "saw {seen} after {at_least} was written");
                    asked += 1;
                }
            })
        })
        .collect();
    for round in 1..=ROUNDS {
        set_completed(&workspace, round).await;
        written.store(round, Ordering::Release);
    }
    over.store(true, Ordering::Release);
    for poller in pollers {
        poller.await.unwrap();
    }
}

#[tokio::test]
async fn a_new_operation_takes_the_place_of_the_one_before_at_once() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for round in 0..ROUNDS {
        let id = round.to_string();
        let new = operation(&id).with("ts", bson::DateTime::from_millis(round)).document();
        written_as(&workspace, "rocketchat_import", round).insert_one(new).await.unwrap();
        assert_eq!(service.status().await.json()["operation"]["_id"], json!(id));
    }
}

#[tokio::test]
async fn a_token_counts_exactly_as_long_as_it_is_stored() {
    let workspace = workspace().await;
    let with_token = user("poller").admin().with_token("token").document();
    let tokens = with_token.get_document("services").unwrap().clone();
    workspace.add_user(user("poller").admin()).await;
    let services = [workspace.serve().await, workspace.serve().await];
    for round in 0..ROUNDS {
        let users = written_as(&workspace, "users", round / 2);
        let (change, expected) = if round % 2 == 0 {
            (doc! { "$set": { "services": tokens.clone() } }, 200)
        } else {
            (doc! { "$set": { "services.resume.loginTokens": [] } }, 401)
        };
        users.update_one(doc! { "_id": "poller" }, change).await.unwrap();
        for answer in join_all(services.iter().map(|service| service.status_as("poller", "token"))).await {
            assert_eq!(answer.status, expected, "round {round}");
        }
    }
}

#[tokio::test]
async fn a_role_counts_exactly_as_long_as_it_is_held() {
    let workspace = workspace().await;
    workspace.add_user(user("poller").with_token("token")).await;
    let services = [workspace.serve().await, workspace.serve().await];
    for round in 0..ROUNDS {
        let users = written_as(&workspace, "users", round / 2);
        let (change, expected) = if round % 2 == 0 {
            (doc! { "$set": { "roles": ["admin"] } }, 200)
        } else {
            (doc! { "$set": { "roles": ["user"] } }, 403)
        };
        users.update_one(doc! { "_id": "poller" }, change).await.unwrap();
        for answer in join_all(services.iter().map(|service| service.status_as("poller", "token"))).await {
            assert_eq!(answer.status, expected, "round {round}");
        }
    }
}
