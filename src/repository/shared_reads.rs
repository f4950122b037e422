//! Reads that many callers want at once, done once for all of them.
//!
//! A caller may share a read only if the read begins after the caller asked: so its answer is never older than the
//! database was at that moment, and nothing is ever kept for later. While one read is on its way, all who ask meanwhile
//! wait for the next one together. However many poll, the database serves one read at a time for each question.

use std::{
    collections::HashMap,
    hash::Hash,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{Shared, WeakShared},
};
use tokio::time::timeout;

use super::RepositoryError;

/// How long one read may keep those who wait for the next one. A server that vanishes without a word would do so for
/// ever.
const PATIENCE: Duration = Duration::from_secs(4);

type Outcome<V> = Result<V, RepositoryError>;
type Read<V> = Shared<Pin<Box<dyn Future<Output = Outcome<V>> + Send>>>;
type WeakRead<V> = WeakShared<Pin<Box<dyn Future<Output = Outcome<V>> + Send>>>;

/// The reads of one kind that are on their way, by what they ask for. Clones share them.
pub(super) struct SharedReads<K, V> {
    shared: Arc<State<K, V>>,
}

struct State<K, V> {
    questions: Mutex<HashMap<K, Question<V>>>,
    /// Names reads, to tell them apart.
    numbers: AtomicU64,
    patience: Duration,
}

/// What is being done about one question. Only those who wait keep a read alive: one that everybody has turned away from
/// ends.
struct Question<V> {
    /// Begun: too late to join.
    running: Option<(u64, WeakRead<V>)>,
    /// Begins when the one before has ended.
    next: Option<(u64, WeakRead<V>)>,
}

impl<K, V> SharedReads<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The answer to `question`, by a read that begins after this call: `read`, or one that somebody else is about to
    /// begin.
    pub(super) async fn get<F>(&self, question: K, read: impl FnOnce() -> F + Send + 'static) -> Outcome<V>
    where
        F: Future<Output = Outcome<V>> + Send,
    {
        self.join(question, read).await
    }

    fn join<F>(&self, question: K, read: impl FnOnce() -> F + Send + 'static) -> Read<V>
    where
        F: Future<Output = Outcome<V>> + Send,
    {
        let mut questions = self.shared.lock();
        let asked = questions.entry(question.clone()).or_default();
        if let Some(next) = asked.next.as_ref().and_then(|(_, next)| next.upgrade()) {
            return next;
        }
        let before = asked.running.as_ref().and_then(|(_, running)| running.upgrade());
        let number = self.shared.numbers.fetch_add(1, Ordering::Relaxed);
        let place = Place { state: Arc::clone(&self.shared), question, number };
        let patience = self.shared.patience;
        let next = async move {
            if let Some(before) = before {
                // What became of it is told to those who asked for it.
                let _ = before.await;
            }
            place.begin();
            timeout(patience, read()).await.unwrap_or(Err(RepositoryError::TimedOut))
        };
        let next = next.boxed().shared();
        asked.next = next.downgrade().map(|next| (number, next));
        next
    }
}

impl<K, V> State<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Question<V>>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a read stands in the list of questions. Given up when the read ends, however it does.
struct Place<K: Hash + Eq, V> {
    state: Arc<State<K, V>>,
    question: K,
    number: u64,
}

impl<K: Hash + Eq, V> Place<K, V> {
    /// From here on nobody may join.
    fn begin(&self) {
        if let Some(question) = self.state.lock().get_mut(&self.question)
            && question.next.as_ref().is_some_and(|(number, _)| *number == self.number)
        {
            question.running = question.next.take();
        }
    }
}

impl<K: Hash + Eq, V> Drop for Place<K, V> {
    fn drop(&mut self) {
        let mut questions = self.state.lock();
        let Some(question) = questions.get_mut(&self.question) else { return };
        question.running.take_if(|(number, _)| *number == self.number);
        question.next.take_if(|(number, _)| *number == self.number);
        if question.running.is_none() && question.next.is_none() {
            questions.remove(&self.question);
        }
    }
}

impl<V> Default for Question<V> {
    fn default() -> Self {
        Self { running: None, next: None }
    }
}

impl<K, V> SharedReads<K, V> {
    /// With another patience for one read.
    pub(super) fn with_patience(patience: Duration) -> Self {
        Self { shared: Arc::new(State { questions: Mutex::default(), numbers: AtomicU64::default(), patience }) }
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
        formatter.debug_struct("SharedReads").field("questions", &self.shared.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::watch;

    use super::*;

    /// A value that is read slowly: each read sees it as it is when the read begins, and ends when it is let.
    struct Source {
        value: AtomicUsize,
        begun: AtomicUsize,
        ended: watch::Sender<usize>,
    }

    impl Source {
        fn new() -> Arc<Self> {
            Arc::new(Self { value: AtomicUsize::new(0), begun: AtomicUsize::new(0), ended: watch::channel(0).0 })
        }

        async fn read(self: Arc<Self>) -> Outcome<usize> {
            let value = self.value.load(Ordering::SeqCst);
            let turn = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            self.ended.subscribe().wait_for(|ended| *ended >= turn).await.unwrap();
            Ok(value)
        }
    }

    fn ask(reads: &SharedReads<(), usize>, source: &Arc<Source>) -> Read<usize> {
        let source = Arc::clone(source);
        reads.join((), move || source.read())
    }

    #[tokio::test]
    async fn who_asks_during_a_read_gets_what_is_true_after_asking() {
        let (reads, source) = (SharedReads::default(), Source::new());
        let first = tokio::spawn(ask(&reads, &source));
        while source.begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        source.value.store(1, Ordering::SeqCst);
        let later: Vec<_> = (0..100).map(|_| tokio::spawn(ask(&reads, &source))).collect();
        source.ended.send_replace(2);
        assert_eq!(first.await.unwrap().unwrap(), 0);
        for answer in later {
            assert_eq!(answer.await.unwrap().unwrap(), 1);
        }
        assert_eq!(source.begun.load(Ordering::SeqCst), 2, "a hundred callers share one read");
        assert!(reads.shared.lock().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn callers_that_turn_away_leave_nothing_behind_and_hold_up_nobody() {
        let (reads, source) = (SharedReads::default(), Source::new());
        let mut first = Box::pin(ask(&reads, &source));
        assert!(futures::poll!(&mut first).is_pending());
        let second = ask(&reads, &source);
        drop(first);
        source.value.store(7, Ordering::SeqCst);
        source.ended.send_replace(9);
        assert_eq!(second.await.unwrap(), 7);
        drop(ask(&reads, &source));
        assert!(reads.shared.lock().is_empty());
    }

    #[tokio::test]
    async fn a_read_that_never_ends_is_given_up() {
        let reads = SharedReads::<(), usize>::with_patience(Duration::from_millis(10));
        let stuck = reads.get((), std::future::pending).await;
        assert!(matches!(stuck, Err(RepositoryError::TimedOut)));
    }
}
