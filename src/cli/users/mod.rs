//! `users`: a file of users into an import.

mod batches;
mod report;

use std::{path::PathBuf, time::Duration};

use clap::Args;

use self::{
    batches::{Batch, Batches},
    report::Report,
};
use super::{
    CommandError,
    console::Console,
    follow::Follow,
    server::ServerArgs,
    status::{progress_note, verdict},
};
use crate::{
    client::{Client, ClientError, FailedUsers, ReportedState, Staging, Status},
    user_file::{Format, ImportIdFrom, UserFile, check},
};

/// As many bad lines are listed.
const LISTED_PROBLEMS: usize = 100;
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct UsersArgs {
    /// CSV with a header, JSON, or JSON lines
    file: PathBuf,

    /// Start the run once all users are staged, and follow it to its end
    #[arg(long)]
    run: bool,

    /// Check the file and send nothing
    #[arg(long, conflicts_with = "run")]
    dry_run: bool,

    /// Print a summary in JSON on standard output
    #[arg(long)]
    json: bool,

    /// End an import that is running, if there is one
    #[arg(long)]
    replace: bool,

    /// What the file is, if its name does not tell
    #[arg(long)]
    format: Option<Format>,

    /// What becomes the import id of a user without one
    #[arg(long, value_name = "FIELD")]
    import_id_from: Option<ImportIdFrom>,

    /// Users sent in one request
    #[arg(long, value_name = "USERS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,

    #[command(flatten)]
    server: ServerArgs,
}

/// Checks the file, stages its users, and runs the import if that is wanted.
pub(super) async fn run(args: &UsersArgs) -> Result<(), CommandError> {
    let console = Console::new();
    // Before a long file is read: whatever is wrong with the settings.
    let client = if args.dry_run { None } else { Some(args.server.client(&console)?) };
    let format = args.format.or_else(|| Format::of(&args.file)).ok_or_else(|| {
        CommandError::Setting(format!("{}: is it csv, json or jsonl? Tell with --format", args.file.display()))
    })?;
    let file = UserFile { path: args.file.clone(), format, import_id_from: args.import_id_from };
    let mut report = Report::new(&args.file);
    let result = import(args, &file, client.as_ref(), &console, &mut report).await;
    console.end();
    report.tell(&console);
    if args.json {
        report.print()?;
    }
    result
}

async fn import(
    args: &UsersArgs,
    file: &UserFile,
    client: Option<&Client>,
    console: &Console,
    report: &mut Report,
) -> Result<(), CommandError> {
    let unreadable = |error| CommandError::File(format!("{}: {error}", file.path.display()));
    let checked = check(file, LISTED_PROBLEMS).map_err(unreadable)?;
    let (users, bad_lines) = (checked.users, checked.problem_count);
    report.checked(checked);
    if bad_lines > 0 {
        return Err(CommandError::File(format!("{}: {bad_lines} bad lines, nothing was sent", file.path.display())));
    }
    if users == 0 {
        return Err(CommandError::File(format!("{}: there are no users in it", file.path.display())));
    }
    let Some(client) = client else { return Ok(()) };
    if !args.replace && client.status().await?.state == ReportedState::Importing {
        return Err(CommandError::Server(
            "an import is running; wait for its end, or give --replace to have it ended".to_owned(),
        ));
    }
    let mut staging = Staging::begin(client).await?;
    report.operation = Some(staging.operation().to_owned());
    let batches = Batches::new(file.records().map_err(unreadable)?, args.batch as usize);
    let staged = stage(batches, users, &mut staging, console).await;
    report.staged = staging.staged();
    staged?;
    staging.verify().await?;
    if !args.run {
        return Ok(());
    }
    staging.run().await?;
    let ended = follow(args, client, &staging, console).await?;
    report.ended(&ended);
    if ended.counts.failed > 0 {
        match client.failed_users().await {
            Ok(FailedUsers::Told(failed)) => report.failed = Some(failed),
            Ok(FailedUsers::NotTold) => {}
            // The import is over all the same, and how it went is known.
            Err(error) => console.notice(&format!("the failed users could not be asked for: {error}")),
        }
    }
    verdict(&ended)
}

async fn stage(batches: Batches, users: u64, staging: &mut Staging<'_>, console: &Console) -> Result<(), CommandError> {
    console.begin("staged");
    for batch in batches {
        let Batch { body, users: in_batch, first_line, last_line } =
            batch.map_err(|problem| changed(&format!("line {}: {}", problem.line, problem.reason)))?;
        staging.add(&body, in_batch).await.map_err(|error| match error {
            ClientError::Refused { .. } => {
                CommandError::Server(format!("users of the lines {first_line} to {last_line}: {error}"))
            }
            other => other.into(),
        })?;
        console.progress(staging.staged(), users, "");
    }
    console.end();
    if staging.staged() == users {
        return Ok(());
    }
    Err(changed(&format!("{users} users were in it, {} now", staging.staged())))
}

fn changed(how: &str) -> CommandError {
    CommandError::File(format!("the file changed while it was sent ({how}); nothing was run"))
}

async fn follow(
    args: &UsersArgs,
    client: &Client,
    staging: &Staging<'_>,
    console: &Console,
) -> Result<Status, CommandError> {
    console.begin("imported");
    let follow = Follow { client, interval: LOOK_INTERVAL, patience: Some(args.server.patience()) };
    let ended = follow
        .to_the_end(|status| {
            if status.operation != staging.operation() {
                let reason = "somebody else began another import, which ended this one";
                return Err(CommandError::from(ClientError::Interfered(reason.to_owned())));
            }
            console.progress(status.counts.processed(), status.counts.total, &progress_note(status));
            Ok(())
        })
        .await;
    console.end();
    ended
}
