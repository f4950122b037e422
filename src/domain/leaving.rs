//! People who leave: a source no longer holds them.

use std::str::FromStr;

/// The share of a source's people who may be deactivated at once, unless another limit is given.
const DEFAULT_PERCENT: u64 = 5;
/// As many may be deactivated whatever the share, so that small sources need no limit of their own.
const DEFAULT_LEAST: u64 = 10;
const LONGEST_SOURCE_CHARACTERS: usize = 100;

/// The name of the system that files of users come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceName(String);

impl SourceName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = String;

    /// Takes 1 to 100 characters without control characters and without blanks at the ends.
    fn from_str(name: &str) -> Result<Self, String> {
        let is_fit = !name.is_empty()
            && name.trim() == name
            && name.chars().count() <= LONGEST_SOURCE_CHARACTERS
            && !name.chars().any(char::is_control);
        if is_fit {
            return Ok(Self(name.to_owned()));
        }
        Err(format!("the name of a source has 1 to {LONGEST_SOURCE_CHARACTERS} characters, and no blanks at its ends"))
    }
}

/// How many accounts may be deactivated because a source no longer holds their people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeactivateLimit {
    /// 5 % of the source's people, at least 10.
    #[default]
    Default,
    /// So many percent of the source's people.
    Percent(u64),
    Accounts(u64),
}

impl DeactivateLimit {
    /// The limit in accounts for a source of so many people.
    #[must_use]
    pub const fn accounts(self, people: u64) -> u64 {
        match self {
            Self::Default => {
                let share = people.saturating_mul(DEFAULT_PERCENT) / 100;
                if share > DEFAULT_LEAST { share } else { DEFAULT_LEAST }
            }
            Self::Percent(percent) => people.saturating_mul(percent) / 100,
            Self::Accounts(accounts) => accounts,
        }
    }
}

impl FromStr for DeactivateLimit {
    type Err = String;

    /// Takes a whole number, or one from 0 to 100 with a percent sign.
    fn from_str(limit: &str) -> Result<Self, String> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let wrong = || "a limit is a whole number such as 20, or a percentage such as 5%".to_owned();
        let (number, is_percentage) = limit.strip_suffix('%').map_or((limit, false), |number| (number, true));
        let number = if is_number(number) { number.parse().map_err(|_| wrong())? } else { return Err(wrong()) };
        match is_percentage {
            true if number > 100 => Err(wrong()),
            true => Ok(Self::Percent(number)),
            false => Ok(Self::Accounts(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_share_or_a_number_and_by_itself_never_below_ten() {
        for (text, people, accounts) in [("5%", 1000, 50), ("5%", 10, 0), ("0", 1000, 0), ("37", 10, 37)] {
            assert_eq!(text.parse::<DeactivateLimit>().unwrap().accounts(people), accounts, "{text} of {people}");
        }
        for (people, accounts) in [(0, 10), (200, 10), (220, 11), (100_000, 5000)] {
            assert_eq!(DeactivateLimit::default().accounts(people), accounts, "{people}");
        }
        for wrong in ["", "%", "-1", "+5", "101%", "5 %", "2.5%", "all"] {
            wrong.parse::<DeactivateLimit>().unwrap_err();
        }
    }

    #[test]
    fn the_name_of_a_source_is_one_line_without_blanks_around_it() {
        assert_eq!("hr eu".parse::<SourceName>().unwrap().as_str(), "hr eu");
        for wrong in ["", " hr", "hr ", "h\nr", &"x".repeat(101)] {
            wrong.parse::<SourceName>().unwrap_err();
        }
    }
}
