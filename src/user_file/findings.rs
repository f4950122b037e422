//! What was noticed about a file beside its users and problems.

use std::collections::BTreeMap;

use serde::Serialize;

use super::target::Secret;

/// Names of columns that are kept.
const MAX_NAMES: usize = 100;

/// What was left out of a file on purpose, and where the file comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Findings {
    /// The source, as `--from` names it; none for a file made for this program.
    pub(crate) from: Option<String>,
    /// The source, for a person.
    #[serde(skip)]
    pub(crate) title: Option<&'static str>,
    /// Columns that no user's field is made of, the first hundred.
    pub(crate) ignored_columns: Vec<String>,
    /// Records that are no users, by their type.
    pub(crate) passed_over: BTreeMap<String, u64>,
    /// Secrets that were left out.
    pub(crate) dropped: Dropped,
}

/// Counts of secrets that are never taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dropped {
    pub(crate) login_tokens: u64,
    pub(crate) two_factor: u64,
    pub(crate) other_hashes: u64,
    pub(crate) other_services: u64,
}

impl Dropped {
    /// A sentence for a person, if there is anything to say.
    fn in_words(&self) -> Option<String> {
        let counts = [
            (self.login_tokens, "login tokens"),
            (self.two_factor, "second factors"),
            (self.other_hashes, "passwords and hashes of other systems"),
            (self.other_services, "accounts of other services"),
        ];
        let words: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        (!words.is_empty()).then(|| format!("left out for safety: {}", words.join(", ")))
    }
}

impl Findings {
    /// The remarks on the file, each for a person.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let (Some(title), Some(from)) = (self.title, &self.from) {
            remarks.push(format!("read as {title} (--from {from})"));
        }
        if !self.ignored_columns.is_empty() {
            remarks.push(format!("columns left out: {}", self.ignored_columns.join(", ")));
        }
        remarks.extend(self.passed_over.iter().map(|(kind, count)| {
            let records = if *count == 1 { "record" } else { "records" };
            format!("passed over: {count} {records} of the type {kind}")
        }));
        remarks.extend(self.dropped.in_words());
        remarks
    }

    pub(super) fn ignored(&mut self, name: &str) {
        if self.ignored_columns.len() < MAX_NAMES && !self.ignored_columns.iter().any(|known| known == name) {
            self.ignored_columns.push(name.to_owned());
        }
    }

    pub(super) fn dropped(&mut self, secret: Secret) {
        let count = match secret {
            Secret::LoginTokens => &mut self.dropped.login_tokens,
            Secret::TwoFactor => &mut self.dropped.two_factor,
            Secret::OtherHash => &mut self.dropped.other_hashes,
            Secret::OtherService => &mut self.dropped.other_services,
        };
        *count += 1;
    }

    pub(super) fn passed_over(&mut self, kind: &str) {
        let kind = if self.passed_over.len() < MAX_NAMES { kind } else { "other" };
        *self.passed_over.entry(kind.chars().take(MAX_NAMES).collect()).or_default() += 1;
    }
}
