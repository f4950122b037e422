//! The limits the service is measured against.

use std::{
    thread::{self, available_parallelism},
    time::{Duration, Instant},
};

use bson::RawDocumentBuf;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::options::{Acknowledgment, WriteConcern};
use rocketchat_import::domain::password;

use crate::workspace::Workspace;

/// Users a second.
pub type Rate = f64;

/// Inserts ready-made documents with the plain driver, nothing else.
pub async fn insert_plainly(
    workspace: &Workspace,
    documents: Vec<RawDocumentBuf>,
    (batch, at_once): (usize, usize),
) -> Rate {
    let users = workspace.collection::<RawDocumentBuf>("users");
    let count = documents.len();
    let batches: Vec<Vec<RawDocumentBuf>> = documents.chunks(batch).map(<[RawDocumentBuf]>::to_vec).collect();
    drop(documents);
    let confirmed = WriteConcern::builder().w(Acknowledgment::Nodes(1)).build();
    workspace.settle().await;
    let started = Instant::now();
    stream::iter(batches)
        .map(|batch| {
            let (users, confirmed) = (users.clone(), confirmed.clone());
            async move {
                let insertion =
                    tokio::spawn(
                        async move { users.insert_many(&batch).ordered(false).write_concern(confirmed).await },
                    );
                insertion.await.unwrap()
            }
        })
        .buffer_unordered(at_once)
        .try_for_each(|_| async { Ok(()) })
        .await
        .unwrap();
    count as Rate / started.elapsed().as_secs_f64()
}

/// Hashes passwords on every core and does nothing else.
pub fn hash_on_all_cores(time: Duration) -> Rate {
    let cores = available_parallelism().unwrap().get();
    let started = Instant::now();
    let hashers: Vec<_> = (0..cores)
        .map(|_| {
            thread::spawn(move || {
                let mut hashed = 0_u32;
                while started.elapsed() < time {
                    password::hash("password").unwrap();
                    hashed += 1;
                }
                hashed
            })
        })
        .collect();
    let hashed: u32 = hashers.into_iter().map(|hasher| hasher.join().unwrap()).sum();
    Rate::from(hashed) / started.elapsed().as_secs_f64()
}

/// The median; of an even number of values, the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    f64::midpoint(values[(values.len() - 1) / 2], values[upper])
}
