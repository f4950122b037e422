//! The three reads of a status request by the plain driver.

use std::time::{Duration, Instant};

use bson::{Document, RawDocumentBuf, doc};
use futures::{TryStreamExt as _, future::join_all, try_join};
use mongodb::Collection;
use rocketchat_import::domain::caller::HashedLoginToken;

use crate::{client::Load, workspace::Workspace};

/// How the reads are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    InTurn,
    SideBySide,
    Aggregation,
}

#[derive(Clone)]
pub struct Reads {
    users: Collection<RawDocumentBuf>,
    permissions: Collection<RawDocumentBuf>,
    operations: Collection<RawDocumentBuf>,
}

impl Reads {
    /// With the index that the newest operation is found by, as Rocket.Chat makes it.
    pub async fn over(workspace: &Workspace) -> Self {
        let operations = workspace.collection::<RawDocumentBuf>("rocketchat_import");
        operations.create_index(mongodb::IndexModel::builder().keys(doc! { "ts": -1 }).build()).await.unwrap();
        Self {
            users: workspace.collection("users"),
            permissions: workspace.collection("rocketchat_permissions"),
            operations,
        }
    }

    async fn once(&self, way: Way, id: &str, token: &str) -> mongodb::error::Result<()> {
        let user = self.users.find_one(holder(id, token)).projection(doc! { "roles": 1 });
        let permission =
            self.permissions.find_one(doc! { "_id": "run-import", "roles": { "$in": ["admin"] } }).projection(doc! {
                "_id": 1
            });
        let newest = self.operations.find_one(doc! {}).sort(doc! { "ts": -1 });
        let found = match way {
            Way::InTurn => (user.await?, permission.await?, newest.await?),
            Way::SideBySide => try_join!(user.into_future(), permission.into_future(), newest.into_future())?,
            Way::Aggregation => {
                let found: Vec<Document> = self.users.aggregate(all_at_once(id, token)).await?.try_collect().await?;
                assert_eq!(found.len(), 1);
                return Ok(());
            }
        };
        assert!(found.0.is_some() && found.1.is_some() && found.2.is_some());
        Ok(())
    }
}

fn holder(id: &str, token: &str) -> Document {
    doc! { "_id": id, "services.resume.loginTokens.hashedToken": HashedLoginToken::of(token).as_str() }
}

fn all_at_once(id: &str, token: &str) -> Vec<Document> {
    let newest = [doc! { "$sort": { "ts": -1 } }, doc! { "$limit": 1 }];
    vec![
        doc! { "$match": holder(id, token) },
        doc! { "$project": { "roles": 1 } },
        doc! { "$lookup": {
            "from": "rocketchat_permissions", "pipeline": [{ "$match": { "_id": "run-import" } }], "as": "permission",
        } },
        doc! { "$lookup": { "from": "rocketchat_import", "pipeline": newest.to_vec(), "as": "operation" } },
    ]
}

/// The reads again and again, by as many at once as there are callers.
pub async fn read(reads: &Reads, way: Way, callers: &[(String, String)], span: Duration) -> Load {
    let started = Instant::now();
    let readers = callers.iter().cloned().map(|(id, token)| {
        let reads = reads.clone();
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while started.elapsed() < span {
                let asked = Instant::now();
                reads.once(way, &id, &token).await.unwrap();
                latencies.push(asked.elapsed());
            }
            latencies
        })
    });
    let answered = join_all(readers).await.into_iter().flat_map(Result::unwrap).collect();
    Load::of(answered, started.elapsed())
}
