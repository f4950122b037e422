//! The workspace's policy for calls of the API: rate limit and CORS.

use std::time::Duration;

use crate::domain::{api::call_window::CallLimit, caller::Caller};

/// The policy of every endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiPolicy {
    /// `None`: no limit.
    pub call_limit: Option<CallLimit>,
    /// The `_id`s of the roles without a limit.
    pub unlimited_roles: Vec<String>,
    pub cross_origin: CrossOrigin,
}

/// The origins whose pages may call the API from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrossOrigin {
    None,
    Any,
    /// In lower case.
    Listed(Vec<String>),
}

impl ApiPolicy {
    /// Returns the limit for this caller.
    #[must_use]
    pub fn limit_for(&self, caller: &Caller) -> Option<CallLimit> {
        self.call_limit.filter(|_| !caller.has_one_of(&self.unlimited_roles))
    }
}

impl CrossOrigin {
    /// From the two settings of Rocket.Chat's: a switch, and `*` or a list with commas.
    ///
    /// Source: `apps/meteor/server/api/v1/middlewares/cors.ts`.
    #[must_use]
    pub fn new(is_enabled: bool, origins: &str) -> Self {
        match (is_enabled, origins) {
            (false, _) => Self::None,
            (true, "*") => Self::Any,
            (true, list) => Self::Listed(list.split(',').map(|origin| origin.trim().to_lowercase()).collect()),
        }
    }
}

/// The limit that Rocket.Chat's numbers stand for. A number that is not there (0) is no limit, nor is a time that has
/// ended before it began.
///
/// Source: `apps/meteor/server/api/ApiClass.ts` (`shouldAddRateLimitToRoute`).
#[must_use]
pub fn call_limit(calls: i64, window_millis: i64) -> Option<CallLimit> {
    let window = u64::try_from(window_millis).ok().filter(|millis| *millis > 0).map(Duration::from_millis)?;
    // Every number of calls is more than a negative one.
    let calls = (calls != 0).then(|| u64::try_from(calls).unwrap_or(0))?;
    Some(CallLimit { calls, window })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_a_limit_as_in_rocket_chat() {
        let limit = |calls, millis| Some(CallLimit { calls, window: Duration::from_millis(millis) });
        assert_eq!(call_limit(10, 60_000), limit(10, 60_000));
        assert_eq!(call_limit(-3, 1), limit(0, 1));
        for (calls, millis) in [(0, 60_000), (10, 0), (10, -1), (0, 0), (10, i64::MIN)] {
            assert_eq!(call_limit(calls, millis), None, "{calls} in {millis} ms");
        }
        assert_eq!(call_limit(i64::MAX, i64::MAX), limit(i64::MAX.unsigned_abs(), i64::MAX.unsigned_abs()));
    }

    #[test]
    fn origins_are_listed_in_lower_case() {
        assert_eq!(CrossOrigin::new(false, "*"), CrossOrigin::None);
        assert_eq!(CrossOrigin::new(true, "*"), CrossOrigin::Any);
        let listed = CrossOrigin::Listed(vec!["https://a.example".to_owned(), "http://b".to_owned()]);
        assert_eq!(CrossOrigin::new(true, " https://A.example , http://b"), listed);
        assert_eq!(CrossOrigin::new(true, ""), CrossOrigin::Listed(vec![String::new()]));
    }

    #[test]
    fn who_has_one_of_the_roles_has_no_limit() {
        let rules = ApiPolicy {
            call_limit: call_limit(10, 60_000),
            unlimited_roles: vec!["admin".to_owned(), "bot".to_owned()],
            cross_origin: CrossOrigin::None,
        };
        let caller = |roles: &[&str]| Caller {
            id: "caller".to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        assert_eq!(rules.limit_for(&caller(&["user", "bot"])), None);
        assert_eq!(rules.limit_for(&caller(&["user"])), rules.call_limit);
        assert_eq!(rules.limit_for(&caller(&[])), rules.call_limit);
    }
}
