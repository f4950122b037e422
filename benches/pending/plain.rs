//! The plain driver: the same downloads at once, written into a bucket of its own.

use std::time::{Duration, Instant};

use bson::{Bson, doc};
use futures::{AsyncWriteExt as _, future::join_all};
use mongodb::{
    Client,
    options::{GridFsBucketOptions, WriteConcern},
};

use crate::{server::FileServer, workspace::Workspace};

const BUCKET: &str = "plain";

/// Fetches so many files at once, and returns how long it took. They are gone afterwards.
pub async fn fetch(workspace: &Workspace, server: &FileServer, files: usize) -> Duration {
    let database = Client::with_uri_str(workspace.url()).await.unwrap().default_database().unwrap();
    // The service, too, waits for no more than the primary while it writes chunks.
    let options =
        GridFsBucketOptions::builder().bucket_name(BUCKET.to_owned()).write_concern(WriteConcern::nodes(1)).build();
    let bucket = database.gridfs_bucket(options);
    let started = Instant::now();
    let tasks = (0..files).map(|number| {
        let (bucket, url) = (bucket.clone(), server.url(&format!("plain-{number}.bin")));
        tokio::spawn(async move {
            let name = number.to_string();
            let mut stream = bucket.open_upload_stream(&name).id(Bson::String(name.clone())).await.unwrap();
            let mut answer = reqwest::get(url).await.unwrap();
            while let Some(piece) = answer.chunk().await.unwrap() {
                stream.write_all(&piece).await.unwrap();
            }
            stream.close().await.unwrap();
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let elapsed = started.elapsed();
    let stored = database.collection::<bson::Document>("plain.files");
    let whole = doc! { "length": i64::try_from(server.bytes()).unwrap() };
    assert_eq!(stored.count_documents(whole).await.unwrap(), files as u64);
    bucket.drop().await.unwrap();
    elapsed
}
