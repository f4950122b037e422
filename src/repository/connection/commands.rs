//! Commands that store or change many documents.

use std::ops::Range;

use bson::{Document, doc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::Collection;

use crate::repository::RepositoryError;

/// Documents in one command. The database stores those of a command together, and the writes of every other client that
/// come after it wait for a majority until it has: a chat message, too. Longer commands make these waits longer; shorter
/// ones cost the database more for each document.
const COMMAND_DOCUMENTS: usize = 500;

/// Commands of one call that the database works on at once.
const COMMANDS_AT_ONCE: usize = 2;

/// Returns the ranges of so many documents that go into one command each, in their order.
pub(in crate::repository) fn commands_for(documents: usize) -> impl DoubleEndedIterator<Item = Range<usize>> {
    (0..documents.div_ceil(COMMAND_DOCUMENTS)).map(move |command| {
        let first = command * COMMAND_DOCUMENTS;
        first..documents.min(first + COMMAND_DOCUMENTS)
    })
}

/// A change of one document.
#[derive(Debug, Clone)]
pub(in crate::repository) struct Update {
    pub(in crate::repository) filter: Document,
    pub(in crate::repository) change: Document,
    /// Whether a document is made where the filter finds none.
    pub(in crate::repository) upsert: bool,
}

/// Makes these changes in any order, by a majority.
///
/// # Errors
/// Some may have been made all the same.
pub(in crate::repository) async fn update_each<T: Send + Sync>(
    collection: &Collection<T>,
    updates: &[Update],
) -> Result<(), RepositoryError> {
    let commands: Vec<_> = commands_for(updates.len()).map(|part| update_at_once(collection, &updates[part])).collect();
    stream::iter(commands).buffer_unordered(COMMANDS_AT_ONCE).try_collect().await
}

async fn update_at_once<T: Send + Sync>(collection: &Collection<T>, updates: &[Update]) -> Result<(), RepositoryError> {
    let database = collection.client().database(&collection.namespace().db);
    let as_command = |update: &Update| doc! { "q": &update.filter, "u": &update.change, "upsert": update.upsert };
    let command = doc! {
        "update": collection.name(),
        "updates": updates.iter().map(as_command).collect::<Vec<_>>(),
        "ordered": false,
        "writeConcern": { "w": "majority" },
    };
    let answer = database.run_command(command).await?;
    if answer.contains_key("writeErrors") || answer.contains_key("writeConcernError") {
        // One by one, so that the driver says what is wrong.
        for Update { filter, change, upsert } in updates {
            collection.update_one(filter.clone(), change.clone()).upsert(*upsert).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_in_one_command() {
        for documents in [0, 1, 499, 500, 501, 1250] {
            let all: Vec<usize> = commands_for(documents).flatten().collect();
            assert_eq!(all, (0..documents).collect::<Vec<_>>());
        }
        assert_eq!(commands_for(1250).collect::<Vec<_>>(), [0..500, 500..1000, 1000..1250]);
    }
}
