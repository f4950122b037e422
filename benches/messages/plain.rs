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
const TENTHS: usize = 10;

async fn sample(workspace: &Workspace, count: usize) -> Vec<RawDocumentBuf> {
    let messages = workspace.collection::<RawDocumentBuf>("rocketchat_message");
    let found =
        messages.find(doc! { "rid": { "$ne": chat::ROOM } }).limit(i64::try_from(count).unwrap()).await.unwrap();
    found.try_collect().await.unwrap()
}

/// How fast messages were inserted.
pub struct Insertion {
    /// Messages a second.
    pub rate: f64,
    /// Messages of a batch, and batches at once.
    pub choice: (usize, usize),
    /// The rate of the last tenth, as a part of that of the first.
    pub last_tenth: f64,
}

/// `insert_many` of so many messages, with the best choice.
pub async fn best(mongo: &Mongo, imported: &Workspace, count: usize) -> Insertion {
    let documents = sample(imported, count).await;
    let mut best = (0.0, CHOICES[0]);
    for choice in CHOICES {
        let Insertion { rate, .. } = insert(mongo, &documents[..documents.len().min(TRIAL)], choice).await;
        if rate > best.0 {
            best = (rate, choice);
        }
    }
    insert(mongo, &documents, best.1).await
}

async fn insert(mongo: &Mongo, documents: &[RawDocumentBuf], choice: (usize, usize)) -> Insertion {
    let (batch, at_once) = choice;
    let workspace = Workspace::empty(mongo).await;
    indexes::make(&workspace).await;
    let messages = workspace.collection::<RawDocumentBuf>("rocketchat_message");
    let batches: Vec<Vec<RawDocumentBuf>> = documents.chunks(batch).map(<[RawDocumentBuf]>::to_vec).collect();
    workspace.settle().await;
    let tenth = documents.len() / TENTHS;
    let (mut stored, mut tenths) = (0, Vec::new());
    let started = Instant::now();
    let mut inserting = stream::iter(batches)
        .map(|batch| {
            let messages = messages.clone();
            let insert = async move { messages.insert_many(&batch).ordered(false).await.map(|_| batch.len()) };
            async move { tokio::spawn(insert).await.unwrap() }
        })
        .buffer_unordered(at_once);
    while let Some(batch) = inserting.next().await {
        stored += batch.unwrap();
        if stored >= (tenths.len() + 1) * tenth {
            tenths.push((stored, started.elapsed().as_secs_f64()));
        }
    }
    let rate = stored as f64 / started.elapsed().as_secs_f64();
    let last = tenths.windows(2).last().map(|ends| (ends[1].0 - ends[0].0) as f64 / (ends[1].1 - ends[0].1));
    let first = tenths.first().map(|(stored, seconds)| *stored as f64 / seconds);
    Insertion { rate, choice, last_tenth: last.unwrap_or(rate) / first.unwrap_or(rate) }
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
