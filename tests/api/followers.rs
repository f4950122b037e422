//! What followers cost: the database one change stream, and each other nothing.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bson::{Document, doc};
use futures::{TryStreamExt as _, future::join_all};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::harness::{Workspace, eventually, operation, served, states};

const STREAM: &str = "/api/v1/import.status.stream";
const OPERATIONS: &str = "rocketchat_import";
const PATIENCE: Duration = Duration::from_secs(30);

/// Cursors of change streams that are open on this workspace.
async fn change_streams(workspace: &Workspace) -> usize {
    let name = format!("{}.{OPERATIONS}", workspace.database.name());
    let pipeline = [
        doc! { "$currentOp": { "allUsers": true, "idleCursors": true } },
        doc! { "$match": { "ns": name, "cursor": { "$exists": true } } },
    ];
    let admin = workspace.database.client().database("admin");
    let cursors: Vec<Document> = admin.aggregate(pipeline).await.unwrap().try_collect().await.unwrap();
    let ids: BTreeSet<String> = cursors
        .iter()
        .filter(|operation| operation.to_string().contains("$changeStream"))
        .map(|operation| operation.get_document("cursor").unwrap().get("cursorId").unwrap().to_string())
        .collect();
    ids.len()
}

#[tokio::test]
async fn fifty_followers_cost_the_database_one_change_stream() {
    let (workspace, service) = served().await;
    workspace.add_operation(operation("one")).await;
    assert_eq!(change_streams(&workspace).await, 0, "nobody follows");
    let mut followers = join_all((0..50).map(|_| service.events())).await;
    workspace.change_operation("one", doc! { "status": "importer_done" }).await;
    for followed in &mut followers {
        followed.until(|event| event.state() == "done").await;
    }
    assert_eq!(change_streams(&workspace).await, 1);
}

/// So many that each hears less often.
const MANY: u32 = 120;
/// The time in which each of so many hears of one change that is not one of state.
const REST: Duration = Duration::from_millis(120);

#[tokio::test]
async fn many_followers_are_each_told_less_often_but_of_every_state_and_the_last_numbers() {
    let (workspace, service) = served().await;
    workspace.add_operation(operation("one").with("status", "importer_user_selection")).await;
    let mut followers = join_all((0..MANY).map(|_| service.events())).await;
    let began = Instant::now();
    let following = join_all(followers.iter_mut().map(|events| events.until(|event| event.count("completed") == 300)));
    let importing = async {
        for round in 0..=300 {
            workspace
                .change_operation("one", doc! { "count.completed": round, "status": "importer_importing_users" })
                .await;
        }
        began.elapsed()
    };
    let (seen, took) = tokio::join!(following, importing);
    let rests = began.elapsed().as_millis().div_ceil(REST.as_millis());
    for events in &seen {
        assert!(events.is_sorted_by_key(|event| event.count("completed")), "{events:?}");
        assert_eq!(states(events), ["ready", "importing"]);
        let most = rests + 3;
        assert!(events.len() as u128 <= most, "{} events, {most} at most; 301 changes in {took:?}", events.len());
    }
    // A change of state does not wait until it is anybody's turn.
    workspace.change_operation("one", doc! { "status": "importer_done" }).await;
    for events in &mut followers {
        assert_eq!(events.next().await.state(), "done");
    }
}

#[tokio::test]
async fn a_follower_that_does_not_read_holds_up_nobody_and_finds_the_newest() {
    let (workspace, service) = served().await;
    // Large, so that what is on its way fills the buffers between the two soon.
    let large = operation("one").with("text", "x".repeat(50_000)).with("status", "importer_user_selection");
    workspace.add_operation(large).await;
    let mut slow = service.connect().await.unwrap();
    let request = format!("GET {STREAM} HTTP/1.1\r\nHost: x\r\nX-User-Id: admin\r\nX-Auth-Token: admin-token\r\n\r\n");
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 4096];
    slow.read_exact(&mut first).await.unwrap();
    let mut quick = service.events().await;
    let states = ["importer_importing_users", "importer_done"];
    for round in 0..400 {
        workspace
            .change_operation("one", doc! { "count.completed": round, "status": states[usize::from(round >= 200)] })
            .await;
    }
    quick.until(|event| event.count("completed") == 399).await;
    let mut text = String::from_utf8_lossy(&first).into_owned();
    let mut piece = vec![0; 1 << 20];
    while !text.contains(r#""completed":399"#) {
        let length = timeout(PATIENCE, slow.read(&mut piece)).await.unwrap().unwrap();
        assert!(length > 0, "the stream has ended");
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    let events = text.matches("event: status").count();
    assert!(events < 350, "{events} events were kept for it");
    let seen: Vec<usize> = ["ready", "importing", "done"]
        .map(|state| text.find(&format!(r#""state":"{state}""#)).unwrap_or_else(|| panic!("{state} is missing")))
        .into();
    assert!(seen.is_sorted(), "{seen:?}");
}

#[tokio::test]
async fn without_followers_the_database_is_left_alone_after_a_while() {
    let (workspace, service) = served().await;
    let mut events = service.events().await;
    events.next().await;
    assert_eq!(change_streams(&workspace).await, 1);
    drop(events);
    eventually("the change stream is closed", Duration::from_secs(120), async || change_streams(&workspace).await == 0)
        .await;
}
