//! Reads that many callers want at the same time, done once for all of them.
//!
//! A caller may share a read only if the read begins after the caller's request came in. So its answer is never older
//! than the database was at that moment, and nothing is kept for later. While one read runs, all callers that arrive
//! wait for the next one together, and that one looks up the keys of all of them. However many clients poll, and however
//! different they are, the database serves one read at a time of each kind.

use std::{
    collections::HashSet,
    hash::Hash,
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{Shared, WeakShared},
};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::timeout;

use crate::repository::RepositoryError;

/// How long one read may delay those who wait for the next one. A server that vanishes without a word would delay them
/// for ever.
const PATIENCE: Duration = Duration::from_secs(4);

type Outcome<V> = Result<V, RepositoryError>;
type Read<V> = Shared<Pin<Box<dyn Future<Output = Outcome<V>> + Send>>>;
type WeakRead<V> = WeakShared<Pin<Box<dyn Future<Output = Outcome<V>> + Send>>>;

/// The reads of one kind: one that runs, and one that waits for it and collects keys. Clones share them.
///
/// `K` names one of the things that a read looks up; `()` where it always reads the same. `V` is the answer to a whole
/// read, from which each caller takes its part.
pub(in crate::repository) struct SharedReads<K, V> {
    shared: Arc<State<K, V>>,
}

struct State<K, V> {
    reads: Mutex<Reads<K, V>>,
    /// Names reads, to tell them apart.
    numbers: AtomicU64,
    patience: Duration,
}

/// Only those who wait keep a read alive: a read that everybody has turned away from ends.
struct Reads<K, V> {
    /// Begun: too late to join.
    running: Option<(u64, WeakRead<V>)>,
    /// Begins when the one before has ended.
    next: Option<(u64, WeakRead<V>)>,
    /// The keys that the next read looks up.
    keys: HashSet<K>,
}

impl<V: Clone + Send + Sync + 'static> SharedReads<(), V> {
    /// Returns what a read gives that begins after this call: `read`, or one that somebody else is about to begin.
    pub(in crate::repository) async fn get<F>(&self, (): (), read: impl FnOnce() -> F + Send + 'static) -> Outcome<V>
    where
        F: Future<Output = Outcome<V>> + Send,
    {
        self.join((), |_| read()).await
    }
}

impl<K, V> SharedReads<K, V>
where
    K: Hash + Eq + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Looks `key` up by a read that begins after this call, together with the keys of all others who wait for it.
    ///
    /// `read` gets every key, `key` among them, and its answer goes to every caller.
    pub(in crate::repository) async fn look_up<F>(
        &self,
        key: K,
        read: impl FnOnce(HashSet<K>) -> F + Send + 'static,
    ) -> Outcome<V>
    where
        F: Future<Output = Outcome<V>> + Send,
    {
        self.join(key, read).await
    }

    fn join<F>(&self, key: K, read: impl FnOnce(HashSet<K>) -> F + Send + 'static) -> Read<V>
    where
        F: Future<Output = Outcome<V>> + Send,
    {
        let mut reads = self.shared.lock();
        if let Some(next) = reads.next.as_ref().and_then(|(_, next)| next.upgrade()) {
            reads.keys.insert(key);
            return next;
        }
        // What is left of a read that nobody waited for.
        reads.keys.clear();
        reads.keys.insert(key);
        let before = reads.running.as_ref().and_then(|(_, running)| running.upgrade());
        let number = self.shared.numbers.fetch_add(1, Ordering::Relaxed);
        let place = Place { state: Arc::clone(&self.shared), number };
        let patience = self.shared.patience;
        let next = async move {
            if let Some(before) = before {
                // Its outcome goes to its own callers.
                let _ = before.await;
            }
            let keys = place.begin();
            timeout(patience, read(keys)).await.unwrap_or(Err(RepositoryError::TimedOut))
        };
        let next = next.boxed().shared();
        reads.next = next.downgrade().map(|next| (number, next));
        next
    }
}

impl<K, V> State<K, V> {
    fn lock(&self) -> MutexGuard<'_, Reads<K, V>> {
        self.reads.lock()
    }
}

/// The place of one read among the reads. Given up when the read ends, however it ends.
struct Place<K, V> {
    state: Arc<State<K, V>>,
    number: u64,
}

impl<K, V> Place<K, V> {
    /// Closes the read to further callers, and returns the keys of those who have joined.
    fn begin(&self) -> HashSet<K> {
        let mut reads = self.state.lock();
        reads.running = reads.next.take_if(|(number, _)| *number == self.number);
        mem::take(&mut reads.keys)
    }
}

impl<K, V> Drop for Place<K, V> {
    fn drop(&mut self) {
        let mut reads = self.state.lock();
        reads.running.take_if(|(number, _)| *number == self.number);
        if reads.next.take_if(|(number, _)| *number == self.number).is_some() {
            reads.keys = HashSet::new();
        }
    }
}

impl<K, V> Default for Reads<K, V> {
    fn default() -> Self {
        Self { running: None, next: None, keys: HashSet::new() }
    }
}

impl<K, V> SharedReads<K, V> {
    /// Creates reads that end after `patience`, with an error.
    pub(in crate::repository) fn with_patience(patience: Duration) -> Self {
        Self { shared: Arc::new(State { reads: Mutex::default(), numbers: AtomicU64::default(), patience }) }
    }
}

impl<K, V> Default for SharedReads<K, V> {
    fn default() -> Self {
        Self::with_patience(PATIENCE)
    }
}

impl<K, V> Clone for SharedReads<K, V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K, V> std::fmt::Debug for SharedReads<K, V> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SharedReads").field("waiting", &self.shared.lock().keys.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::atomic::AtomicUsize};

    use tokio::sync::watch;

    use super::*;

    type Answers = HashMap<u8, usize>;

    /// A value that is read slowly: each read sees the value of the moment it begins, and ends when the test lets it.
    struct Source {
        value: AtomicUsize,
        begun: AtomicUsize,
        ended: watch::Sender<usize>,
    }

    impl Source {
        fn new() -> Arc<Self> {
            Arc::new(Self { value: AtomicUsize::new(0), begun: AtomicUsize::new(0), ended: watch::channel(0).0 })
        }

        async fn read(self: Arc<Self>, keys: HashSet<u8>) -> Outcome<Answers> {
            let value = self.value.load(Ordering::SeqCst);
            let turn = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            self.ended.subscribe().wait_for(|ended| *ended >= turn).await.unwrap();
            Ok(keys.into_iter().map(|key| (key, value)).collect())
        }

        async fn has_begun(&self) {
            while self.begun.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn look_up(reads: &SharedReads<u8, Answers>, source: &Arc<Source>, key: u8) -> Read<Answers> {
        let source = Arc::clone(source);
        reads.join(key, move |keys| source.read(keys))
    }

    fn is_empty(reads: &SharedReads<u8, Answers>) -> bool {
        let reads = reads.shared.lock();
        reads.running.is_none() && reads.next.is_none() && reads.keys.is_empty()
    }

    #[tokio::test]
    async fn a_caller_that_arrives_during_a_read_gets_the_value_of_a_later_read() {
        let (reads, source) = (SharedReads::default(), Source::new());
        let first = tokio::spawn(look_up(&reads, &source, 0));
        source.has_begun().await;
        source.value.store(1, Ordering::SeqCst);
        let later: Vec<_> = (0..100).map(|key| (key, tokio::spawn(look_up(&reads, &source, key)))).collect();
        source.ended.send_replace(2);
        assert_eq!(first.await.unwrap().unwrap(), HashMap::from([(0, 0)]));
        for (key, answer) in later {
            let answers = answer.await.unwrap().unwrap();
            assert_eq!((answers.len(), answers[&key]), (100, 1), "one read looks up all that waited");
        }
        assert_eq!(source.begun.load(Ordering::SeqCst), 2, "a hundred callers share one read");
        assert!(is_empty(&reads), "nothing is kept");
    }

    #[tokio::test]
    async fn callers_that_turn_away_leave_nothing_behind_and_delay_nobody() {
        let (reads, source) = (SharedReads::default(), Source::new());
        let mut first = Box::pin(look_up(&reads, &source, 1));
        assert!(futures::poll!(&mut first).is_pending());
        let second = look_up(&reads, &source, 2);
        drop(first);
        source.value.store(7, Ordering::SeqCst);
        source.ended.send_replace(9);
        assert_eq!(second.await.unwrap(), HashMap::from([(2, 7)]));
        drop(look_up(&reads, &source, 3));
        assert!(is_empty(&reads));
        assert_eq!(look_up(&reads, &source, 4).await.unwrap(), HashMap::from([(4, 7)]), "the third is not looked up");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn every_caller_finds_its_own_key_whatever_the_others_do() {
        let reads = SharedReads::<u8, Answers>::default();
        let callers = (0..64).map(|key| {
            let reads = reads.clone();
            tokio::spawn(async move {
                for round in 0..500 {
                    let read = |keys: HashSet<u8>| async move {
                        tokio::task::yield_now().await;
                        Ok(keys.into_iter().map(|key| (key, usize::from(key))).collect())
                    };
                    if (round + u32::from(key)) % 7 == 0 {
                        // Turns away at once.
                        drop(reads.join(key, read));
                    } else {
                        assert_eq!(reads.look_up(key, read).await.unwrap()[&key], usize::from(key));
                    }
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
        assert!(is_empty(&reads));
    }

    #[tokio::test]
    async fn a_read_that_never_ends_is_given_up() {
        let reads = SharedReads::<(), usize>::with_patience(Duration::from_millis(10));
        let stuck = reads.get((), std::future::pending).await;
        assert!(matches!(stuck, Err(RepositoryError::TimedOut)));
    }
}
