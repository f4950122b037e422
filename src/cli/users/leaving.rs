//! The people of a source: who came from it, and the accounts of those whom it no longer holds.

use std::collections::HashSet;

use clap::Args;
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::{
    super::{
        CommandError,
        console::Console,
        words::{counted, printable},
    },
    batches::KeptUsers,
    disk,
};
use crate::{
    client::{Client, ClientError, Leaving, LeftPerson, ReturnedPerson},
    domain::leaving::{DeactivateLimit, SourceName},
};

#[derive(Debug, Args)]
#[command(next_help_heading = "People who leave")]
pub(super) struct LeavingArgs {
    /// Name of the system that the file comes from; with --run the server keeps which import ids came from it
    #[arg(long, value_name = "NAME", value_parser = source_name)]
    source: Option<String>,

    /// Deactivate the accounts of people whom the source held in former runs and the file does not hold any more
    #[arg(long, requires = "source")]
    deactivate_missing: bool,

    /// Deactivate nobody if there are more: a number, or a percentage of the source's people [default: 5%, at least 10]
    #[arg(long, value_name = "LIMIT", requires = "deactivate_missing", value_parser = deactivate_limit)]
    deactivate_limit: Option<String>,
}

fn source_name(name: &str) -> Result<String, String> {
    name.parse::<SourceName>().map(|name| name.as_str().to_owned())
}

fn deactivate_limit(limit: &str) -> Result<String, String> {
    limit.parse::<DeactivateLimit>().map(|_| limit.to_owned())
}

/// What became of those who left, and of the source. Its JSON form is described in `docs/reference/command-line.md`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SourceReport {
    source: String,
    /// Import ids that are kept since this call; `None` if none were to be kept.
    added: Option<u64>,
    /// Import ids that the source holds.
    people: u64,
    /// How many accounts may be deactivated; `None` if none were to be.
    limit: Option<u64>,
    /// Whether `left` says what would be.
    is_check: bool,
    /// How many of those in `left` are deactivated, or would be.
    deactivated: u64,
    left: Vec<LeftPerson>,
    returned: Vec<ReturnedPerson>,
    /// The operation whose receipt says who was deactivated; `None` where nobody was to be imported.
    receipt: Option<String>,
}

/// A source and the people of a whole file.
#[derive(Debug)]
pub(super) struct SourceFile<'a> {
    args: &'a LeavingArgs,
    source: &'a str,
    import_ids: Vec<String>,
}

impl LeavingArgs {
    /// The flags given that ask for what Rocket.Chat's own import API cannot do.
    pub(super) fn beyond_rocketchat(&self) -> impl Iterator<Item = &'static str> {
        let flags = [("--source", self.source.is_some()), ("--deactivate-missing", self.deactivate_missing)];
        flags.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    /// Whether a file with errors is refused even without its bad lines: they may be people who are still there.
    pub(super) fn wants_a_whole_file(&self) -> bool {
        self.deactivate_missing
    }

    /// The people of the file, where it comes from a source.
    pub(super) fn people(&self, users: &mut KeptUsers) -> Result<Option<SourceFile<'_>>, CommandError> {
        let Some(source) = &self.source else { return Ok(None) };
        let mut import_ids = Vec::new();
        while let Some(user) = users.next().map_err(|error| disk(&error))? {
            let user: Value = serde_json::from_str(&user.text).map_err(CommandError::failed)?;
            let ids = user["importIds"].as_array().map(Vec::as_slice).unwrap_or_default();
            import_ids.extend(ids.iter().map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)));
        }
        users.go_to(0).map_err(|error| disk(&error))?;
        Ok(Some(SourceFile { args: self, source, import_ids }))
    }
}

impl SourceFile<'_> {
    /// Says who would be deactivated; `None` where nobody is to be.
    ///
    /// # Errors
    /// When there are more than the limit allows.
    pub(super) async fn foresee(&self, client: &Client) -> Result<Option<SourceReport>, CommandError> {
        if !self.args.deactivate_missing {
            return Ok(None);
        }
        let leaving = self.deactivate(client, true, None).await?;
        Ok(Some(SourceReport {
            source: self.source.to_owned(),
            people: leaving.people,
            limit: Some(leaving.limit),
            is_check: true,
            deactivated: deactivated(&leaving.left),
            left: leaving.left,
            returned: leaving.returned,
            ..SourceReport::default()
        }))
    }

    /// Deactivates who is missing, where that is wanted, and has the server keep who came from the source.
    /// The receipt of the operation says who was deactivated, if the file took one.
    pub(super) async fn finish(
        &self,
        client: &Client,
        operation: Option<&str>,
        report: &mut Option<SourceReport>,
    ) -> Result<(), CommandError> {
        let receipt = operation.map(str::to_owned);
        let report = report.insert(SourceReport { source: self.source.to_owned(), receipt, ..SourceReport::default() });
        let mut is_over = !self.args.deactivate_missing;
        while !is_over {
            let Leaving { limit, left, remaining, .. } = self.deactivate(client, false, operation).await?;
            report.limit.get_or_insert(limit);
            // Those that are refused come again with each call.
            let known: HashSet<String> = report.left.iter().map(|person| person.account.clone()).collect();
            report.left.extend(left.into_iter().filter(|person| !known.contains(&person.account)));
            report.deactivated = deactivated(&report.left);
            is_over = remaining == 0;
        }
        let kept = client.keep_source(self.source, &self.import_ids).await?.ok_or_else(unable)?;
        report.added = Some(kept.added);
        report.people = kept.people;
        report.returned = kept.returned;
        Ok(())
    }

    async fn deactivate(
        &self,
        client: &Client,
        is_check: bool,
        operation: Option<&str>,
    ) -> Result<Leaving, CommandError> {
        let limit = self.args.deactivate_limit.as_deref();
        match client.deactivate_missing(self.source, &self.import_ids, limit, is_check, operation).await {
            Ok(leaving) => leaving.ok_or_else(unable),
            Err(ClientError::Refused { reason, .. }) if reason.contains("error-deactivate-limit") => {
                Err(CommandError::Failed(format!("{reason} (--deactivate-limit)")))
            }
            Err(error @ ClientError::NotAllowed { status: StatusCode::FORBIDDEN, .. }) => Err(CommandError::Server(
                format!("{error} (--deactivate-missing takes run-import and edit-other-user-active-status)"),
            )),
            Err(error) => Err(error.into()),
        }
    }
}

fn deactivated(left: &[LeftPerson]) -> u64 {
    left.iter().filter(|person| person.outcome == "deactivated").count() as u64
}

fn unable() -> CommandError {
    CommandError::Setting("this server keeps no sources: leave --source and --deactivate-missing out".to_owned())
}

impl SourceReport {
    /// # Errors
    /// When somebody who left keeps an active account.
    pub(super) fn verdict(&self) -> Result<(), CommandError> {
        let refused = self.left.iter().filter(|person| person.outcome == "refused").count() as u64;
        if refused == 0 {
            return Ok(());
        }
        let verb = if self.is_check { "would not be deactivated" } else { "were not deactivated" };
        Err(CommandError::UsersFailed(format!("{} of people who left {verb}", counted(refused, "account"))))
    }

    pub(super) fn show(&self, console: &Console) {
        for person in &self.left {
            console.notice(&printable(&self.line_about(person)));
        }
        for ReturnedPerson { import_ids, account, username } in &self.returned {
            let name = username.as_ref().unwrap_or(account);
            console.notice(&printable(&format!(
                "back: {name} (import id {}) had left the source {} and is in the file again, but the account is inactive: \
                 activate it in Rocket.Chat",
                import_ids.join(", "),
                self.source
            )));
        }
        if self.limit.is_some() {
            let verb = if self.is_check { "would be deactivated" } else { "deactivated" };
            console.notice(&format!("{}: {} {verb}", self.source, counted(self.deactivated, "account")));
            if self.receipt.is_none() && !self.is_check && self.deactivated > 0 {
                console.notice(&format!(
                    "{source}: nobody was to be imported, so no receipt says who was deactivated: \
                     import.leavers?source={source} does",
                    source = self.source
                ));
            }
        }
        if let Some(added @ 1..) = self.added {
            console.notice(&format!("{}: {} new, {} in all", self.source, counted(added, "import id"), self.people));
        }
    }

    fn line_about(&self, person: &LeftPerson) -> String {
        let LeftPerson { import_ids, account, username, outcome, reason, new_owners, left_rooms } = person;
        let name = username.as_ref().unwrap_or(account);
        let what = match (outcome.as_str(), self.is_check) {
            ("deactivated", true) => "would be deactivated",
            ("refused", true) => "would not be deactivated",
            ("refused", false) => "not deactivated",
            ("same", _) => "was deactivated or removed meanwhile",
            (outcome, _) => outcome,
        };
        let mut parts = vec![format!("left: {name} (import id {}): {what}", import_ids.join(", "))];
        parts.extend(reason.clone());
        if !new_owners.is_empty() {
            parts.push(format!("{} with a new owner", counted(new_owners.len() as u64, "room")));
        }
        if !left_rooms.is_empty() {
            parts.push(format!("nobody else is active in the rooms {}", left_rooms.join(", ")));
        }
        parts.join("; ")
    }
}
