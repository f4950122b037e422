//! `GET import.status`: how the newest import goes.

use actix_web::{HttpRequest, HttpResponse, web};
use parking_lot::Mutex;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    domain::{field_value::Date, operation::Operation},
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        answer,
        error::ApiError,
        error_schemas::Refusals,
    },
    wire::{schemas::example_operation, status::Status},
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct WantedStatus {
    /// Ours: the `_id` of the operation. The newest one if it is missing.
    #[param(required = false, value_type = String)]
    operation_id: Option<String>,
}

/// Answers `{state, operation, success}` from the newest operation as the database holds it now.
///
/// Source: `apps/meteor/server/services/import/service.ts` (`status`).
#[utoipa::path(
    get,
    path = "/api/v1/import.status",
    tag = "import",
    operation_id = "getImportStatus",
    summary = "How the newest import goes",
    description = "The operation is as the database holds it now: the newest, or (ours) the one that `operationId` names, which still answers for an import after others followed it. An import that should move and did not for five minutes has `import.stalled` (ours). Other query parameters are ignored. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(WantedStatus),
    responses(
        (
            status = 200,
            description = "State and operation",
            body = Status,
            content_type = "application/json",
            example = json!({ "state": "ready", "operation": example_operation(), "success": true })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn status(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    // Rocket.Chat looks at no parameter, so one that cannot be read is none.
    let wanted = web::Query::<WantedStatus>::from_query(request.query_string());
    if let Some(id) = wanted.ok().and_then(|wanted| wanted.into_inner().operation_id).filter(|id| !id.is_empty()) {
        let found = caller.deadline.bound(app.repositories.imports.find(&id)).await?;
        let found = found.ok_or_else(|| ApiError::Coded {
            reason: "Import Operation Not Found".to_owned(),
            code: "error-operation-not-found",
            endpoint: "import.status",
        })?;
        return answered(&caller, &app, Some(&found)).await;
    }
    let newest = caller.deadline.bound(app.repositories.imports.newest()).await?;
    if let Some(operation) = newest.as_ref().filter(|operation| operation.step().is_none()) {
        app.unknown_statuses.warn_once(operation);
    }
    answered(&caller, &app, newest.as_deref()).await
}

/// The answer, which says so if nothing has moved for a while.
async fn answered(
    caller: &Authorized<RunImport>,
    app: &AppState,
    operation: Option<&Operation>,
) -> Result<HttpResponse, ApiError> {
    if let Some(operation) = operation
        && let Some(stalled) = caller.deadline.bound(app.repositories.leases.stalled(operation, Date::now())).await?
    {
        return Ok(answer::action(&Status::of(Some(&stalled.marked(operation)))));
    }
    Ok(answer::action(&Status::of(operation)))
}

/// Remembers which operation was last found at a step nobody knows, so that polling it does not flood the log.
#[derive(Debug, Default)]
pub(in crate::http) struct UnknownStatusLog {
    last: Mutex<Option<(String, String)>>,
}

impl UnknownStatusLog {
    fn warn_once(&self, operation: &Operation) {
        let id = operation.id().unwrap_or_default().to_owned();
        let status = format!("{:?}", operation.fields.get("status"));
        let found = Some((id, status));
        let mut last = self.last.lock();
        if *last != found {
            if let Some((id, status)) = &found {
                log::warn!("operation {id} has a status that no Rocket.Chat release writes: {status}");
            }
            *last = found;
        }
    }
}
