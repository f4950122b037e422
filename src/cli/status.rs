//! `status`: how the newest import goes.

use std::{fmt::Write as _, time::Duration};

use clap::Args;

use super::{
    CommandError,
    console::{Console, Unit, print},
    follow::{Follow, StalledNotice},
    pace::Pace,
    target::ServerArgs,
    words::printable,
};
use crate::client::{ReportedState, Status};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Follow the import until it has ended
    #[arg(long)]
    watch: bool,

    /// Print what the server answers as it is; with --watch a line for every change
    #[arg(long)]
    json: bool,

    /// Pause between two looks with --watch
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,

    #[command(flatten)]
    server: ServerArgs,
}

/// Prints the status once, or until the end.
pub(super) async fn run(args: &StatusArgs) -> Result<(), CommandError> {
    let console = Console::new();
    let client = args.server.client(&console)?;
    if !args.watch {
        let status = client.status().await?;
        return print(&if args.json { status.body } else { summary(&status) });
    }
    // An import runs for as long as it runs: whoever watches it waits for a server that is away.
    let follow = Follow { client: &client, interval: Duration::from_secs(args.interval), patience: None };
    let draws = Console::has_bar() && !args.json;
    if draws {
        console.begin("import");
    }
    let (mut last_line, mut stalled, mut pace) = (String::new(), StalledNotice::default(), Pace::of(Unit::Count));
    let ended = follow
        .to_the_end(|status| {
            if args.json {
                return print(&status.body);
            }
            stalled.tell(&console, status);
            if draws {
                console.progress(status.counts.processed(), status.counts.total, &progress_note(status, &mut pace));
                return Ok(());
            }
            let line = progress_line(status);
            if line == last_line {
                return Ok(());
            }
            print(&line)?;
            last_line = line;
            Ok(())
        })
        .await;
    console.end();
    let ended = ended?;
    if !args.json {
        print(&summary(&ended))?;
    }
    verdict(&ended)
}

/// Ends well only if no record failed, or there was none.
pub(super) fn verdict(ended: &Status) -> Result<(), CommandError> {
    let counts = ended.counts;
    match ended.state {
        ReportedState::Done if counts.failed > 0 => {
            Err(CommandError::UsersFailed(format!("{} of {} {} failed", counts.failed, counts.total, ended.records())))
        }
        ReportedState::Error | ReportedState::Canceled => {
            Err(CommandError::UsersFailed(format!("the import is {}", ended.in_plain_words())))
        }
        _ => Ok(()),
    }
}

/// The words beside a bar: of a run those who failed, the pace and the time left.
pub(super) fn progress_note(status: &Status, pace: &mut Pace) -> String {
    let counts = status.counts;
    if status.state != ReportedState::Importing {
        return status.in_plain_words().to_owned();
    }
    let pace = pace.note(counts.processed(), Some(counts.total));
    let failed = if counts.failed > 0 { format!("{} failed", counts.failed) } else { String::new() };
    [failed, pace].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn progress_line(status: &Status) -> String {
    let counts = status.counts;
    let mut line = status.in_plain_words().to_owned();
    if counts.total > 0 {
        let percent = counts.percent().unwrap_or_default();
        let (completed, word) = (counts.completed, status.completed());
        // Writing to a text cannot fail.
        let _ = write!(line, ": {completed} {word}, {} failed of {} ({percent} %)", counts.failed, counts.total);
    }
    line
}

fn summary(status: &Status) -> String {
    let counts = status.counts;
    let mut rows = vec![("state", status.in_plain_words().to_owned())];
    if counts.total > 0 || counts.processed() > 0 {
        let percent = counts.percent().map(|percent| format!(" ({percent} %)")).unwrap_or_default();
        rows.push((status.records(), format!("{} of {} processed{percent}", counts.processed(), counts.total)));
        rows.push((status.completed(), counts.completed.to_string()));
        rows.push(("failed", counts.failed.to_string()));
    }
    if !status.operation.is_empty() {
        rows.push(("operation", status.operation.clone()));
        rows.push(("importer", status.importer.clone()));
    }
    rows.extend(status.started.clone().map(|moment| ("made", moment)));
    rows.extend(status.updated.clone().map(|moment| ("updated", moment)));
    rows.extend(status.stalled.clone().map(|words| ("stalled", words)));
    let lines: Vec<String> =
        rows.into_iter().map(|(name, value)| format!("{name:<10} {}", printable(&value))).collect();
    lines.join("\n")
}
