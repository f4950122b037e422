//! The rules that a workspace has for people who sign up.
//!
//! Imports of users pass them over, in Rocket.Chat and here: the accounts are made without a look at them. Source:
//! `apps/meteor/app/importer/server/classes/converters/UserConverter.ts` (`batchConversion`). So they are worth a warning.

use regex::{Regex, RegexBuilder};

use super::{document::room_names::DEFAULT_PATTERN, staged::StagedUser};

/// Names by which a message mentions everybody.
///
/// Source: `apps/meteor/app/lib/server/functions/checkUsernameAvailability.ts`.
pub const MENTIONS_OF_ALL: [&str; 2] = ["all", "here"];
/// Beyond this a pattern is left alone.
const PATTERN_BYTES: usize = 1024 * 1024;

/// The rules as they are stored.
#[derive(Debug, Clone, Default)]
pub struct SignUpRules {
    /// `UTF8_User_Names_Validation` as it is stored, and for a whole name. `None` for a pattern that cannot be read.
    names: Option<(String, Regex)>,
    /// `Accounts_BlockedUsernameList`, in lower case.
    blocked_names: Vec<String>,
    /// `Accounts_SystemBlockedUsernameList`, in lower case.
    reserved_names: Vec<String>,
    /// `Accounts_AllowedDomainsList`; nothing in it allows all.
    allowed_domains: Vec<String>,
    /// `Accounts_BlockedDomainsList`.
    blocked_domains: Vec<String>,
}

/// The stored texts of the settings.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignUpSettings<'a> {
    pub names: &'a str,
    pub blocked_names: &'a str,
    pub reserved_names: &'a str,
    pub allowed_domains: &'a str,
    pub blocked_domains: &'a str,
}

/// A value that nobody could sign up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub kind: DoubtKind,
    /// A sentence with the value and the way out.
    pub reason: String,
}

/// The field of a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubtKind {
    Username,
    Domain,
    /// A channel that nobody can join. It keeps no user out.
    Channel,
}

impl DoubtKind {
    /// The word in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Domain => "domain",
            Self::Channel => "channel",
        }
    }
}

impl SignUpRules {
    /// Reads the settings.
    ///
    /// Source: `apps/meteor/app/lib/server/functions/validateUsername.ts`, `checkUsernameAvailability.ts` and
    /// `validateName.ts`; `apps/meteor/app/lib/server/lib/validateEmailDomain.ts`. Rocket.Chat's built-in list of domains
    /// and its question to the DNS are left out.
    #[must_use]
    pub fn new(settings: SignUpSettings<'_>) -> Self {
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
        };
        let lower = |text: &str| list(&text.to_lowercase());
        let pattern = if settings.names.is_empty() { DEFAULT_PATTERN } else { settings.names };
        let whole = RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(PATTERN_BYTES).build();
        Self {
            names: whole.ok().map(|whole| (pattern.to_owned(), whole)),
            blocked_names: lower(settings.blocked_names),
            reserved_names: lower(settings.reserved_names),
            allowed_domains: list(settings.allowed_domains),
            blocked_domains: list(settings.blocked_domains),
        }
    }

    /// Returns the values of the user that nobody could sign up with.
    #[must_use]
    pub fn doubts(&self, user: StagedUser<'_>) -> Vec<Doubt> {
        let username = user.username().and_then(|name| self.about_username(name));
        let domains = user.emails().filter_map(|address| self.about_domain(address));
        let domains = domains.map(|reason| Doubt { kind: DoubtKind::Domain, reason });
        username.map(|reason| Doubt { kind: DoubtKind::Username, reason }).into_iter().chain(domains).collect()
    }

    fn about_username(&self, name: &str) -> Option<String> {
        let lower = name.to_lowercase();
        let problem = if MENTIONS_OF_ALL.contains(&lower.as_str()) {
            "is a mention of everybody".to_owned()
        } else if self.reserved_names.contains(&lower) {
            "is reserved by the setting Accounts_SystemBlockedUsernameList".to_owned()
        } else if self.blocked_names.contains(&lower) {
            "is blocked by the setting Accounts_BlockedUsernameList".to_owned()
        } else {
            let (pattern, _) = self.names.as_ref().filter(|(_, whole)| !whole.is_match(name))?;
            format!("does not fit the setting UTF8_User_Names_Validation ({pattern}), so it cannot be mentioned")
        };
        Some(format!("username \"{name}\" {problem}: an import takes it all the same; choose another"))
    }

    fn about_domain(&self, address: &str) -> Option<String> {
        let (_, domain) = address.rsplit_once('@')?;
        let is_in = |list: &[String]| list.iter().any(|entry| entry == domain);
        let problem = if !self.allowed_domains.is_empty() && !is_in(&self.allowed_domains) {
            "is not in the setting Accounts_AllowedDomainsList"
        } else if is_in(&self.blocked_domains) {
            "is blocked by the setting Accounts_BlockedDomainsList"
        } else {
            return None;
        };
        Some(format!(
            "the domain of e-mail \"{address}\" {problem}: an import takes it all the same; correct the address"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::field_value::{FieldValue, Fields};

    fn words(rules: &SignUpRules, username: &str, email: &str) -> String {
        let emails = FieldValue::List(vec![FieldValue::Text(email.into())]);
        let user = Fields::from_iter([("username", FieldValue::Text(username.into())), ("emails", emails)]);
        let doubts = rules.doubts(StagedUser::new(&user));
        doubts.into_iter().map(|doubt| doubt.reason).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn the_settings_are_read_as_rocket_chat_reads_them() {
        let rules = SignUpRules::new(SignUpSettings {
            names: "[a-zß]+",
            blocked_names: "boss, Chief",
            reserved_names: "admin,system",
            allowed_domains: "corp.example, partner.example",
            blocked_domains: "partner.example",
        });
        for (username, email, told) in [
            ("voß", "a@corp.example", ""),
            ("CHIEF", "a@corp.example", "Accounts_BlockedUsernameList"),
            ("Admin", "a@corp.example", "Accounts_SystemBlockedUsernameList"),
            ("ann1", "a@corp.example", "UTF8_User_Names_Validation ([a-zß]+)"),
            ("ann", "a@Corp.example", "Accounts_AllowedDomainsList"),
            ("ann", "a@b@partner.example", "Accounts_BlockedDomainsList"),
            ("ann", "no address", ""),
        ] {
            let words = words(&rules, username, email);
            assert!(words.contains(told) && words.is_empty() == told.is_empty(), "{username} {email}: {words}");
        }
        let open = SignUpRules::new(SignUpSettings { names: "(?=a)a+", ..SignUpSettings::default() });
        assert_eq!(words(&open, "Ann Lee", "a@b.c"), "", "a pattern that is not understood finds nothing wrong");
        let usual = SignUpRules::new(SignUpSettings::default());
        assert_eq!(words(&usual, "ann.o-b_1", "a@b.c"), "");
        assert!(words(&usual, "Ann Lee", "a@b.c").contains("[0-9a-zA-Z-_.]+"));
    }
}
