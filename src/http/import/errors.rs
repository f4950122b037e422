//! `GET import.errors`, our own: which users failed, and why.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type},
};

use super::super::{
    AppState, answer,
    authentication::{Authorized, RunImport},
    error::ApiError,
    openapi::Refusals,
};
use crate::{
    domain::{
        field_value::{FieldValue, Fields},
        new_user::{emails_of, username_of},
    },
    repository::{RepositoryError, Settings},
};

const DEFAULT_COUNT: i64 = 50;
const UPPER_COUNT_LIMIT: i64 = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Page {
    /// How many to tell. 0: as many as the workspace allows, which may be all.
    #[param(required = false, schema_with = number_or_nothing)]
    count: Option<String>,
    /// How many to leave out.
    #[param(required = false, schema_with = number_or_nothing)]
    offset: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailedUser<'a> {
    #[serde(rename = "_id")]
    #[schema(required)]
    id: Option<&'a str>,
    import_ids: Vec<&'a str>,
    emails: Vec<&'a str>,
    #[schema(required)]
    username: Option<&'a str>,
    errors: Vec<&'a str>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct FailedUsers<'a> {
    errors: Vec<FailedUser<'a>>,
    count: usize,
    offset: u64,
    total: u64,
    success: bool,
}

/// The failed users of the newest operation, in the order they were staged, a page at a time.
#[utoipa::path(
    get,
    path = "/api/v1/import.errors",
    tag = "import",
    operation_id = "getImportErrors",
    summary = "The users that failed, and why",
    description = "Ours. In the order they were staged, a page at a time. Other query parameters are ignored. Permission `run-import`.",
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
                    "errors": ["The username jane is taken by the user jane (rbAXPnMktTFbNpwtJ)."]
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
    let Part { count, offset } = part_of_list(request.query_string())?;
    let staging = &app.repositories.staging;
    let limit = caller.deadline.bound(page_length(&app.repositories.settings, count)).await?;
    let total = caller.deadline.bound(staging.count_failed()).await?;
    let failed = caller.deadline.bound(staging.failed(offset, limit)).await?;
    let errors: Vec<_> = failed.iter().map(|record| failed_user(&record.fields)).collect();
    Ok(answer::action(&FailedUsers { count: errors.len(), errors, offset, total, success: true }))
}

/// Which part of the list is asked for.
pub(in crate::http) struct Part {
    pub(in crate::http) count: Option<u64>,
    pub(in crate::http) offset: u64,
}

pub(in crate::http) fn part_of_list(query: &str) -> Result<Part, ApiError> {
    let page = web::Query::<Page>::from_query(query);
    let page = page.map_err(|_| ApiError::InvalidQuery("Invalid query parameters"))?;
    let offset = number_in(page.offset.as_deref(), 0)?;
    let count = page.count.as_deref().map(|count| number_in(Some(count), 0)).transpose()?;
    Ok(Part { count, offset })
}

/// What [`number_in`] takes.
fn number_or_nothing() -> Schema {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0));
    let nothing = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([""]));
    OneOfBuilder::new().item(number).item(nothing).build().into()
}

fn number_in(text: Option<&str>, default: u64) -> Result<u64, ApiError> {
    match text {
        None | Some("") => Ok(default),
        Some(text) => {
            // The database counts no further than that.
            let number = text.parse().ok().filter(|number| i64::try_from(*number).is_ok());
            number.ok_or(ApiError::InvalidQuery("count and offset must be numbers from 0 on"))
        }
    }
}

/// How long a page may be; 0 stands for everything.
///
/// Source: `apps/meteor/app/api/server/helpers/getPaginationItems.ts`.
async fn page_length(settings: &Settings, asked: Option<u64>) -> Result<u64, RepositoryError> {
    let positive = |number: i64, otherwise: i64| if number > 0 { number } else { otherwise }.unsigned_abs();
    let limit = positive(settings.integer("API_Upper_Count_Limit", UPPER_COUNT_LIMIT).await?, UPPER_COUNT_LIMIT);
    let default = positive(settings.integer("API_Default_Count", DEFAULT_COUNT).await?, DEFAULT_COUNT);
    Ok(match asked {
        Some(0) if settings.boolean("API_Allow_Infinite_Count", true).await? => 0,
        None | Some(0) => default.min(limit),
        Some(count) => count.min(limit),
    })
}

fn failed_user(record: &Fields) -> FailedUser<'_> {
    let data = record.get("data").and_then(FieldValue::as_object);
    FailedUser {
        id: record.get("_id").and_then(FieldValue::as_text),
        import_ids: data.and_then(|data| data.get("importIds")).map(texts_of).unwrap_or_default(),
        emails: data.map(|data| emails_of(data).collect()).unwrap_or_default(),
        username: data.and_then(username_of),
        errors: match record.get("errors") {
            Some(FieldValue::List(errors)) => errors.iter().filter_map(message_of).collect(),
            _ => Vec::new(),
        },
    }
}

fn message_of(error: &FieldValue) -> Option<&str> {
    error.as_object()?.get("message")?.as_text()
}

fn texts_of(list: &FieldValue) -> Vec<&str> {
    match list {
        FieldValue::List(texts) => texts.iter().filter_map(FieldValue::as_text).collect(),
        _ => Vec::new(),
    }
}
