//! The rate limit: calls of one address to one route within a window of time.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Addresses counted apart in one window. All later ones share one count, so a client with more addresses can neither
/// fill the memory nor avoid the limit.
const MOST_ADDRESSES: usize = 10_000;

/// A number of calls per window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimit {
    pub calls: u64,
    pub window: Duration,
}

/// The outcome of counting one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallVerdict {
    pub allowed: bool,
    /// Calls per window.
    pub limit: u64,
    /// Calls left in this window, after this one.
    pub remaining: u64,
    /// Time until the window ends; never zero.
    pub resets_in: Duration,
}

/// The windows of all routes. A route has one window for all its addresses: it begins with a call, and the first call
/// after its end begins the next one.
///
/// Source: `apps/meteor/server/api/ApiClass.ts` (`enforceRateLimit`) and Meteor's `packages/rate-limit`.
#[derive(Debug)]
pub struct CallWindows<R> {
    windows: HashMap<R, Window>,
    most_addresses: usize,
}

#[derive(Debug)]
struct Window {
    limit: CallLimit,
    began: Instant,
    calls: HashMap<IpAddr, u64>,
    /// The shared count of all addresses beyond the bound.
    calls_of_others: u64,
}

impl<R: Hash + Eq> CallWindows<R> {
    /// Counts a call that came `now`, refused or not. A limit other than the window's own begins a new window.
    pub fn count(&mut self, route: R, address: IpAddr, limit: CallLimit, now: Instant) -> CallVerdict {
        self.windows.retain(|_, window| !window.is_over(now));
        let window = self.windows.entry(route).or_insert_with(|| Window::begin(limit, now));
        if window.limit != limit {
            *window = Window::begin(limit, now);
        }
        window.count(address, now, self.most_addresses)
    }
}

impl Window {
    fn begin(limit: CallLimit, now: Instant) -> Self {
        Self { limit, began: now, calls: HashMap::new(), calls_of_others: 0 }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= self.limit.window
    }

    fn count(&mut self, address: IpAddr, now: Instant, most_addresses: usize) -> CallVerdict {
        let has_room = self.calls.len() < most_addresses || self.calls.contains_key(&address);
        let calls = if has_room { self.calls.entry(address).or_default() } else { &mut self.calls_of_others };
        *calls = calls.saturating_add(1);
        let CallLimit { calls: limit, window } = self.limit;
        CallVerdict {
            allowed: *calls <= limit,
            limit,
            remaining: limit.saturating_sub(*calls),
            resets_in: window.saturating_sub(now.saturating_duration_since(self.began)),
        }
    }
}

impl<R> Default for CallWindows<R> {
    fn default() -> Self {
        Self { windows: HashMap::new(), most_addresses: MOST_ADDRESSES }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    const ROUTE: &str = "GET /api/v1/import.status";
    const MINUTE: Duration = Duration::from_secs(60);
    const TEN_A_MINUTE: CallLimit = CallLimit { calls: 10, window: MINUTE };

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[test]
    fn the_eleventh_call_of_a_window_is_one_too_many() {
        let (mut windows, start) = (CallWindows::default(), Instant::now());
        for call in 1..=12 {
            let now = start + Duration::from_secs(call);
            let verdict = windows.count(ROUTE, address(1), TEN_A_MINUTE, now);
            let expected = CallVerdict {
                allowed: call <= 10,
                limit: 10,
                remaining: 10_u64.saturating_sub(call),
                resets_in: Duration::from_secs(61 - call),
            };
            assert_eq!(verdict, expected, "call {call}");
        }
        let after = windows.count(ROUTE, address(1), TEN_A_MINUTE, start + Duration::from_secs(61));
        assert_eq!((after.allowed, after.remaining, after.resets_in), (true, 9, MINUTE));
    }

    #[test]
    fn addresses_and_routes_are_counted_apart_and_a_new_limit_begins_anew() {
        let (mut windows, now) = (CallWindows::default(), Instant::now());
        let once = CallLimit { calls: 1, window: MINUTE };
        let mut allowed = |route, number, limit| windows.count(route, address(number), limit, now).allowed;
        assert!(allowed(ROUTE, 1, once));
        assert!(!allowed(ROUTE, 1, once));
        assert!(allowed(ROUTE, 2, once));
        assert!(allowed("POST /api/v1/import.run", 1, once));
        let twice = CallLimit { calls: 2, window: MINUTE };
        assert!(allowed(ROUTE, 1, twice));
        assert!(allowed(ROUTE, 1, twice));
        assert!(!allowed(ROUTE, 1, twice));
    }

    #[test]
    fn many_addresses_do_not_grow_the_memory_and_are_counted_together_in_the_end() {
        let (mut windows, now) = (CallWindows::default(), Instant::now());
        for number in 0..200_000 {
            let verdict = windows.count(ROUTE, address(number), TEN_A_MINUTE, now);
            assert_eq!(verdict.allowed, usize::try_from(number).unwrap() < MOST_ADDRESSES + 10, "address {number}");
        }
        assert_eq!(windows.windows[ROUTE].calls.len(), MOST_ADDRESSES);
        assert!(windows.count(ROUTE, address(0), TEN_A_MINUTE, now).allowed, "whoever came early has its own count");
        windows.count("another", address(0), TEN_A_MINUTE, now + MINUTE);
        assert_eq!(windows.windows.keys().collect::<Vec<_>>(), [&"another"], "a window that has ended is dropped");
    }

    proptest! {
        /// Held against the plain words of the rule: the calls since the last window began.
        #[test]
        fn nobody_gets_more_calls_than_the_limit_in_a_window_nor_fewer(
            limit in 0..6_u64,
            calls in vec((0..40_u64, 0..3_u32), 1..200),
        ) {
            let limit = CallLimit { calls: limit, window: Duration::from_millis(100) };
            let mut windows = CallWindows::default();
            let (mut now, mut began) = (Instant::now(), None);
            let mut counts = [0_u64; 3];
            for (pause, caller) in calls {
                now += Duration::from_millis(pause);
                if began.is_none_or(|began| now - began >= limit.window) {
                    (began, counts) = (Some(now), [0; 3]);
                }
                let count = &mut counts[caller as usize];
                *count += 1;
                let verdict = windows.count(ROUTE, address(caller), limit, now);
                prop_assert_eq!(verdict.allowed, *count <= limit.calls);
                prop_assert_eq!(verdict.remaining, limit.calls.saturating_sub(*count));
                prop_assert_eq!(verdict.resets_in, limit.window.saturating_sub(now - began.unwrap()));
            }
        }
    }
}
