//! `GET import.verify`, our own: whether the accounts, rooms and messages of an operation are still what its receipt says.

use actix_web::{HttpRequest, HttpResponse, web};
use futures::TryStreamExt as _;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::receipt::{reported_operation, wanted};
use crate::{
    domain::{counts::Counts, room_history::MissingMessages},
    engine::verify::{Difference, Finding, VerifySummary, verify},
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        error::ApiError,
        error_schemas::Refusals,
        streamed::{Format, json},
    },
    repository::RecordReceipt,
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is here to be described")]
struct VerifiedOperation {
    /// The `_id` of the operation. The newest one if it is missing.
    #[param(required = false, value_type = String, rename = "operationId")]
    operation_id: Option<String>,
}

/// A line of the answer that is not the last.
#[derive(Serialize, ToSchema)]
#[serde(tag = "difference", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum DifferenceLine {
    /// There is no such account any more.
    Missing { account: Option<String>, record: String, import_ids: Vec<String> },
    /// The account has lost import ids.
    ImportIds { account: Option<String>, record: String, import_ids: Vec<String>, lost: Vec<String> },
    /// The account has lost addresses that it was created or updated with.
    Emails { account: Option<String>, record: String, import_ids: Vec<String>, lost: Vec<String>, present: Vec<String> },
    /// There is no such room any more.
    MissingRoom { room: Option<String>, record: String, import_ids: Vec<String> },
    /// The history of a room holds fewer messages of a day (in UTC) than were imported.
    Messages { room: String, day: String, imported: u64, in_history: u64 },
    /// The upload of a file or a picture is gone (then without numbers), or its bytes are not all there.
    MissingFile {
        upload: Option<String>,
        record: String,
        import_ids: Vec<String>,
        expected: Option<u64>,
        stored: Option<u64>,
    },
    /// The file or the picture of an upload has as many bytes as were stored, but not the same. `record` is the message
    /// or the account.
    ChangedFile {
        upload: String,
        /// `file` or `avatar`.
        data_type: &'static str,
        /// The name of the file, or of the person.
        name: String,
        record: String,
        import_ids: Vec<String>,
        expected_sha256: String,
        stored_sha256: String,
    },
    /// The file of an upload could not be read back from its store.
    UnreadFile { upload: Option<String>, record: String, import_ids: Vec<String>, reason: String },
    /// An account that was deactivated, as its source no longer holds the person, is active again.
    Active { account: String, import_ids: Vec<String> },
    /// The operation's own counters are others than those of its receipt.
    Counts { receipt: LineCounts, operation: LineCounts },
}

#[derive(Serialize, ToSchema)]
pub(super) struct LineCounts {
    completed: u64,
    error: u64,
}

/// The last line.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SummaryLine {
    summary: VerifiedCounts,
    success: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VerifiedCounts {
    operation_id: String,
    /// Records in the receipt.
    records: u64,
    /// Records among them whose accounts were looked for.
    accounts: u64,
    /// Rooms among them that were looked for.
    rooms: u64,
    /// New messages that were looked for in the histories of rooms, by Rocket.Chat's own query.
    messages: u64,
    /// Records among them that failed.
    failed: u64,
    /// Accounts beside them that were deactivated, and were looked for.
    deactivated: u64,
    differences: u64,
}

/// Compares the receipt of an operation with the database.
#[utoipa::path(
    get,
    path = "/api/v1/import.verify",
    tag = "import",
    operation_id = "verifyImport",
    summary = "Whether accounts, rooms and messages are still what the receipt says",
    description = "Ours. JSON lines: one for each difference (accounts that are gone, that lost an import id, or an address they were made with; rooms and files that are gone; files whose bytes are not all there, are not those that were stored, or cannot be read back from their store; days of rooms whose history lacks messages; accounts that were deactivated and are active again; counters that are not those of the receipt), see `DifferenceLine`, and a summary as the last, see `SummaryLine`. Without a summary the answer is not whole. Other query parameters are ignored. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(VerifiedOperation),
    responses(
        (status = 200, description = "The differences and a summary", content_type = "application/x-ndjson", body = String),
        Refusals
    )
)]
pub(in crate::http) async fn verify_import(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let wanted = wanted(request.query_string())?;
    let place = app.streams.take_place()?;
    let operation = reported_operation(&caller, &app, wanted.operation_id, "import.verify").await?;
    let findings = caller.deadline.bound(verify(&app.engine, &operation)).await?;
    let lines = findings.map_ok(move |finding| line(&operation, finding) + "\n");
    let format = Format { content_type: "application/x-ndjson", file_name: None };
    place.answer(&request, format, lines).await
}

fn line(operation: &str, finding: Finding) -> String {
    match finding {
        Finding::Difference(difference) => json(&difference_line(*difference)),
        Finding::Summary(VerifySummary { records, accounts, rooms, messages, failed, deactivated, differences }) => {
            let operation_id = operation.to_owned();
            let summary =
                VerifiedCounts { operation_id, records, accounts, rooms, messages, failed, deactivated, differences };
            json(&SummaryLine { summary, success: true })
        }
    }
}

fn difference_line(difference: Difference) -> DifferenceLine {
    let named = |record: RecordReceipt| (record.became, record.id.as_text(), record.import_ids);
    let counts = |Counts { completed, error }| LineCounts { completed, error };
    match difference {
        Difference::Missing(record) => {
            let (account, record, import_ids) = named(record);
            DifferenceLine::Missing { account, record, import_ids }
        }
        Difference::ImportIds { record, lost } => {
            let (account, record, import_ids) = named(record);
            DifferenceLine::ImportIds { account, record, import_ids, lost }
        }
        Difference::Emails { record, lost, present } => {
            let (account, record, import_ids) = named(record);
            DifferenceLine::Emails { account, record, import_ids, lost, present }
        }
        Difference::MissingRoom(record) => {
            let (room, record, import_ids) = named(record);
            DifferenceLine::MissingRoom { room, record, import_ids }
        }
        Difference::Messages(MissingMessages { room, day, imported, in_history }) => {
            DifferenceLine::Messages { room, day, imported, in_history }
        }
        Difference::MissingFile { record, expected, stored } => {
            let (upload, record, import_ids) = named(record);
            DifferenceLine::MissingFile { upload, record, import_ids, expected, stored }
        }
        Difference::ChangedFile(changed) => DifferenceLine::ChangedFile {
            upload: changed.upload,
            data_type: changed.record_type.data_type(),
            name: changed.name,
            record: changed.record.id.as_text(),
            import_ids: changed.record.import_ids,
            expected_sha256: changed.expected,
            stored_sha256: changed.stored,
        },
        Difference::UnreadFile { record, reason } => {
            let (upload, record, import_ids) = named(record);
            DifferenceLine::UnreadFile { upload, record, import_ids, reason }
        }
        Difference::Active(left) => DifferenceLine::Active { account: left.id, import_ids: left.import_ids },
        Difference::Counts { receipt, operation } => {
            DifferenceLine::Counts { receipt: counts(receipt), operation: counts(operation) }
        }
    }
}
