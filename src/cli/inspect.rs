//! `inspect`: the content of an import file, read without a server.

use std::{fmt::Write as _, fs::File, path::PathBuf, sync::Arc};

use clap::Args;
use serde_json::{Value, json};

use super::{
    CommandError,
    console::print,
    importer::{ImporterName, readers_of},
};
use crate::{
    domain::record_type::RecordType,
    importers::{Element, Format, Problem, ReadAt, Selectable, Tally},
};

/// Problems printed without `--all`.
const PROBLEMS_SHOWN: usize = 20;

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// Slack export, CSV zip, Slack's member list, list of contacts, or staged records as JSON lines
    file: PathBuf,

    /// Importer that reads the file; without it the first that can
    #[arg(long, value_enum)]
    importer: Option<ImporterName>,

    /// Print every problem, not only the first
    #[arg(long)]
    all: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The account of a file.
#[derive(Debug)]
struct Account {
    format: Format,
    tally: Tally,
    private_channels: u64,
    direct_messages: u64,
    problems: Vec<Problem>,
}

/// Reads the whole file and prints its records, its problems and the elements passed over.
pub(super) async fn run(args: InspectArgs) -> Result<(), CommandError> {
    let account = tokio::task::spawn_blocking(move || {
        let account = read(&args)?;
        Ok::<_, CommandError>((account, args))
    });
    let (account, args) = account.await.map_err(CommandError::failed)??;
    if args.json {
        return print(&account.as_json().to_string());
    }
    print(account.as_text(args.all).trim_end())
}

fn read(args: &InspectArgs) -> Result<Account, CommandError> {
    let unusable = |reason: String| CommandError::File(format!("{}: {reason}", args.file.display()));
    let file = File::open(&args.file).map_err(|error| unusable(error.to_string()))?;
    let file: Arc<dyn ReadAt> = Arc::new(file);
    let readers = readers_of(&file, args.importer).map_err(unusable)?;
    let Some((format, reader)) = readers.into_iter().next() else {
        return Err(unusable("no importer takes it".to_owned()));
    };
    let mut account =
        Account { format, tally: Tally::default(), private_channels: 0, direct_messages: 0, problems: Vec::new() };
    for element in reader {
        let element = element.map_err(|error| unusable(error.to_string()))?;
        account.add(element, args.all || args.json);
    }
    Ok(account)
}

impl Account {
    fn add(&mut self, element: Element, keep_all_problems: bool) {
        self.tally.add(&element);
        match element {
            Element::Record(record) => match Selectable::of(record.kind, &record.data) {
                Selectable::DirectMessages => self.direct_messages += 1,
                Selectable::Channel(channel) if channel.is_private => self.private_channels += 1,
                _ => {}
            },
            Element::Problem(problem) => {
                if keep_all_problems || self.problems.len() < PROBLEMS_SHOWN {
                    self.problems.push(problem);
                }
            }
            Element::PassedOver(_) => {}
        }
    }

    fn count(&self, kind: RecordType) -> u64 {
        self.tally.records.get(&kind).copied().unwrap_or_default()
    }

    fn problem_count(&self) -> u64 {
        self.tally.problems.values().sum()
    }

    fn as_text(&self, all: bool) -> String {
        let mut text = format!("importer: {}\n", self.format.importer_key());
        // Writing to a string cannot fail.
        for (label, kind) in [
            ("users", RecordType::User),
            ("contacts", RecordType::Contact),
            ("channels", RecordType::Channel),
            ("messages", RecordType::Message),
        ] {
            let _ = write!(text, "{label}: {}", self.count(kind));
            if kind == RecordType::Channel {
                let _ = write!(text, " ({} private, {} direct messages)", self.private_channels, self.direct_messages);
            }
            text.push('\n');
        }
        for (note, count) in &self.tally.notes {
            let _ = writeln!(text, "note: {count} × {}", note.label());
        }
        for ((kind, reason), count) in &self.tally.passed_over {
            let _ = writeln!(text, "passed over: {count} × {kind}: {reason}");
        }
        let _ = writeln!(text, "problems: {}", self.problem_count());
        for problem in &self.problems {
            let _ = writeln!(text, "  {}: {}", problem.place, problem.reason);
        }
        if !all && self.problem_count() > self.problems.len() as u64 {
            let _ = writeln!(text, "  … {} more, see --all", self.problem_count() - self.problems.len() as u64);
        }
        text
    }

    fn as_json(&self) -> Value {
        let problems: Vec<Value> = self
            .problems
            .iter()
            .map(|problem| {
                json!({
                    "type": problem.kind,
                    "place": problem.place.to_string(),
                    "ids": problem.ids,
                    "reason": problem.reason,
                })
            })
            .collect();
        let passed_over: Vec<Value> = self
            .tally
            .passed_over
            .iter()
            .map(|((kind, reason), count)| json!({ "kind": kind, "reason": reason, "count": count }))
            .collect();
        json!({
            "importer": self.format.importer_key(),
            "users": self.count(RecordType::User),
            "contacts": self.count(RecordType::Contact),
            "channels": self.count(RecordType::Channel),
            "privateChannels": self.private_channels,
            "directMessages": self.direct_messages,
            "messages": self.count(RecordType::Message),
            "notes": self.tally.notes.iter().map(|(note, count)| json!({ "note": note.label(), "count": count })).collect::<Vec<_>>(),
            "passedOver": passed_over,
            "problems": problems,
        })
    }
}
