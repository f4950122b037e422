//! `receipt`: what became of each record of an import.

use std::io::{self, Write as _};

use clap::Args;

use super::{CommandError, console::Console, target::ServerArgs};
use crate::client::ReceiptForm;

#[derive(Debug, Args)]
pub(super) struct ReceiptArgs {
    /// `_id` of the operation; the newest one if it is missing
    operation: Option<String>,

    /// CSV for spreadsheets, or a JSON object a line
    #[arg(long, value_enum, default_value = "csv")]
    format: ReceiptForm,

    /// Where the messages are, by room and day, in place of the records
    #[arg(long)]
    messages: bool,

    #[command(flatten)]
    server: ServerArgs,
}

/// Writes the receipt to standard output as it comes.
pub(super) async fn run(args: &ReceiptArgs) -> Result<(), CommandError> {
    let console = Console::new();
    let client = args.server.client(&console)?;
    let mut receipt = client.receipt(args.operation.as_deref(), args.format, args.messages).await?;
    while let Some(piece) = receipt.next().await? {
        let mut output = io::stdout();
        let written = output.write_all(&piece).and_then(|()| output.flush());
        written.map_err(|error| CommandError::Failed(format!("standard output cannot be written: {error}")))?;
    }
    Ok(())
}
