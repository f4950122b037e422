//! `import.receipt` and `import.verify`, this service's own: what became of an import, and whether it still holds.

use std::time::Duration;

use reqwest::{Method, Response};
use serde::Deserialize;
use tokio::time::timeout;

use super::{Client, ClientError};

/// The whole of a report may take this long.
pub(super) const REPORT_PATIENCE: Duration = Duration::from_secs(6 * 60 * 60);

/// How long nothing may come: a server that reads large files back has nothing to say for a while.
const PIECE_PATIENCE: Duration = Duration::from_secs(60 * 60);

/// The form of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReceiptForm {
    Csv,
    Jsonl,
}

/// An answer that is read as it comes.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    client: &'a Client,
    response: Response,
}

/// A line of `import.verify`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum VerifyLine {
    Summary { summary: VerifySummary },
    Difference(Difference),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifySummary {
    pub(crate) operation_id: String,
    pub(crate) records: u64,
    pub(crate) accounts: u64,
    /// Releases before did not look for rooms and messages.
    #[serde(default)]
    pub(crate) rooms: u64,
    #[serde(default)]
    pub(crate) messages: u64,
    pub(crate) failed: u64,
    pub(crate) differences: u64,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "difference", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Difference {
    Missing { account: Option<String>, import_ids: Vec<String> },
    ImportIds { account: Option<String>, lost: Vec<String> },
    Emails { account: Option<String>, import_ids: Vec<String>, lost: Vec<String>, present: Vec<String> },
    MissingRoom { room: Option<String>, import_ids: Vec<String> },
    MissingFile { upload: Option<String>, import_ids: Vec<String>, expected: Option<u64>, stored: Option<u64> },
    ChangedFile { upload: String, data_type: String, name: String, record: String },
    UnreadFile { upload: Option<String>, import_ids: Vec<String>, reason: String },
    Messages { room: String, day: String, imported: u64, in_history: u64 },
    Active { account: String, import_ids: Vec<String> },
    Counts { receipt: Counts, operation: Counts },
}

#[derive(Debug, Deserialize)]
pub(crate) struct Counts {
    pub(crate) completed: u64,
    pub(crate) error: u64,
}

impl Client {
    /// The receipt of the operation, or of the newest: the outcome of each record, or where its messages are.
    pub(crate) async fn receipt(
        &self,
        operation: Option<&str>,
        form: ReceiptForm,
        of_messages: bool,
    ) -> Result<Report<'_>, ClientError> {
        let form = match form {
            ReceiptForm::Csv => "csv",
            ReceiptForm::Jsonl => "jsonl",
        };
        let of = of_messages.then_some(("of", "messages"));
        let query: Vec<_> = [("format", form)].into_iter().chain(of).collect();
        self.report("import.receipt", operation, &query).await
    }

    /// The differences between the receipt of the operation, or of the newest, and the accounts, as JSON lines.
    pub(crate) async fn verify(&self, operation: Option<&str>) -> Result<Report<'_>, ClientError> {
        self.report("import.verify", operation, &[]).await
    }

    async fn report(
        &self,
        endpoint: &str,
        operation: Option<&str>,
        query: &[(&str, &str)],
    ) -> Result<Report<'_>, ClientError> {
        let operation = operation.map(|id| ("operationId", id));
        let query: Vec<_> = query.iter().copied().chain(operation).collect();
        let open = async || self.open(self.request(Method::GET, endpoint).query(&query).timeout(REPORT_PATIENCE)).await;
        let response = self.repeat(self.patience, open).await?;
        Ok(self.reading(response))
    }

    pub(super) fn reading(&self, response: Response) -> Report<'_> {
        Report { client: self, response }
    }
}

impl Report<'_> {
    /// The next piece; `None` at the end. An answer that breaks off is an error.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        let piece = timeout(PIECE_PATIENCE, self.response.chunk()).await;
        let silent = |_| ClientError::Unreachable { reason: "it does not send the rest".to_owned(), was_sent: true };
        let piece = piece.map_err(silent)?.map_err(|error| self.client.unreachable(error))?;
        Ok(piece.map(|piece| piece.to_vec()))
    }
}

impl VerifyLine {
    /// Reads a line; `None` if it is none of `import.verify`.
    pub(crate) fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}
