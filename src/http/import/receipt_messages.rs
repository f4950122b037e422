//! `GET import.receipt?of=messages`: where the messages of an operation are, by room and day.

use actix_web::{HttpRequest, HttpResponse};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{OneOfBuilder, Ref, RefOr, Schema},
};

use crate::{
    http::{
        error::ApiError,
        streamed::{self, Format, Place, json, list},
    },
    repository::{Part, Receipts, RepositoryError, RoomReceipt, with_default_timeout},
    wire::csv,
};

const CSV_COLUMNS: [&str; 6] = ["room", "day", "created", "updated", "same", "inHistory"];

/// The form of an answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReceiptFormat {
    #[default]
    Json,
    Csv,
    Jsonl,
}

/// The messages of one room on one day.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReceiptPlace {
    /// The `_id` of the room.
    room: String,
    /// The day in UTC, as in `2024-01-31`.
    day: String,
    created: i64,
    updated: i64,
    same: i64,
    /// Those created that the room's history shows: no answers that only their thread shows, no hidden ones.
    in_history: i64,
}

/// The body, which is written piece by piece.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct MessagesReceipt {
    places: Vec<ReceiptPlace>,
    /// The operation that the receipt is of.
    #[schema(rename = "operationId")]
    operation_id: String,
    count: usize,
    offset: u64,
    total: u64,
    success: bool,
}

/// The body of an answer as JSON: of records, or of messages.
pub(super) struct AnyReceipt;

impl PartialSchema for AnyReceipt {
    fn schema() -> RefOr<Schema> {
        let [records, messages] = ["Receipt", "MessagesReceipt"].map(Ref::from_schema_name);
        RefOr::T(OneOfBuilder::new().item(records).item(messages).build().into())
    }
}

impl ToSchema for AnyReceipt {}

/// Answers with this part of the places.
pub(super) async fn answer(
    place: Place,
    request: &HttpRequest,
    receipts: &Receipts,
    operation: String,
    part: Part,
    format: ReceiptFormat,
) -> Result<HttpResponse, ApiError> {
    let total = with_default_timeout(receipts.count_places(&operation)).await?;
    let places = with_default_timeout(receipts.messages(&operation, part.offset, part.limit)).await?;
    let places = places.map_ok(receipt_place);
    let file_name = |ending| Some(format!("receipt-{operation}-messages.{ending}"));
    match format {
        ReceiptFormat::Json => {
            let offset = part.offset;
            let close = move |count| {
                let operation = json(&operation);
                format!(
                    r#"],"operationId":{operation},"count":{count},"offset":{offset},"total":{total},"success":true}}"#
                )
            };
            place.answer(request, streamed::JSON, list(r#"{"places":["#.to_owned(), places, close)).await
        }
        ReceiptFormat::Jsonl => {
            let format = Format { content_type: "application/x-ndjson", file_name: file_name("jsonl") };
            place.answer(request, format, places.map_ok(|place| json(&place) + "\n")).await
        }
        ReceiptFormat::Csv => {
            let format = Format { content_type: "text/csv; charset=utf-8", file_name: file_name("csv") };
            let head = format!("{}{}", csv::BYTE_ORDER_MARK, csv::row(CSV_COLUMNS));
            let rows = places.map_ok(|place| csv_row(&place));
            place.answer(request, format, stream::once(async { Ok::<_, RepositoryError>(head) }).chain(rows)).await
        }
    }
}

fn receipt_place(RoomReceipt { room, day, created, updated, same, in_history, .. }: RoomReceipt) -> ReceiptPlace {
    ReceiptPlace { room, day, created, updated, same, in_history }
}

fn csv_row(ReceiptPlace { room, day, created, updated, same, in_history }: &ReceiptPlace) -> String {
    let [created, updated, same, in_history] = [created, updated, same, in_history].map(ToString::to_string);
    csv::row([room.as_str(), day, &created, &updated, &same, &in_history])
}
