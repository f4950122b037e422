//! `verify`: whether the accounts of an import are still there as its receipt says.

use clap::Args;

use super::{
    CommandError,
    console::{Console, print},
    target::ServerArgs,
    words::printable,
};
use crate::{
    client::{Client, ClientError, Difference, VerifyLine, VerifySummary},
    domain::record_type::RecordType,
};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// `_id` of the operation; the newest one if it is missing
    operation: Option<String>,

    /// Print the server's lines as they are: one JSON object for each difference, and a summary
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    server: ServerArgs,
}

/// Prints every difference and a summary.
pub(super) async fn run(args: &VerifyArgs) -> Result<(), CommandError> {
    let console = Console::new();
    let client = args.server.client(&console)?;
    let summary = follow(&client, args).await?;
    if !args.json {
        let VerifySummary { records, accounts, rooms, messages, failed, differences, .. } = &summary;
        let looked_for = if *rooms + *messages > 0 {
            format!(" {rooms} rooms and {messages} messages looked for,")
        } else {
            String::new()
        };
        print(&format!(
            "operation {}: {records} records, {accounts} accounts compared,{looked_for} {failed} failed, {differences} differences",
            printable(&summary.operation_id),
        ))?;
    }
    match summary.differences {
        0 => Ok(()),
        1 => Err(CommandError::UsersFailed("1 difference from the receipt".to_owned())),
        differences => Err(CommandError::UsersFailed(format!("{differences} differences from the receipt"))),
    }
}

async fn follow(client: &Client, args: &VerifyArgs) -> Result<VerifySummary, CommandError> {
    let mut report = client.verify(args.operation.as_deref()).await?;
    let mut unread = Vec::new();
    let mut end = None;
    while let Some(piece) = report.next().await? {
        unread.extend_from_slice(&piece);
        let Some(length) = unread.iter().rposition(|byte| *byte == b'\n') else { continue };
        let lines: Vec<u8> = unread.drain(..=length).collect();
        for line in String::from_utf8_lossy(&lines).lines() {
            match VerifyLine::read(line) {
                Some(VerifyLine::Summary { summary }) => end = Some(summary),
                Some(VerifyLine::Difference(difference)) if !args.json => print(&printable(&words(&difference)))?,
                Some(VerifyLine::Difference(_)) => {}
                None => return Err(not_understood().into()),
            }
            if args.json {
                print(line)?;
            }
        }
    }
    end.ok_or_else(|| not_understood().into())
}

fn not_understood() -> ClientError {
    ClientError::Unreadable("import.verify".to_owned())
}

fn words(difference: &Difference) -> String {
    let named = |account: &Option<String>| account.clone().unwrap_or_default();
    match difference {
        Difference::Missing { account, import_ids } => {
            format!("missing: account {} of {}", named(account), import_ids.join(", "))
        }
        Difference::ImportIds { account, lost } => {
            format!("import ids: account {} has lost {}", named(account), lost.join(", "))
        }
        Difference::Emails { account, import_ids, lost, present } => format!(
            "addresses: account {} of {} has lost {}; it has {}",
            named(account),
            import_ids.join(", "),
            lost.join(", "),
            if present.is_empty() { "none".to_owned() } else { present.join(", ") }
        ),
        Difference::MissingRoom { room, import_ids } => {
            format!("missing: room {} of {}", named(room), import_ids.join(", "))
        }
        Difference::MissingFile { upload, import_ids, expected: Some(expected), stored } => format!(
            "files: upload {} of {} holds {} of {expected} bytes",
            named(upload),
            import_ids.join(", "),
            stored.unwrap_or_default()
        ),
        Difference::MissingFile { upload, import_ids, .. } => {
            format!("missing: upload {} of {}", named(upload), import_ids.join(", "))
        }
        Difference::ChangedFile { upload, data_type, name, .. } if data_type == RecordType::Avatar.data_type() => {
            format!("changed: the picture of {name} (upload {upload}) holds other bytes than were stored")
        }
        Difference::ChangedFile { upload, name, record, .. } => {
            format!("changed: the file {name} of message {record} (upload {upload}) holds other bytes than were stored")
        }
        Difference::UnreadFile { upload, import_ids, reason } => {
            format!("files: upload {} of {} cannot be read back: {reason}", named(upload), import_ids.join(", "))
        }
        Difference::Messages { room, day, imported, in_history } => {
            format!("messages: the history of room {room} holds {in_history} of {day}, {imported} were imported")
        }
        Difference::Active { account, import_ids } => {
            format!("deactivated: account {account} of {} is active again", import_ids.join(", "))
        }
        Difference::Counts { receipt, operation } => format!(
            "counts: the receipt has {} completed and {} failed, the operation {} and {}",
            receipt.completed, receipt.error, operation.completed, operation.error
        ),
    }
}
