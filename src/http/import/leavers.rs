//! `GET import.leavers`, our own: whom a source no longer holds, and what became of their accounts.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::list_part::{Page, part_of_list};
use crate::{
    domain::{field_value::Date, leaving::SourceName},
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        answer,
        error::ApiError,
        error_schemas::Refusals,
    },
    repository::LeftEntry,
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WantedSource {
    /// The name of the source.
    #[param(min_length = 1, max_length = 100)]
    source: String,
}

#[derive(Serialize, ToSchema)]
struct LeaversAnswer {
    leavers: Vec<ListedLeaver>,
    count: usize,
    offset: u64,
    total: u64,
    success: bool,
}

/// Somebody whom the source no longer holds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ListedLeaver {
    import_id: String,
    /// When that was noticed.
    #[schema(required, format = DateTime)]
    at: Option<String>,
    /// The `_id` of the account, if there was an active one.
    #[schema(required)]
    account: Option<String>,
    /// `deactivated`, `inactive` (it was so before), `elsewhere` (another source holds the person) or `gone` (there was no
    /// account).
    outcome: String,
}

/// Lists who has left a source.
#[utoipa::path(
    get,
    path = "/api/v1/import.leavers",
    tag = "import",
    operation_id = "listLeavers",
    summary = "Who has left a source",
    description = "Ours. The import ids that `import.deactivateMissing` found missing and that have not come back, with what became of their accounts: the receipt of deactivations, kept without end. Other query parameters are ignored. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(WantedSource, Page),
    responses(
        (
            status = 200,
            description = "The list, by import ids",
            body = LeaversAnswer,
            content_type = "application/json",
            example = json!({
                "leavers": [{
                    "importId": "16",
                    "at": "2026-03-01T02:00:07.519Z",
                    "account": "rbAXPnMktTFbNpwtJ",
                    "outcome": "deactivated"
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
pub(in crate::http) async fn leavers(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let query = request.query_string();
    let wanted = web::Query::<WantedSource>::from_query(query);
    let source = wanted.ok().and_then(|wanted| wanted.source.parse::<SourceName>().ok());
    let source = source.ok_or(ApiError::InvalidQuery("source must be the name of a source"))?;
    let part = part_of_list(query)?;
    let part = caller.deadline.bound(part.allowed(&app.repositories.settings)).await?;
    let offset = part.offset;
    let (left, total) = caller.deadline.bound(app.repositories.sources.left(source.as_str(), part)).await?;
    let leavers: Vec<ListedLeaver> = left.into_iter().map(ListedLeaver::from).collect();
    Ok(answer::action(&LeaversAnswer { count: leavers.len(), leavers, offset, total, success: true }))
}

impl From<LeftEntry> for ListedLeaver {
    fn from(LeftEntry { import_id, at, account, outcome }: LeftEntry) -> Self {
        Self { import_id, at: Date::to_iso_8601(at), account, outcome }
    }
}
