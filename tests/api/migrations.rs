//! Changes of the database by migrations, and what they leave alone.

use std::collections::BTreeMap;

use bson::{DateTime, Document, doc};
use futures::TryStreamExt as _;

use crate::harness::{Finished, Mongo, Workspace, operation, run, workspace};

const OURS_START: &str = "rocketchat_import_service_";
const OURS: &str = "rocketchat_import_service_migrations";
const NAMES: [&str; 11] = [
    "0001_import_newest_first",
    "0002_import_valid",
    "0003_staging_data_type",
    "0004_webhooks_pending",
    "0005_receipts_expire",
    "0006_reports_expire",
    "0007_uploads_of_ours",
    "0008_sources",
    "0009_sources_by_import_id",
    "0010_run_leases_until",
    "0011_removals_until",
];

async fn migrate(workspace: &Workspace) -> Finished {
    let finished = run(&["migrate"], &[("MONGO_URL", &workspace.url)]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished
}

/// The names of the migrations that the command says it applied.
fn applied(finished: &Finished) -> Vec<&str> {
    finished.output.lines().filter_map(|line| line.strip_prefix("applied ")).collect()
}

async fn documents(workspace: &Workspace, collection: &str) -> Vec<Document> {
    workspace.collection(collection).find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap()
}

/// Every index of every collection but ours and those on `_id`: collection and name to key.
async fn indexes(workspace: &Workspace) -> BTreeMap<(String, String), Document> {
    let mut found = BTreeMap::new();
    for collection in workspace.database.list_collection_names().await.unwrap() {
        if collection.starts_with(OURS_START) {
            continue;
        }
        let indexes: Vec<_> =
            workspace.collection(&collection).list_indexes().await.unwrap().try_collect().await.unwrap();
        for index in indexes {
            let name = index.options.unwrap().name.unwrap();
            if name != "_id_" {
                found.insert((collection.clone(), name), index.keys);
            }
        }
    }
    found
}

/// The indexes that Rocket.Chat's models declare, with the names MongoDB gives by itself.
fn wanted_indexes() -> BTreeMap<(String, String), Document> {
    [
        ("rocketchat_import", "ts_-1", doc! { "ts": -1 }),
        ("rocketchat_import", "valid_1", doc! { "valid": 1 }),
        ("rocketchat_import_data", "dataType_1", doc! { "dataType": 1 }),
    ]
    .into_iter()
    .map(|(collection, name, key)| ((collection.to_owned(), name.to_owned()), key))
    .collect()
}

#[tokio::test]
async fn an_empty_database_gets_exactly_rocket_chats_indexes_and_only_once() {
    let workspace = Workspace::empty_on(Mongo::shared()).await;
    let first = migrate(&workspace).await;
    assert_eq!(applied(&first), NAMES);
    assert_eq!(indexes(&workspace).await, wanted_indexes());
    let records = documents(&workspace, OURS).await;
    assert_eq!(records.iter().map(|record| record.get_str("_id").unwrap()).collect::<Vec<_>>(), NAMES);

    let second = migrate(&workspace).await;
    assert_eq!(applied(&second), [""; 0]);
    assert!(second.output.starts_with("0 applied, "), "{}", second.output);
    assert_eq!(documents(&workspace, OURS).await, records);
}

#[tokio::test]
async fn what_is_stored_stays_as_it_is() {
    let workspace = workspace().await;
    workspace.add_operation(operation("one")).await;
    workspace.collection("rocketchat_import_data").insert_one(doc! { "_id": "row", "dataType": "user" }).await.unwrap();
    let mut before = BTreeMap::new();
    for collection in workspace.database.list_collection_names().await.unwrap() {
        before.insert(collection.clone(), documents(&workspace, &collection).await);
    }
    assert_eq!(before.len(), 4);

    assert_eq!(applied(&migrate(&workspace).await), NAMES);
    let mut after = workspace.database.list_collection_names().await.unwrap();
    after.retain(|collection| !collection.starts_with(OURS_START));
    assert_eq!(after.len(), before.len(), "{after:?}");
    for (collection, documents_before) in before {
        assert_eq!(documents(&workspace, &collection).await, documents_before, "{collection}");
    }
}

#[tokio::test]
async fn indexes_that_are_there_under_another_name_or_with_other_options_are_left_alone() {
    let workspace = workspace().await;
    let commands = [
        doc! { "createIndexes": "rocketchat_import", "indexes": [{ "key": { "ts": -1 }, "name": "newest" }] },
        doc! { "createIndexes": "rocketchat_import",
        "indexes": [{ "key": { "valid": 1 }, "name": "valid_1", "sparse": true }] },
        doc! { "createIndexes": "rocketchat_import_data",
        "indexes": [{ "key": { "other": 1 }, "name": "dataType_1" }] },
    ];
    for command in commands {
        workspace.database.run_command(command).await.unwrap();
    }
    let before = indexes(&workspace).await;
    migrate(&workspace).await;
    let mut after = indexes(&workspace).await;
    after.retain(|(collection, _), _| !collection.starts_with("rocketchat_import_service_"));
    assert_eq!(after, before);
    assert_eq!(applied(&migrate(&workspace).await), [""; 0], "and that is settled for good");
}

#[tokio::test]
async fn instances_that_start_together_apply_each_migration_once() {
    for _ in 0..3 {
        let workspace = Workspace::empty_on(Mongo::shared()).await;
        let (one, two, three) = tokio::join!(migrate(&workspace), migrate(&workspace), migrate(&workspace));
        let mut by_any: Vec<_> = [&one, &two, &three].into_iter().flat_map(applied).collect();
        by_any.sort_unstable();
        assert_eq!(by_any, NAMES);
    }
}

#[tokio::test]
async fn an_instance_that_died_at_it_does_not_stop_the_next_one() {
    let workspace = Workspace::empty_on(Mongo::shared()).await;
    let soon = DateTime::from_millis(DateTime::now().timestamp_millis() + 1_000);
    let held = doc! { "_id": "lock", "holder": "dead", "until": soon };
    workspace.collection(OURS).insert_one(held).await.unwrap();
    assert_eq!(applied(&migrate(&workspace).await), NAMES);
    assert!(DateTime::now() > soon, "it was waited for as long as it might have been alive");
}

#[tokio::test]
async fn serve_applies_them_before_it_is_ready() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    service.ready().await;
    assert_eq!(indexes(&workspace).await, wanted_indexes());
    for name in NAMES {
        assert_eq!(service.log_lines(&format!("applied migration {name}")).len(), 1, "{name}");
    }
}
