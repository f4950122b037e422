//! The same messages by other ways.

use std::time::Instant;

use bson::{Document, RawDocumentBuf, doc};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    chat, indexes,
    workspace::{Mongo, Workspace},
};

/// Batch sizes and batches at once that the plain driver may choose from.
const CHOICES: [(usize, usize); 6] = [(200, 2), (500, 2), (500, 4), (1000, 2), (1000, 4), (5000, 1)];
/// Messages that each is tried with. The best is measured with all of them.
const TRIAL: usize = 20_000;

async fn sample(workspace: &Workspace, count: usize) -> Vec<RawDocumentBuf> {
    let messages = workspace.collection::<RawDocumentBuf>("rocketchat_message");
    let found =
        messages.find(doc! { "rid": { "$ne": chat::ROOM } }).limit(i64::try_from(count).unwrap()).await.unwrap();
    found.try_collect().await.unwrap()
}

/// Messages a second of `insert_many`, and with how many a batch and batches at once.
pub async fn best_rate(mongo: &Mongo, imported: &Workspace, count: usize) -> (f64, (usize, usize)) {
    let documents = sample(imported, count).await;
    let mut best = (0.0, CHOICES[0]);
    for choice in CHOICES {
        let rate = insert(mongo, &documents[..documents.len().min(TRIAL)], choice).await;
        if rate > best.0 {
            best = (rate, choice);
        }
    }
    (insert(mongo, &documents, best.1).await, best.1)
}

async fn insert(mongo: &Mongo, documents: &[RawDocumentBuf], (batch, at_once): (usize, usize)) -> f64 {
    let workspace = Workspace::empty(mongo).await;
    indexes::make(&workspace).await;
    let messages = workspace.collection::<RawDocumentBuf>("rocketchat_message");
    let batches: Vec<Vec<RawDocumentBuf>> = documents.chunks(batch).map(<[RawDocumentBuf]>::to_vec).collect();
    workspace.settle().await;
    let started = Instant::now();
    stream::iter(batches)
        .map(|batch| {
            let messages = messages.clone();
            async move { tokio::spawn(async move { messages.insert_many(&batch).ordered(false).await }).await.unwrap() }
        })
        .buffer_unordered(at_once)
        .try_for_each(|_| async { Ok(()) })
        .await
        .unwrap();
    documents.len() as f64 / started.elapsed().as_secs_f64()
}

/// Messages a second as Rocket.Chat's process does it: look for it, insert it, count it in its room.
///
/// Source: `apps/meteor/app/importer/server/classes/converters/MessageConverter.ts` and `insertMessage.ts`.
pub async fn one_by_one(mongo: &Mongo, imported: &Workspace, count: usize) -> f64 {
    let documents = sample(imported, count).await;
    let workspace = Workspace::empty(mongo).await;
    indexes::make(&workspace).await;
    let messages = workspace.collection::<RawDocumentBuf>("rocketchat_message");
    let rooms = workspace.collection::<Document>("rocketchat_room");
    let room = documents[0].get_str("rid").unwrap();
    rooms.insert_one(doc! { "_id": room, "t": "c", "name": "room", "msgs": 0 }).await.unwrap();
    workspace.settle().await;
    let started = Instant::now();
    for document in &documents {
        let id = document.get_str("_id").unwrap();
        assert!(messages.find_one(doc! { "_id": id }).await.unwrap().is_none(), "{id}");
        messages.insert_one(document).await.unwrap();
        rooms.update_one(doc! { "_id": room }, doc! { "$inc": { "msgs": 1 } }).await.unwrap();
    }
    documents.len() as f64 / started.elapsed().as_secs_f64()
}
