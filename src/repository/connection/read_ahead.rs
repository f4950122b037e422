//! Cursors that fetch while what came before is worked on.

use std::pin::pin;

use futures::{Stream, StreamExt as _, stream};
use mongodb::error::{Error as DriverError, Result};
use tokio::sync::mpsc;

/// Documents that go from the cursor to the reader together.
const TOGETHER: usize = 1000;
/// How often so many may wait for the reader.
const WAITING: usize = 2;

/// The documents of a cursor, which a task of its own reads ahead. It ends with the reader.
pub(in crate::repository) fn read_ahead<T: Send + 'static>(
    cursor: impl Stream<Item = Result<T>> + Send + 'static,
) -> impl Stream<Item = Result<T>> + Send {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut chunks = pin!(cursor.ready_chunks(TOGETHER));
        while let Some(chunk) = chunks.next().await {
            if sender.send(Some(chunk)).await.is_err() {
                return;
            }
        }
        // The reader may have gone.
        let _ = sender.send(None).await;
    });
    let chunks = stream::unfold(Some(receiver), async |receiver| {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(None) => None,
            Some(Some(chunk)) => Some((chunk, Some(receiver))),
            None => Some((vec![Err(DriverError::custom("the task that reads ahead has ended"))], None)),
        }
    });
    chunks.flat_map(stream::iter)
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn documents_come_in_their_order() {
        let read: Vec<usize> = read_ahead(stream::iter((0..2500).map(Ok))).try_collect().await.unwrap();
        assert_eq!(read, (0..2500).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn reading_ends_with_the_reader() {
        let (held, is_dropped) = oneshot::channel::<()>();
        drop(read_ahead(stream::unfold(held, async |held| Some((Ok(()), held)))));
        assert!(is_dropped.await.is_err());
    }

    #[tokio::test]
    async fn a_fault_while_reading_is_no_end_of_the_documents() {
        let broken =
            stream::iter(0..3).map(|number| if number < 2 { Ok(number) } else { panic!("a cursor of the test") });
        let read: Vec<Result<i32>> = read_ahead(broken).collect().await;
        assert!(read.last().unwrap().is_err(), "{read:?}");
    }
}
