//! What a new import takes the place of: named before anything is emptied.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::ValueEnum;
use tokio::task::spawn_blocking;

use crate::{
    cli::{CommandError, console::Console, words::counted},
    client::{Client, LeftStaged, ReportedState, Status, UserCounts},
};

/// What a new import may take the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Replaceable {
    /// Staged records that were never run, and what an import that is over has left staged.
    Staged,
    /// These, and an import that goes on.
    All,
}

/// What would be lost, in a sentence.
struct Loss {
    sentence: String,
    /// Whether it is somebody's work that goes on now.
    goes_on: bool,
}

/// Names what a new import would take away, and has it confirmed: by `--replace`, or by a person at a terminal.
///
/// # Errors
/// When it is not to be lost.
pub(super) async fn confirm(
    client: &Client,
    last: &Status,
    wanted: Option<Replaceable>,
    console: &Console,
) -> Result<(), CommandError> {
    if wanted == Some(Replaceable::All) {
        return Ok(());
    }
    let Some(Loss { sentence, goes_on }) = loss_of(client, last).await? else { return Ok(()) };
    if wanted == Some(Replaceable::Staged) && !goes_on {
        return Ok(());
    }
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        console.notice(&format!("{sentence}. Go on? [y/N]"));
        let answer = spawn_blocking(|| {
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer).map(|_| answer)
        });
        let answer = answer.await.map_err(CommandError::failed)?.map_err(CommandError::failed)?;
        if answer.trim().eq_ignore_ascii_case("y") || answer.trim().eq_ignore_ascii_case("yes") {
            return Ok(());
        }
        return Err(CommandError::Server("nothing was sent".to_owned()));
    }
    let way_out = if goes_on {
        "wait for its end, or give --replace to have it ended"
    } else {
        "nothing was sent; give --replace=staged to go on"
    };
    Err(CommandError::Server(format!("{sentence}; {way_out}")))
}

async fn loss_of(client: &Client, last: &Status) -> Result<Option<Loss>, CommandError> {
    let Status { state, operation, importer, counts, list, .. } = last;
    let of = format!("operation {operation} ({importer})");
    let (sentence, goes_on) = match state {
        ReportedState::Importing => {
            (format!("an import is running, {of}: {} of {} done", counts.processed(), counts.total), true)
        }
        ReportedState::Loading => (format!("a file is being read for {of}"), true),
        ReportedState::Ready => {
            let Some(Staged { words, is_one }) = Staged::of(*counts) else { return Ok(None) };
            let (are, were) = if is_one { ("is", "was") } else { ("are", "were") };
            let cut_short = list.as_ref().filter(|list| list.users > counts.users);
            let of_how_many =
                cut_short.map(|list| format!(", by a call that was to stage {} and was cut short,", list.users));
            let by = of_how_many.unwrap_or_default();
            (
                format!("{words} of {of} {are} staged{by} and {were} never run; this import would take their place"),
                false,
            )
        }
        ReportedState::Done if counts.failed > 0 => {
            let failed = counted(counts.failed, &format!("failed {}", last.records().trim_end_matches('s')));
            (
                format!(
                    "{failed} of {of} would leave the staging area for this import; the receipt keeps them and the reasons"
                ),
                false,
            )
        }
        ReportedState::Error | ReportedState::Canceled => {
            let Some(Staged { words, is_one }) = left_by(client, last).await? else { return Ok(None) };
            let (are, them) = if is_one { ("is", "it") } else { ("are", "them") };
            (
                format!(
                    "{words} of {of} {are} still staged, and import.resume goes on with {them}; this import would take their \
                     place"
                ),
                false,
            )
        }
        // An import at a step of a release to come may be at work.
        ReportedState::Unknown if !operation.is_empty() => {
            let staged = Staged::of(*counts).map(|staged| format!(", with {}", staged.words)).unwrap_or_default();
            (format!("{of} is at a step that this program does not know{staged}"), true)
        }
        ReportedState::None | ReportedState::New | ReportedState::Done | ReportedState::Unknown => return Ok(None),
    };
    Ok(Some(Loss { sentence, goes_on }))
}

/// The records that an import which is over has left staged. A call that ends the import of a file removes them, and what
/// the status counts stays.
async fn left_by(client: &Client, last: &Status) -> Result<Option<Staged>, CommandError> {
    let counts = last.counts;
    if counts.total == 0 || last.was_ended_by_call {
        return Ok(None);
    }
    let Some(LeftStaged { users, contacts, channels }) = client.left_staged().await? else { return Ok(None) };
    // Records leave the staging area when they are imported, and messages are the last.
    let others = users + contacts + channels;
    let messages = counts.total.saturating_sub(counts.completed + others).min(counts.messages);
    let left = UserCounts { users, contacts, channels, messages, ..UserCounts::default() };
    Ok(Staged::of(left))
}

/// Staged records, by their kinds in words.
struct Staged {
    words: String,
    is_one: bool,
}

impl Staged {
    /// `None` of no record.
    fn of(counts: UserCounts) -> Option<Self> {
        let UserCounts { total, users, contacts, channels, messages, .. } = counts;
        let kinds = [(users, "user"), (contacts, "contact"), (channels, "channel"), (messages, "message")];
        let mut words: Vec<String> =
            kinds.into_iter().filter(|(count, _)| *count > 0).map(|(count, kind)| counted(count, kind)).collect();
        let named: u64 = kinds.into_iter().map(|(count, _)| count).sum();
        let Some(last) = words.pop() else {
            return (total > 0).then(|| Self { words: counted(total, "record"), is_one: total == 1 });
        };
        let words = if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) };
        Some(Self { words, is_one: named == 1 })
    }
}
