//! `GET import.errors`, our own: which records failed, and why. The problems of the file, and the failed part of the receipt.

use actix_web::{HttpRequest, HttpResponse, web};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::{
    list_part::{Page, part_of_list},
    report::{PlacedRecord, parts, placed},
    staged_origin::{Origin, short},
};
use crate::{
    domain::{
        field_value::{FieldValue, Fields},
        loading::{NotStaged, ReportLine},
        new_user::{emails_of, username_of},
        operation::Operation,
    },
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        error::ApiError,
        error_schemas::Refusals,
        streamed::{self, list},
    },
    repository::{Part, ReceiptRecords, Repositories, RepositoryError, StagedId, StagedView, Which},
    wire::json::JsonObject,
};

/// Failed users whose whole values are looked up together. They may be large.
const USERS_AT_A_TIME: usize = 50;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailedUser {
    #[serde(rename = "_id")]
    #[schema(required)]
    id: Option<String>,
    import_ids: Vec<String>,
    emails: Vec<String>,
    #[schema(required)]
    username: Option<String>,
    /// The display name of a user who is staged still.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// The first twenty roles of a user who is staged still, the default ones among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    roles: Vec<String>,
    errors: Vec<String>,
    /// `user`, `contact`, `channel`, `message`, or `entry` for an entry of an archive as a whole.
    #[serde(rename = "type")]
    kind: String,
    /// Where in its file the element is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    place: Option<String>,
    /// The line of a user who was staged with one and is staged still.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    line: Option<u64>,
    /// A user who is staged still, as `import.addUsers` takes him: every field is whole. Without `password`, `services` and fields
    /// that are no user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Object)]
    user: Option<SendableUser>,
    /// The fields that are not in `user` because they are larger than 32 KiB.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    left_out: Vec<String>,
}

/// The fields of a user.
pub(super) struct SendableUser(Fields);

impl Serialize for SendableUser {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonObject(&self.0).serialize(serializer)
    }
}

/// A failed record, and the id of its staged form.
type Failed = (Option<StagedId>, FailedUser);

/// The body, which is written piece by piece.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct FailedUsers {
    errors: Vec<FailedUser>,
    count: usize,
    offset: u64,
    total: u64,
    success: bool,
}

/// The failed records of the newest operation, in the order they were staged, a page at a time.
#[utoipa::path(
    get,
    path = "/api/v1/import.errors",
    tag = "import",
    operation_id = "getImportErrors",
    summary = "The records that failed, and why",
    description = "Ours. The elements of a file that cannot be imported, and then the failed part of the receipt of the newest operation; of the operation that it resumes, as long as it was not run itself; and where Rocket.Chat ran the operation, the staged users that it marked. In the order they were staged, a page at a time. Other query parameters are ignored. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(Page),
    responses(
        (
            status = 200,
            description = "A page of failed users",
            body = FailedUsers,
            content_type = "application/json",
            example = json!({
                "errors": [{
                    "_id": "64d51ea91558939980aab372",
                    "importIds": ["old-system-17"],
                    "emails": ["jane@example.com"],
                    "username": "jane",
                    "name": "Jane Roe",
                    "roles": ["user"],
                    "errors": ["The username jane is taken by the user jane (rbAXPnMktTFbNpwtJ)."],
                    "type": "user",
                    "place": "line 7",
                    "line": 7,
                    "user": {
                        "username": "jane",
                        "emails": ["jane@example.com"],
                        "importIds": ["old-system-17"],
                        "name": "Jane Roe",
                        "roles": ["user"],
                        "deleted": true
                    }
                }],
                "count": 1,
                "offset": 0,
                "total": 1,
                "success": true
            })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn errors(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let wanted = part_of_list(request.query_string())?;
    let place = app.streams.take_place()?;
    let repositories = &app.repositories;
    let part = caller.deadline.bound(wanted.allowed(&repositories.settings)).await?;
    let newest = caller.deadline.bound(repositories.imports.newest_import()).await?;
    let newest = newest.as_ref();
    let root = newest.and_then(Operation::root).unwrap_or_default();
    let of_file = caller.deadline.bound(repositories.load_reports.lines(root, Some(NotStaged::Failed))).await?;
    let Part { offset, .. } = part;
    let length = of_file.total();
    let (first, part) = parts(part, length);
    let of_file = of_file.read(first).map_ok(problem_of_file);
    let receipt = caller.deadline.bound(receipt_of(repositories, newest)).await?;
    let (users, total) = if let Some(receipt) = receipt {
        let total = receipt.total();
        (placed(repositories, receipt.read(part)).map_ok(failed_record).left_stream(), total)
    } else {
        let staged = &repositories.staged_view;
        let total = caller.deadline.bound(staged.count_failed(root)).await?;
        // To the database, no limit and a limit of nothing are the same.
        let part = if part.limit == 0 { Part { offset: total, limit: 1 } } else { part };
        let users = caller.deadline.bound(staged.failed(root, part)).await?;
        (users.map_ok(|record| failed_user(&record)).right_stream(), total)
    };
    let users = with_whole_values(repositories.staged_view.clone(), users);
    let (users, total) = (of_file.chain(users), length + total);
    let body = list(r#"{"errors":["#.to_owned(), users, move |count| {
        format!(r#"],"count":{count},"offset":{offset},"total":{total},"success":true}}"#)
    });
    place.answer(&request, streamed::JSON, body).await
}

/// The failed records of the newest operation, or of the one that it resumes; `None` if neither has a receipt.
async fn receipt_of(
    Repositories { receipts, .. }: &Repositories,
    newest: Option<&Operation>,
) -> Result<Option<ReceiptRecords>, RepositoryError> {
    let Some(newest) = newest else { return Ok(None) };
    for operation in newest.id().into_iter().chain(newest.resumes()) {
        if receipts.exist(operation).await? {
            return ReceiptRecords::of(receipts, operation, Which::Failed).await.map(Some);
        }
    }
    Ok(None)
}

/// Failed records with all that they can be sent again with, as long as they are staged.
fn with_whole_values(
    staged: StagedView,
    failed: impl Stream<Item = Result<Failed, RepositoryError>> + Send + 'static,
) -> impl Stream<Item = Result<FailedUser, RepositoryError>> + Send + 'static {
    let chunks = failed.try_chunks(USERS_AT_A_TIME).map_err(|error| error.1);
    let whole = chunks.and_then(move |failed| {
        let staged = staged.clone();
        async move {
            let ids: Vec<StagedId> = failed.iter().filter_map(|(id, _)| id.clone()).collect();
            let mut sendable = staged.sendable(&ids).await?;
            Ok(stream::iter(failed.into_iter().map(move |(id, mut failed)| {
                let found = id.and_then(|id| sendable.remove(&id.as_text())).unwrap_or_default();
                failed.user = found.get("user").and_then(FieldValue::as_object).cloned().map(SendableUser);
                failed.left_out = found.get("leftOut").map(texts_of).unwrap_or_default();
                Ok(failed)
            })))
        }
    });
    whole.try_flatten()
}

fn problem_of_file(line: ReportLine) -> FailedUser {
    FailedUser {
        id: None,
        import_ids: line.ids,
        emails: Vec::new(),
        username: None,
        name: None,
        roles: Vec::new(),
        errors: vec![line.reason],
        kind: line.kind,
        place: Some(line.place).filter(|place| !place.is_empty()),
        line: None,
        user: None,
        left_out: Vec::new(),
    }
}

fn failed_record(PlacedRecord { kind, record, origin }: PlacedRecord) -> Failed {
    let Origin { place, line, name, roles } = origin;
    let failed = FailedUser {
        id: Some(record.id.as_text()),
        import_ids: record.import_ids,
        emails: record.emails,
        username: record.username,
        name,
        roles,
        errors: record.reason.into_iter().collect(),
        kind: kind.data_type().to_owned(),
        place,
        line,
        user: None,
        left_out: Vec::new(),
    };
    (Some(record.id), failed)
}

fn failed_user(record: &Fields) -> Failed {
    let id = record.get("_id").and_then(FieldValue::as_text);
    let data = record.get("data").and_then(FieldValue::as_object);
    let Origin { place, line, name, roles } = Origin::of(record);
    let failed = FailedUser {
        id: id.map(short),
        import_ids: data.and_then(|data| data.get("importIds")).map(texts_of).unwrap_or_default(),
        emails: data.map(|data| emails_of(data).map(short).collect()).unwrap_or_default(),
        username: data.and_then(username_of).map(short),
        name,
        roles,
        errors: match record.get("errors") {
            Some(FieldValue::List(errors)) => errors.iter().filter_map(message_of).map(short).collect(),
            _ => Vec::new(),
        },
        kind: record.get("dataType").and_then(FieldValue::as_text).map(short).unwrap_or_default(),
        place,
        line,
        user: None,
        left_out: Vec::new(),
    };
    (id.map(StagedId::from), failed)
}

fn message_of(error: &FieldValue) -> Option<&str> {
    error.as_object()?.get("message")?.as_text()
}

fn texts_of(list: &FieldValue) -> Vec<String> {
    match list {
        FieldValue::List(texts) => texts.iter().filter_map(FieldValue::as_text).map(short).collect(),
        _ => Vec::new(),
    }
}
