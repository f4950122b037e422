//! `GET import.receipt`, our own: what became of each record of an operation, also after the staged records are gone.

use actix_web::{HttpRequest, HttpResponse, web};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    list_part::{Page, part_of_list},
    receipt_messages::{self, AnyReceipt, ReceiptFormat},
};
use crate::{
    domain::{field_value::Fields, matching::FoundBy, receipt::DEACTIVATED, record_type::RecordType},
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        error::ApiError,
        error_schemas::Refusals,
        streamed::{self, Format, json, list},
    },
    repository::{ChangedField, LeftAccount, Part, ReceiptRecords, RecordReceipt, Which},
    wire::{csv, json::JsonObject},
};

/// The values of one cell of the CSV file are put apart with it.
const LIST_SEPARATOR: &str = ";";
const CSV_COLUMNS: [&str; 12] = [
    "record",
    "dataType",
    "outcome",
    "became",
    "importIds",
    "username",
    "emails",
    "reason",
    "changed",
    "foundBy",
    "memberships",
    "withoutPassword",
];

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct WantedReceipt {
    /// The `_id` of the operation. The newest one if it is missing.
    #[param(required = false, value_type = String)]
    pub(super) operation_id: Option<String>,
    /// The form of the answer: a page as JSON, or the whole receipt as CSV or JSON lines.
    #[param(required = false, value_type = ReceiptFormat)]
    #[serde(default)]
    format: ReceiptFormat,
    /// The content: each record, or the number of messages for each room and day.
    #[param(required = false, value_type = ReceiptContent)]
    #[serde(default)]
    of: ReceiptContent,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReceiptContent {
    #[default]
    Records,
    Messages,
}

/// A record and what became of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReceiptRecord {
    /// The `_id` that the record was staged with; of a deactivated account, its own.
    #[serde(rename = "_id")]
    id: String,
    /// `user`, `contact`, `channel` or `message`; of messages only those that failed.
    data_type: &'static str,
    /// `created`, `linked` (an account that was there gained import ids and what it lacked), `updated`, `same` (it already had every value) or
    /// `failed`; `deactivated` for an account beside the records, whose person the source no longer holds.
    outcome: &'static str,
    /// The `_id` of the account.
    #[schema(required)]
    became: Option<String>,
    /// The first twenty.
    import_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    username: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    emails: Vec<String>,
    /// Why it failed; for a created account, which name it got instead of one that is taken, and which channels it could not
    /// join.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// The fields that were changed in an account that was there, each with `before` and `after`. A password has
    /// neither, nor have values that are too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    changed: Option<Changes>,
    /// How an account was found that was there: `importId`, `verifiedEmail`, `unverifiedEmail` or `username`. Those that were
    /// found by an address that nobody verified, or by name alone, are worth a look.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    found_by: Option<&'static str>,
    /// The channels that a new account joined; missing for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    memberships: Option<u32>,
    /// `true` for a new account that nobody can log in to with a password until one is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    without_password: Option<bool>,
}

struct Changes(Vec<ChangedField>);

/// The body, which is written piece by piece.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct Receipt {
    records: Vec<ReceiptRecord>,
    /// The operation that the receipt is of.
    #[schema(rename = "operationId")]
    operation_id: String,
    /// The channels that new accounts of the whole operation joined.
    memberships: u64,
    /// New accounts of the whole operation without a password.
    #[schema(rename = "withoutPassword")]
    without_password: u64,
    /// Accounts that `import.deactivateMissing` deactivated with the operation. They stand behind the records.
    deactivated: u64,
    count: usize,
    offset: u64,
    total: u64,
    success: bool,
}

/// What became of the records of an operation.
#[utoipa::path(
    get,
    path = "/api/v1/import.receipt",
    tag = "import",
    operation_id = "getImportReceipt",
    summary = "What became of each record",
    description = "Ours. Each record of an operation that a run of this service has processed, in the order they were staged. Messages that are in have no record each: `of=messages` says how many are in which room on which day, see `MessagesReceipt`. Kept after the staged records are gone, for 90 days unless the service is set up otherwise. `format=csv` and `format=jsonl` stream the whole receipt unless `count` is given; a stream that breaks off is not whole. Other query parameters are ignored. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(WantedReceipt, Page),
    responses(
        (
            status = 200,
            description = "The receipt",
            content(
                (AnyReceipt = "application/json", example = json!({
                    "records": [{
                        "_id": "64d51ea91558939980aab372",
                        "dataType": "user",
                        "outcome": "created",
                        "became": "rbAXPnMktTFbNpwtJ",
                        "importIds": ["old-system-17"]
                    }],
                    "operationId": "64d51ea91558939980aab371",
                    "memberships": 0,
                    "withoutPassword": 1,
                    "deactivated": 0,
                    "count": 1,
                    "offset": 0,
                    "total": 1,
                    "success": true
                })),
                (String = "text/csv"),
                (String = "application/x-ndjson"),
            )
        ),
        Refusals
    )
)]
pub(in crate::http) async fn receipt(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let query = request.query_string();
    let WantedReceipt { operation_id, format, of } = wanted(query)?;
    let part = part_of_list(query)?;
    let place = app.streams.take_place()?;
    let repositories = &app.repositories;
    let operation = reported_operation(&caller, &app, operation_id, "import.receipt").await?;
    let part = match (format, part.count) {
        (ReceiptFormat::Json, _) => caller.deadline.bound(part.allowed(&repositories.settings)).await?,
        (_, None | Some(0)) => Part { offset: part.offset, limit: u64::MAX },
        (_, Some(limit)) => Part { offset: part.offset, limit },
    };
    if of == ReceiptContent::Messages {
        return receipt_messages::answer(place, &request, &repositories.receipts, operation, part, format).await;
    }
    let records = ReceiptRecords::of(&repositories.receipts, &operation, Which::All);
    let records = caller.deadline.bound(records).await?;
    let deactivated = caller.deadline.bound(repositories.receipts.count_left(&operation)).await?;
    let total = records.total() + deactivated;
    let left = repositories.receipts.left(&operation, part.behind(records.total()));
    let newcomers = match format {
        ReceiptFormat::Json => caller.deadline.bound(repositories.receipts.newcomers(&operation)).await?,
        ReceiptFormat::Csv | ReceiptFormat::Jsonl => Default::default(),
    };
    let records =
        records.read(part).map_ok(|(kind, record)| receipt_record(kind, record)).chain(left.map_ok(left_record));
    let file_name = |ending| Some(format!("receipt-{operation}.{ending}"));
    match format {
        ReceiptFormat::Json => {
            let (joined, without_password) = newcomers;
            let memberships: u64 = joined.values().sum();
            let close = move |count| {
                let (operation, offset) = (json(&operation), part.offset);
                format!(
                    r#"],"operationId":{operation},"memberships":{memberships},"withoutPassword":{without_password},"deactivated":{deactivated},"count":{count},"offset":{offset},"total":{total},"success":true}}"#
                )
            };
            place.answer(&request, streamed::JSON, list(r#"{"records":["#.to_owned(), records, close)).await
        }
        ReceiptFormat::Jsonl => {
            let format = Format { content_type: "application/x-ndjson", file_name: file_name("jsonl") };
            place.answer(&request, format, records.map_ok(|record| json(&record) + "\n")).await
        }
        ReceiptFormat::Csv => {
            let format = Format { content_type: "text/csv; charset=utf-8", file_name: file_name("csv") };
            let head = format!("{}{}", csv::BYTE_ORDER_MARK, csv::row(CSV_COLUMNS));
            let rows = records.map_ok(|record| csv_row(&record));
            place.answer(&request, format, stream::once(async { Ok(head) }).chain(rows)).await
        }
    }
}

pub(super) fn wanted(query: &str) -> Result<WantedReceipt, ApiError> {
    let wanted = web::Query::<WantedReceipt>::from_query(query);
    let wanted = wanted.map_err(|_| {
        ApiError::InvalidQuery("operationId must be one text, format json, csv or jsonl, and of records or messages")
    })?;
    Ok(wanted.into_inner())
}

/// The operation that a report is about: the one that is named, else the newest.
pub(super) async fn reported_operation(
    caller: &Authorized<RunImport>,
    app: &AppState,
    named: Option<String>,
    endpoint: &'static str,
) -> Result<String, ApiError> {
    let repositories = &app.repositories;
    let found = if let Some(id) = named.filter(|id| !id.is_empty()) {
        let is_known = async {
            // A receipt outlives the document of its operation.
            Ok(repositories.imports.find(&id).await?.is_some() || repositories.receipts.exist(&id).await?)
        };
        caller.deadline.bound(is_known).await?.then_some(id)
    } else {
        let newest = caller.deadline.bound(repositories.imports.newest()).await?;
        // An import that others follow is still the one that people mean.
        newest.and_then(|newest| newest.follows().or(newest.id()).map(str::to_owned))
    };
    found.ok_or_else(|| ApiError::Coded {
        reason: "Import Operation Not Found".to_owned(),
        code: "error-operation-not-found",
        endpoint,
    })
}

fn receipt_record(kind: RecordType, record: RecordReceipt) -> ReceiptRecord {
    ReceiptRecord {
        id: record.id.as_text(),
        data_type: kind.data_type(),
        outcome: record.outcome.as_str(),
        became: record.became,
        import_ids: record.import_ids,
        username: record.username,
        emails: record.emails,
        reason: record.reason,
        changed: (!record.changed.is_empty()).then_some(Changes(record.changed)),
        found_by: record.found_by.map(FoundBy::as_str),
        memberships: Some(record.memberships).filter(|count| *count > 0),
        without_password: record.is_without_password.then_some(true),
    }
}

fn left_record(LeftAccount { id, username, import_ids, source }: LeftAccount) -> ReceiptRecord {
    ReceiptRecord {
        id: id.clone(),
        data_type: RecordType::User.data_type(),
        outcome: DEACTIVATED,
        became: Some(id),
        import_ids,
        username,
        emails: Vec::new(),
        reason: Some(format!("The source {source} no longer holds this person.")),
        changed: None,
        found_by: None,
        memberships: None,
        without_password: None,
    }
}

fn csv_row(record: &ReceiptRecord) -> String {
    let changed = record.changed.as_ref().map(json).unwrap_or_default();
    csv::row([
        record.id.as_str(),
        record.data_type,
        record.outcome,
        record.became.as_deref().unwrap_or_default(),
        &record.import_ids.join(LIST_SEPARATOR),
        record.username.as_deref().unwrap_or_default(),
        &record.emails.join(LIST_SEPARATOR),
        record.reason.as_deref().unwrap_or_default(),
        &changed,
        record.found_by.unwrap_or_default(),
        &record.memberships.map(|count| count.to_string()).unwrap_or_default(),
        record.without_password.map_or("", |_| "true"),
    ])
}

impl Serialize for Changes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let changes: &[ChangedField] = &self.0;
        serializer.collect_map(changes.iter().map(|change| {
            let values: &Fields = &change.values;
            (&change.field, JsonObject(values))
        }))
    }
}
