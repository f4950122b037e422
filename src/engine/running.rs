//! The operations that this instance works on, each once, and what a fault of the program leaves of their work.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use parking_lot::Mutex;

/// The operations that this instance works on. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashSet<String>>>);

/// The mark that this instance works on an operation, until it is dropped.
#[derive(Debug)]
pub(super) struct Mark {
    running: Running,
    id: String,
}

impl Running {
    /// `None` if this instance works on the operation already.
    pub(super) fn mark(&self, id: &str) -> Option<Mark> {
        let is_new = self.0.lock().insert(id.to_owned());
        is_new.then(|| Mark { running: self.clone(), id: id.to_owned() })
    }
}

impl Mark {
    /// Does the work on the operation. If a fault of the program ends it, everything it holds is dropped, and then the
    /// lease is given back by `free`, so that the work begins anew.
    pub(super) async fn work(self, work: BoxFuture<'_, ()>, free: BoxFuture<'_, ()>) {
        let ended = AssertUnwindSafe(work).catch_unwind().await;
        if ended.is_err() {
            log::error!("the work on operation {} ended by a fault of the program", self.id);
            free.await;
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.running.0.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something that work holds, as the task that renews its lease.
    struct Held<'a>(&'a Mutex<Vec<&'static str>>);

    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.lock().push("the renewal ends");
        }
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_lease_back_and_can_begin_anew() {
        let (running, order) = (Running::default(), Mutex::default());
        let mark = running.mark("a").unwrap();
        assert!(running.mark("a").is_none(), "it is worked on once at a time");
        let work = async {
            let _held = Held(&order);
            tokio::task::yield_now().await;
            let _first: &str = order.lock().first().expect("a fault of the program");
        };
        let free = async { order.lock().push("the lease is given back") };
        mark.work(work.boxed(), free.boxed()).await;
        assert_eq!(*order.lock(), ["the renewal ends", "the lease is given back"]);
        assert!(running.mark("a").is_some(), "it can be worked on again");
    }

    #[tokio::test]
    async fn work_that_ends_by_itself_gives_its_lease_back_by_itself() {
        let (running, freed) = (Running::default(), Mutex::new(false));
        let mark = running.mark("a").unwrap();
        mark.work(async {}.boxed(), async { *freed.lock() = true }.boxed()).await;
        assert!(!*freed.lock());
        assert!(running.mark("a").is_some());
    }
}
