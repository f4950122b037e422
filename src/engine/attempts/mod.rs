//! Attempts at the work on an operation: after an error that may pass it rests and goes on from where it had come, until the
//! patience is at its end.

mod leased_work;
mod patience;
mod stop;

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::activity::GaugeGuard;
use crate::{
    domain::operation::Operation,
    repository::{Imports, with_default_timeout},
};
pub(super) use leased_work::LeasedWork;
use patience::Patience;
pub(super) use stop::{PassingError, Stop};

/// Work on an operation that can be attempted again.
pub(super) trait Repeatable: Sync {
    /// The `_id` of the operation.
    fn operation(&self) -> &str;

    /// Goes on from where the attempt before it had come.
    ///
    /// # Errors
    /// When the work stops before its end.
    fn attempt(&self) -> impl Future<Output = Result<(), Stop>> + Send;

    /// Leaves things in order.
    ///
    /// # Errors
    /// When the work, or its end, is to be attempted again.
    fn stop(&self, stop: Stop) -> impl Future<Output = Result<(), PassingError>> + Send;

    /// How much was done, in steps of the work's own; `None` where that cannot be found out now.
    fn done(&self) -> impl Future<Output = Option<u64>> + Send;

    /// Shows that the work rests, for as long as the guard lives.
    fn rests(&self) -> Option<GaugeGuard> {
        None
    }
}

/// The terms of attempts.
pub(super) struct Attempts<'a> {
    /// How long errors that may pass are borne while nothing gets on.
    pub(super) retry_for: Duration,
    /// Cancelled when another instance has taken over.
    pub(super) lost: &'a CancellationToken,
    pub(super) shutdown: &'a CancellationToken,
}

impl Attempts<'_> {
    /// Attempts the work until it is done or there is a reason to stop. Returns whether it is done.
    pub(super) async fn at(self, work: &impl Repeatable) -> bool {
        let id = work.operation();
        let mut patience = Patience::new(self.retry_for);
        let mut done = 0;
        loop {
            let end = match patience.verdict() {
                Some(reason) => Err(Stop::Failed(reason)),
                None => work.attempt().await,
            };
            let Err(stop) = end else { return true };
            if let Stop::Failed(reason) = &stop {
                patience.fail(reason.clone());
            }
            let Err(error) = work.stop(stop).await else { return false };
            // Work that gets on, if slowly, is borne with.
            if let Some(now) = work.done().await.filter(|now| *now > done) {
                done = now;
                patience.got_on();
            }
            let rest = patience.rest(&error.to_string());
            let _resting = work.rests();
            log::warn!("operation {id} pauses for {rest:?}: {error}");
            tokio::select! {
                () = sleep(rest) => {}
                () = self.shutdown.cancelled() => return false,
                () = self.lost.cancelled() => {
                    log::info!("operation {id} was taken over by another instance");
                    return false;
                }
            }
        }
    }
}

/// Looks at the operation now and then until it is no longer valid. A database that does not answer is the work's own
/// affair.
pub(super) async fn until_ended(imports: &Imports, id: &str, look_interval: Duration) -> Stop {
    let mut ticks = interval(look_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match with_default_timeout(imports.find(id)).await {
            Ok(found) if found.as_ref().is_some_and(Operation::is_valid) => {}
            Ok(_) => return Stop::Ended,
            Err(error) => log::debug!("operation {id} cannot be watched: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, mem};

    use parking_lot::Mutex;

    use super::*;

    /// Longer than the first rest, and shorter than the first two.
    const RETRY_FOR: Duration = Duration::from_millis(150);
    const FOR_EVER: Duration = Duration::from_secs(3600);

    /// Work whose attempts end as they are listed, and whose stops are noted.
    #[derive(Default)]
    struct Listed {
        attempts: Mutex<VecDeque<Result<(), Stop>>>,
        /// How often the database is away when work that failed is to be ended.
        away: Mutex<u32>,
        gets_on: bool,
        done: Mutex<u64>,
        stops: Mutex<Vec<String>>,
    }

    impl Listed {
        fn new(attempts: impl IntoIterator<Item = Result<(), Stop>>) -> Self {
            Self { attempts: Mutex::new(attempts.into_iter().collect()), ..Self::default() }
        }

        async fn end(&self, retry_for: Duration) -> (bool, Vec<String>) {
            let (lost, shutdown) = (CancellationToken::new(), CancellationToken::new());
            let is_done = Attempts { retry_for, lost: &lost, shutdown: &shutdown }.at(self).await;
            (is_done, mem::take(&mut self.stops.lock()))
        }
    }

    impl Repeatable for Listed {
        fn operation(&self) -> &'static str {
            "anOperation"
        }

        async fn attempt(&self) -> Result<(), Stop> {
            *self.done.lock() += u64::from(self.gets_on);
            self.attempts.lock().pop_front().expect("no further attempt")
        }

        async fn stop(&self, stop: Stop) -> Result<(), PassingError> {
            self.stops.lock().push(format!("{stop:?}"));
            let mut away = self.away.lock();
            match stop {
                Stop::Again(error) => Err(error),
                _ if *away > 0 => {
                    *away -= 1;
                    Err(PassingError::new("the database is away"))
                }
                _ => Ok(()),
            }
        }

        async fn done(&self) -> Option<u64> {
            Some(*self.done.lock())
        }
    }

    fn again() -> Result<(), Stop> {
        Err(Stop::Again(PassingError::new("the database is away")))
    }

    #[tokio::test]
    async fn work_goes_on_after_errors_that_pass() {
        let work = Listed::new([again(), again(), Ok(())]);
        let (is_done, stops) = work.end(FOR_EVER).await;
        assert!(is_done);
        assert_eq!(stops.len(), 2, "{stops:?}");
    }

    #[tokio::test]
    async fn errors_without_an_end_fail_the_work_with_the_last_of_them() {
        let work = Listed::new([again(), again(), again()]);
        let (is_done, stops) = work.end(RETRY_FOR).await;
        assert!(!is_done);
        assert_eq!(stops.last().unwrap(), r#"Failed("the database is away, for 0 s")"#, "{stops:?}");
    }

    #[tokio::test]
    async fn work_that_gets_on_is_borne_with() {
        let attempts = (0..4).map(|_| again()).chain([Ok(())]);
        let work = Listed { gets_on: true, ..Listed::new(attempts) };
        let (is_done, stops) = work.end(RETRY_FOR).await;
        assert!(is_done, "{stops:?}");
    }

    #[tokio::test]
    async fn work_that_failed_is_not_attempted_again_while_its_end_cannot_be_stored() {
        let work = Listed::new([Err(Stop::Failed("the file is damaged".to_owned()))]);
        *work.away.lock() = 2;
        let (is_done, stops) = work.end(FOR_EVER).await;
        assert!(!is_done);
        assert_eq!(stops, [r#"Failed("the file is damaged")"#; 3]);
    }

    #[tokio::test]
    async fn nothing_is_attempted_once_another_instance_has_the_lease_or_the_service_stops() {
        for is_lost in [true, false] {
            let (lost, shutdown) = (CancellationToken::new(), CancellationToken::new());
            if is_lost { &lost } else { &shutdown }.cancel();
            let work = Listed::new([again()]);
            let attempts = Attempts { retry_for: FOR_EVER, lost: &lost, shutdown: &shutdown };
            assert!(!attempts.at(&work).await);
        }
    }
}
