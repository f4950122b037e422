//! `GET import.report`, our own: the account of an import, with every element of its file that is not imported, and why.

use actix_web::{HttpRequest, HttpResponse, web};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    list_part::{Page, part_of_list},
    receipt::reported_operation,
    staged_origin::Origin,
};
use crate::{
    domain::{
        loading::ReportLine,
        record_type::RecordType,
        room_history::{HistoryCheck, MissingMessages},
    },
    engine::report::{Account, Total, account},
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        error::ApiError,
        error_schemas::Refusals,
        streamed::{self, json, list},
    },
    repository::{Part, ReceiptRecords, RecordReceipt, Repositories, RepositoryError, Which},
};

/// Failed records whose places are looked up together.
const RECORDS_AT_A_TIME: usize = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct WantedReport {
    /// The `_id` of the operation. The newest one if it is missing.
    #[param(required = false, value_type = String)]
    operation_id: Option<String>,
}

/// The elements of one type. `imported`, `failed`, `passedOver` and `waiting` add up to `elements`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReportTotal)]
pub(super) struct TotalBody {
    /// `user`, `contact`, `channel`, `message`, or a word for something else in the file, such as `entry`.
    #[serde(rename = "type")]
    kind: String,
    elements: u64,
    imported: u64,
    /// Elements that cannot be imported, and records that failed in the last run.
    failed: u64,
    /// Elements that were left out on purpose.
    passed_over: u64,
    /// Staged records that no run has processed.
    waiting: u64,
}

/// Something about records that are imported all the same.
#[derive(Serialize, ToSchema)]
#[schema(as = ReportNote)]
pub(super) struct NoteBody {
    note: String,
    count: u64,
}

/// What the end of the run found in the histories of rooms, by Rocket.Chat's own history query.
#[derive(Serialize, ToSchema)]
#[schema(as = ReportHistory)]
pub(super) struct HistoryBody {
    /// Rooms whose histories were read.
    rooms: u64,
    /// New messages that were looked for.
    messages: u64,
    /// Days of rooms that lack some of them.
    days: u64,
    /// The first 100 of these days.
    missing: Vec<MissingBody>,
}

/// A day of a room that lacks messages.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReportMissing)]
pub(super) struct MissingBody {
    /// The `_id` of the room.
    room: String,
    /// The day in UTC.
    day: String,
    imported: u64,
    in_history: u64,
}

/// Elements of the file that are not imported.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReportLine)]
pub(super) struct LineBody {
    /// `failed` or `passedOver`.
    outcome: &'static str,
    #[serde(rename = "type")]
    kind: String,
    /// The entry of the archive, with line, element or message time; the line of a user who was staged with one.
    #[schema(required)]
    place: Option<String>,
    /// Ids in the system it came from.
    ids: Vec<String>,
    reason: String,
    /// The number of elements. The place is that of the first.
    count: u64,
}

/// The body, which is written piece by piece.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct Report {
    #[schema(rename = "operationId")]
    operation_id: String,
    totals: Vec<TotalBody>,
    notes: Vec<NoteBody>,
    /// `null` before the end of a run with messages.
    #[schema(required)]
    history: Option<HistoryBody>,
    lines: Vec<LineBody>,
    count: usize,
    offset: u64,
    total: u64,
    success: bool,
}

/// The account of an import.
#[utoipa::path(
    get,
    path = "/api/v1/import.report",
    tag = "import",
    operation_id = "getImportReport",
    summary = "The account of a file's import",
    description = "Ours. Each element of a file is imported, failed or passed over, or waits for the run; `totals` says how many. `lines` lists those that failed or are passed over: first what loading found, in the order of the file, then the records that failed in the last run. `history` says whether clients find the messages. Never the text of a message. Other query parameters are ignored. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(WantedReport, Page),
    responses(
        (
            status = 200,
            description = "The account, with a page of lines",
            body = Report,
            content_type = "application/json",
            example = json!({
                "operationId": "64d51ea91558939980aab371",
                "totals": [
                    { "type": "user", "elements": 2, "imported": 2, "failed": 0, "passedOver": 0, "waiting": 0 },
                    { "type": "message", "elements": 9, "imported": 7, "failed": 1, "passedOver": 1, "waiting": 0 }
                ],
                "notes": [{ "note": "emoji names left as they are", "count": 1 }],
                "history": { "rooms": 1, "messages": 7, "days": 0, "missing": [] },
                "lines": [{
                    "outcome": "failed",
                    "type": "message",
                    "place": "general/2024-01-02.json, element 3",
                    "ids": [],
                    "reason": "The message has no time.",
                    "count": 1
                }],
                "count": 1,
                "offset": 0,
                "total": 2,
                "success": true
            })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn report(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let query = request.query_string();
    let wanted = web::Query::<WantedReport>::from_query(query);
    let wanted = wanted.map_err(|_| ApiError::InvalidQuery("operationId must be one text"))?.into_inner();
    let part = part_of_list(query)?;
    let place = app.streams.take_place()?;
    let repositories = &app.repositories;
    let part = caller.deadline.bound(part.allowed(&repositories.settings)).await?;
    let operation = reported_operation(&caller, &app, wanted.operation_id, "import.report").await?;
    let Account { totals, notes, history, last_run } = caller.deadline.bound(account(repositories, &operation)).await?;
    let found = caller.deadline.bound(repositories.imports.find(&operation)).await?;
    let root = found.as_ref().and_then(|operation| operation.root()).unwrap_or(&operation);
    let lines = caller.deadline.bound(repositories.load_reports.lines(root, None)).await?;
    let failed = match &last_run {
        Some(id) => Some(caller.deadline.bound(ReceiptRecords::of(&repositories.receipts, id, Which::Failed)).await?),
        None => None,
    };
    let total = lines.total() + failed.as_ref().map_or(0, ReceiptRecords::total);
    let (of_file, of_run) = parts(part, lines.total());
    let lines = lines.read(of_file).map_ok(LineBody::from);
    let failed = failed.map(|failed| placed(repositories, failed.read(of_run)).map_ok(LineBody::from));
    let lines = lines.chain(stream::iter(failed).flatten());
    let totals: Vec<TotalBody> = totals.into_iter().map(TotalBody::from).collect();
    let notes: Vec<NoteBody> = notes.into_iter().map(|(note, count)| NoteBody { note, count }).collect();
    let (id, totals, notes, history) =
        (json(&operation), json(&totals), json(&notes), json(&history.map(HistoryBody::from)));
    let open = format!(r#"{{"operationId":{id},"totals":{totals},"notes":{notes},"history":{history},"lines":["#);
    let offset = part.offset;
    let close = move |count| format!(r#"],"count":{count},"offset":{offset},"total":{total},"success":true}}"#);
    place.answer(&request, streamed::JSON, list(open, lines, close)).await
}

/// The parts of two lists, one after the other, that make this part of both. The first list has `length` items.
pub(super) const fn parts(Part { offset, limit }: Part, length: u64) -> (Part, Part) {
    let of_first = length.saturating_sub(offset);
    let taken = if of_first < limit { of_first } else { limit };
    (Part { offset, limit: taken }, Part { offset: offset.saturating_sub(length), limit: limit - taken })
}

/// A failed record and where it comes from.
pub(super) struct PlacedRecord {
    pub(super) kind: RecordType,
    pub(super) record: RecordReceipt,
    pub(super) origin: Origin,
}

/// Failed records with what their staged form says, as long as they are staged.
pub(super) fn placed(
    repositories: &Repositories,
    records: impl Stream<Item = Result<(RecordType, RecordReceipt), RepositoryError>> + Send + 'static,
) -> impl Stream<Item = Result<PlacedRecord, RepositoryError>> + Send + 'static {
    let staged = repositories.staged_view.clone();
    let chunks = records.try_chunks(RECORDS_AT_A_TIME).map_err(|error| error.1);
    let placed = chunks.and_then(move |records| {
        let staged = staged.clone();
        async move {
            let ids: Vec<_> = records.iter().map(|(_, record)| record.id.clone()).collect();
            let mut places = staged.places(&ids).await?;
            let records = records.into_iter().map(move |(kind, record)| {
                let origin = places.remove(&record.id.as_text()).map(|staged| Origin::of(&staged)).unwrap_or_default();
                Ok(PlacedRecord { kind, record, origin })
            });
            Ok(stream::iter(records))
        }
    });
    placed.try_flatten()
}

impl From<Total> for TotalBody {
    fn from(total: Total) -> Self {
        let waiting = total.waiting();
        let Total { kind, elements, imported, failed, passed_over } = total;
        Self { kind, elements, imported, failed, passed_over, waiting }
    }
}

impl From<HistoryCheck> for HistoryBody {
    fn from(HistoryCheck { rooms, messages, days, missing }: HistoryCheck) -> Self {
        let missing = missing.into_iter().map(|MissingMessages { room, day, imported, in_history }| MissingBody {
            room,
            day,
            imported,
            in_history,
        });
        Self { rooms, messages, days, missing: missing.collect() }
    }
}

impl From<ReportLine> for LineBody {
    fn from(line: ReportLine) -> Self {
        let ReportLine { outcome, kind, place, ids, reason, count } = line;
        let place = Some(place).filter(|place| !place.is_empty());
        Self { outcome: outcome.as_str(), kind, place, ids, reason, count }
    }
}

impl From<PlacedRecord> for LineBody {
    fn from(PlacedRecord { kind, record, origin }: PlacedRecord) -> Self {
        Self {
            outcome: "failed",
            kind: kind.data_type().to_owned(),
            place: origin.place,
            ids: record.import_ids,
            reason: record.reason.unwrap_or_default(),
            count: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_goes_on_in_the_second_list() {
        for (offset, limit, first, second) in [
            (0, 10, (0, 5), (0, 5)),
            (0, 3, (0, 3), (0, 0)),
            (4, 3, (4, 1), (0, 2)),
            (7, 3, (7, 0), (2, 3)),
            (0, u64::MAX, (0, 5), (0, u64::MAX - 5)),
        ] {
            let (one, two) = parts(Part { offset, limit }, 5);
            assert_eq!(((one.offset, one.limit), (two.offset, two.limit)), (first, second), "{offset} {limit}");
        }
    }
}
