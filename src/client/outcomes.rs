//! The outcomes of an import, counted from its receipt.

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{Client, ClientError, ReceiptForm, lines::Lines};
use crate::domain::receipt::DEACTIVATED;

/// As many accounts are listed that are worth a look.
const LISTED: usize = 100;
/// As many new accounts without a password are listed.
const PASSWORDLESS_LISTED: usize = 20;

/// The outcomes of an import.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OutcomeCounts {
    pub(crate) created: u64,
    pub(crate) linked: u64,
    pub(crate) updated: u64,
    pub(crate) same: u64,
    pub(crate) failed: u64,
    /// Channels that new accounts joined.
    pub(crate) memberships: u64,
    /// New accounts without a password.
    pub(crate) without_password: u64,
    /// The first of them, by their first import ids.
    pub(crate) passwordless: Vec<String>,
    /// Accounts that were found otherwise than by an import id, and left without it.
    pub(crate) lacking_import_id: u64,
    /// Accounts that were found by an address that nobody verified, or by name alone.
    pub(crate) unsure_count: u64,
    /// The first of them.
    pub(crate) unsure: Vec<UnsureMatch>,
}

/// An account that may be another person's.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnsureMatch {
    pub(crate) import_ids: Vec<String>,
    pub(crate) account: String,
    pub(crate) found_by: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    outcome: String,
    became: Option<String>,
    #[serde(default)]
    import_ids: Vec<String>,
    found_by: Option<String>,
    #[serde(default)]
    memberships: u64,
    #[serde(default)]
    without_password: bool,
    #[serde(default)]
    changed: Changed,
}

/// The fields that were changed in an account that was there.
#[derive(Debug, Default, Deserialize)]
struct Changed {
    password: Option<IgnoredAny>,
}

impl OutcomeCounts {
    /// Counts an outcome by its word.
    pub(crate) fn count(&mut self, outcome: &str) {
        match outcome {
            "created" => self.created += 1,
            "linked" => self.linked += 1,
            "updated" => self.updated += 1,
            "same" => self.same += 1,
            // Beside the records.
            DEACTIVATED => {}
            _ => self.failed += 1,
        }
    }

    fn add(&mut self, line: Line) {
        self.count(&line.outcome);
        self.memberships += line.memberships;
        self.without_password += u64::from(line.without_password);
        if line.without_password && self.passwordless.len() < PASSWORDLESS_LISTED {
            self.passwordless.extend(line.import_ids.first().cloned());
        }
        if let Some(found_by) = line.found_by {
            self.add_found(&line.outcome, line.import_ids, line.became, found_by);
        }
    }

    /// Counts an account that was found if it lacks the import id, or may be another person's.
    pub(crate) fn add_found(
        &mut self,
        outcome: &str,
        import_ids: Vec<String>,
        account: Option<String>,
        found_by: String,
    ) {
        self.lacking_import_id += u64::from(outcome == "same" && found_by != "importId" && !import_ids.is_empty());
        if !matches!(found_by.as_str(), "unverifiedEmail" | "username") {
            return;
        }
        self.unsure_count += 1;
        if self.unsure.len() < LISTED {
            self.unsure.push(UnsureMatch { import_ids, account: account.unwrap_or_default(), found_by });
        }
    }

    /// Adds the outcomes of other users.
    pub(crate) fn extend(&mut self, more: Self) {
        self.created += more.created;
        self.linked += more.linked;
        self.updated += more.updated;
        self.same += more.same;
        self.failed += more.failed;
        self.memberships += more.memberships;
        self.without_password += more.without_password;
        self.passwordless.extend(more.passwordless);
        self.passwordless.truncate(PASSWORDLESS_LISTED);
        self.lacking_import_id += more.lacking_import_id;
        self.unsure_count += more.unsure_count;
        self.unsure.extend(more.unsure);
        self.unsure.truncate(LISTED);
    }
}

impl Client {
    /// Counts the outcomes of the operation. `look` sees each record's outcome, its import ids, and whether an account that was
    /// there took its password.
    pub(crate) async fn outcomes(
        &self,
        operation: &str,
        mut look: impl FnMut(&str, &[String], bool),
    ) -> Result<OutcomeCounts, ClientError> {
        let report = self.receipt(Some(operation), ReceiptForm::Jsonl, false).await?;
        let (mut counts, mut lines) = (OutcomeCounts::default(), Lines::new(report, "import.receipt"));
        while let Some(line) = lines.next::<Line>().await? {
            look(&line.outcome, &line.import_ids, line.changed.password.is_some());
            counts.add(line);
        }
        Ok(counts)
    }
}
