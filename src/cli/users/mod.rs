//! `users`: a file of users into an import.

mod batches;
mod check;
mod failures;
mod file;
mod foreseeing;
mod foreseen;
mod leaving;
mod matching;
mod options;
mod passwords;
mod proxy_limit;
mod reasons;
mod rejected;
mod replacing;
mod report;
mod sending;
mod watched;

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use tokio::task::spawn_blocking;

use self::{
    batches::{KeptUsers, Spool},
    check::{Check, Checked, RejectList, print_template, shown},
    failures::Outputs,
    foreseeing::Foresight,
    foreseen::Plan,
    leaving::{LeavingArgs, SourceReport},
    matching::MatchingArgs,
    options::ReadingArgs,
    passwords::Passwords,
    rejected::Rejected,
    replacing::Replaceable,
    report::Report,
    sending::Sender,
};
use super::{CommandError, console::Console, target::ServerArgs, words::counted};
use crate::{
    client::Client,
    user_file::{Options, Template},
};

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct UsersArgs {
    /// CSV, .xlsx, .ods, JSON, JSON lines or LDIF; - is standard input
    #[arg(required_unless_present = "template")]
    file: Option<PathBuf>,

    /// Start the run once all users are staged, and follow it to its end
    #[arg(long)]
    run: bool,

    /// Check the file and send nothing
    #[arg(long, conflicts_with = "run")]
    dry_run: bool,

    /// Check the file, have the server say what a run would do with each user, and stage nothing
    #[arg(long, conflicts_with_all = ["run", "dry_run"])]
    check: bool,

    /// Print a summary in JSON on standard output
    #[arg(long)]
    json: bool,

    /// Take the place of staged and failed users, and end an import that is running, or whose file is being read; `staged`
    /// never ends one
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    replace: Option<Replaceable>,

    /// Go on without the bad lines
    #[arg(long)]
    skip_bad: bool,

    /// Write the bad lines, and the lines of users who fail or with --check would fail, to this file, with their number and
    /// the reason
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    /// Make passwords for users who get an account and have none, and write them to this new file
    #[arg(long, value_name = "FILE", requires = "run")]
    passwords_out: Option<PathBuf>,

    /// Print a file to fill in, and do nothing else
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["file", "run", "dry_run", "check"])]
    template: Option<Template>,

    /// Users sent in one request
    #[arg(long, value_name = "USERS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,

    #[command(flatten)]
    matching: MatchingArgs,

    #[command(flatten)]
    leaving: LeavingArgs,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    server: ServerArgs,
}

/// Checks the file, stages its users, and runs the import if that is wanted.
pub(super) async fn run(args: &UsersArgs) -> Result<(), CommandError> {
    let path = match (args.template, &args.file) {
        (Some(kind), _) => return print_template(kind),
        (None, Some(path)) => path,
        (None, None) => return Err(CommandError::Setting("give a file of users, or - for standard input".to_owned())),
    };
    let console = Console::new();
    // Before a long file is read: whatever is wrong with the settings.
    let client = if args.dry_run { None } else { Some(args.server.client(&console)?) };
    if args.passwords_out.is_some() && args.matching.updates_passwords() {
        let reason = "--passwords-out makes passwords for new accounts, and --also-update password would give them to people \
                      who are there, too: leave one of the two out";
        return Err(CommandError::Setting(reason.to_owned()));
    }
    args.passwords_out.as_deref().map_or(Ok(()), Passwords::look_at)?;
    let check = Check {
        path: path.clone(),
        options: Options { may_share_names: args.matching.may_share_names(), ..args.reading.options()? },
        rejects: args.rejects.clone(),
        keeps_users: client.is_some(),
    };
    let mut report = Report::new(path, Outputs { rejects: args.rejects.is_some(), json: args.json });
    if let Some(client) = &client {
        // The same for the address and the token, and for flags that the server does not know.
        client.status().await?;
        refuse_what_needs_this_service(args, client).await?;
    }
    let result = import(args, check, client.as_ref(), &console, &mut report).await;
    let result = result.map_err(|error| args.matching.with_permission(error));
    console.end();
    report.show(&console);
    if args.json {
        report.print()?;
    }
    result
}

/// # Errors
/// When a flag asks Rocket.Chat's own server for what it cannot do. Staging for such a call would empty the staging area for
/// nothing.
async fn refuse_what_needs_this_service(args: &UsersArgs, client: &Client) -> Result<(), CommandError> {
    let flags: Vec<&str> = args.matching.beyond_rocketchat().chain(args.leaving.beyond_rocketchat()).collect();
    if flags.is_empty() || client.is_this_service().await? {
        return Ok(());
    }
    Err(CommandError::Setting(format!(
        "this server is Rocket.Chat's own, which finds nobody who is there and keeps no sources: leave {} out; nothing was sent",
        flags.join(", ")
    )))
}

async fn import(
    args: &UsersArgs,
    check: Check,
    client: Option<&Client>,
    console: &Console,
    report: &mut Report,
) -> Result<(), CommandError> {
    let file = shown(&check.path);
    let (checked, spool, rejects) = read(check, console).await?;
    let users = checked.tally.users;
    let (is_unusable, is_incomplete) = (checked.tally.is_unusable, checked.tally.is_incomplete);
    report.checked(checked);
    left_out(args, &file, is_unusable, report)?;
    if is_incomplete && args.leaving.wants_a_whole_file() {
        return Err(CommandError::File(format!(
            "{file}: the list is not whole, and nothing was sent; people whom it lacks would count as missing: fetch all of \
             them, with the parameter count=0 or page by page, or leave --deactivate-missing out"
        )));
    }
    if users == 0 {
        return Err(CommandError::File(format!("{file}: there are no users in it")));
    }
    let result = match (client, spool) {
        (Some(client), Some(spool)) => {
            let mut kept = spool.read().map_err(|error| disk(&error))?;
            let people = args.leaving.people(&mut kept)?;
            if let Some(people) = &people {
                report.source = people.foresee(client).await?;
            }
            let rejects = Arc::new(rejects);
            let mut rejected = Rejected::default();
            let file = CheckedFile { name: &file, kept, users, rejects: &rejects };
            let result = check_and_send(args, file, &mut rejected, client, console, report).await;
            if let Some(failed) = &report.failed {
                rejected.failed(failed);
                report.rejected(write_rejects(&rejects, rejected).await?.0);
            }
            match people {
                // Failed users are in the file, and so is everybody else.
                Some(people) if args.run && report.has_run() => {
                    people.finish(client, report.operation.as_deref(), &mut report.source).await?;
                }
                _ => {}
            }
            let left = report.source.as_ref().map_or(Ok(()), SourceReport::verdict);
            result.and(left)
        }
        _ => Ok(()),
    };
    match (result, report.bad_lines()) {
        (Ok(()), left_out @ 1..) => {
            Err(CommandError::UsersFailed(format!("{file}: {} left out", counted(left_out, "bad line"))))
        }
        (result, _) => result,
    }
}

/// Reads and checks the file.
async fn read(check: Check, console: &Console) -> Result<(Checked, Option<Spool>, RejectList), CommandError> {
    let console = console.clone();
    spawn_blocking(move || check.run(&console)).await.map_err(CommandError::failed)?
}

/// # Errors
/// When the file has errors, and they are not to be passed over.
fn left_out(args: &UsersArgs, file: &str, is_unusable: bool, report: &Report) -> Result<(), CommandError> {
    if is_unusable {
        let count = counted(report.problem_count(), "problem");
        return Err(CommandError::File(format!("{file}: {count}, nothing was sent")));
    }
    if report.bad_lines() == 0 {
        return Ok(());
    }
    let count = counted(report.bad_lines(), "bad line");
    if args.leaving.wants_a_whole_file() {
        let reason = "nothing was sent; people on bad lines would count as missing: correct the file, or leave \
                      --deactivate-missing out";
        return Err(CommandError::File(format!("{file}: {count}, {reason}")));
    }
    if args.skip_bad {
        return Ok(());
    }
    let way_out =
        if report.users() == 0 { "" } else { "; correct the file, or leave the bad lines out with --skip-bad" };
    Err(CommandError::File(format!("{file}: {count}, nothing was sent{way_out}")))
}

/// A file without an error that is in the way.
struct CheckedFile<'a> {
    name: &'a str,
    kept: KeptUsers,
    users: u64,
    rejects: &'a Arc<RejectList>,
}

/// Writes the list of `--rejects` anew; its lines, and the users again.
async fn write_rejects(
    rejects: &Arc<RejectList>,
    mut rejected: Rejected,
) -> Result<(Option<u64>, Rejected), CommandError> {
    let rejects = Arc::clone(rejects);
    let write = move || rejects.add(&mut rejected).map(|written| (written, rejected));
    spawn_blocking(write).await.map_err(CommandError::failed)?
}

/// Has the server say what a run would do, where that is wanted or may save the run; then stages whom that concerns.
async fn check_and_send(
    args: &UsersArgs,
    CheckedFile { name: file, mut kept, users, rejects }: CheckedFile<'_>,
    rejected: &mut Rejected,
    client: &Client,
    console: &Console,
    report: &mut Report,
) -> Result<(), CommandError> {
    let sender = Sender { args, client, console };
    let mut passwords = args.passwords_out.as_deref().map(Passwords::open).transpose()?;
    if let Some(staging) = sender.earlier_run(passwords.as_ref()).await? {
        return sender.follow_to_the_end(&staging, passwords, report).await;
    }
    let refuses_some = args.reading.refused_by_workspace().next().is_some();
    let is_worth_it = args.run && (args.matching.may_leave_people_alone() || refuses_some);
    if !(args.check || is_worth_it) {
        return sender.send(with_passwords(kept, &mut passwords)?, users, passwords, report).await;
    }
    let mut parameters = args.matching.parameters();
    parameters.extend(args.reading.refused_by_workspace());
    // A run says itself who failed.
    let rejects_failing = args.check && args.rejects.is_some();
    let foresight = Foresight { client, console, parameters, rejects_failing };
    let Some(Plan { foreseen, spool, to_stage, rejected: found, .. }) =
        foresight.foresee(&mut kept, users, passwords.as_mut()).await?
    else {
        if args.check {
            let reason = "this server cannot say what a run would do; --dry-run checks the file alone";
            return Err(CommandError::Setting(reason.to_owned()));
        }
        return sender.send(with_passwords(kept, &mut passwords)?, users, passwords, report).await;
    };
    let (failing, is_unusable) = (foreseen.counts.failed, foreseen.wrong_setting.is_some());
    report.foreseen(foreseen);
    if !found.is_empty() {
        rejected.foreseen = found;
        let (written, all) = write_rejects(rejects, std::mem::take(rejected)).await?;
        *rejected = all;
        if rejects_failing { report.rejected_with_failing(written) } else { report.rejected(written) }
    }
    left_out(args, file, is_unusable, report)?;
    if args.check {
        return match failing {
            0 => Ok(()),
            failing => Err(CommandError::UsersFailed(format!("{file}: {} would fail", counted(failing, "user")))),
        };
    }
    if to_stage == 0 {
        report.nothing_to_do();
        return sender.tell_passwords(passwords, report).await;
    }
    let to_send = spool.read().map_err(|error| disk(&error))?;
    sender.send(to_send, to_stage, passwords, report).await
}

/// The users, each with a password where passwords are made.
fn with_passwords(mut kept: KeptUsers, passwords: &mut Option<Passwords>) -> Result<KeptUsers, CommandError> {
    match passwords {
        Some(passwords) => passwords.give_all(&mut kept),
        None => Ok(kept),
    }
}

fn disk(error: &std::io::Error) -> CommandError {
    CommandError::Failed(format!("the checked users cannot be read from the disk: {error}"))
}
