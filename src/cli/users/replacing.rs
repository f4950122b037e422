//! What a new import takes the place of: named before anything is emptied.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::ValueEnum;
use tokio::task::spawn_blocking;

use crate::{
    cli::{CommandError, console::Console, words::counted},
    client::{ReportedState, Status},
};

/// What a new import may take the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Replaceable {
    /// Staged users that were never run, and failed users of an import that is over.
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
pub(super) async fn confirm(last: &Status, wanted: Option<Replaceable>, console: &Console) -> Result<(), CommandError> {
    let Some(Loss { sentence, goes_on }) = loss_of(last) else { return Ok(()) };
    let is_wanted = match wanted {
        None => false,
        Some(Replaceable::Staged) => !goes_on,
        Some(Replaceable::All) => true,
    };
    if is_wanted {
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

fn loss_of(last: &Status) -> Option<Loss> {
    let Status { state, operation, importer, counts, .. } = last;
    let of = format!("operation {operation} ({importer})");
    let (sentence, goes_on) = match state {
        ReportedState::Importing => {
            (format!("an import is running, {of}: {} of {} done", counts.processed(), counts.total), true)
        }
        ReportedState::Loading => (format!("a file is being read for {of}"), true),
        ReportedState::Ready if counts.users > 0 => {
            let users = counted(counts.users, "user");
            (format!("{users} of {of} are staged and were never run; this import would take their place"), false)
        }
        ReportedState::Done if counts.failed > 0 => {
            let users = counted(counts.failed, "failed user");
            (
                format!(
                    "{users} of {of} would leave the staging area for this import; the receipt keeps them and the reasons"
                ),
                false,
            )
        }
        _ => return None,
    };
    Some(Loss { sentence, goes_on })
}
