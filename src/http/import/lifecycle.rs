//! `POST import.new`, `import.run`, `import.clear` and our own `import.resume`: the turns in an operation's life.
//!
//! None of them reads its body. Source: `apps/meteor/server/services/import/service.ts`.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{
    AppState,
    answer::{self, SUCCESS, Success},
    authentication::{Authorized, RunImport},
    deadline::bound_write,
    error::ApiError,
    json::JsonObject,
    openapi::{Refusals, StoredOperation},
};
use crate::{
    domain::{
        importer::Importer,
        operation::{Operation, State},
        progress_step::ProgressStep,
    },
    repository::Claim,
};

#[derive(Serialize, ToSchema)]
pub(super) struct Made<'a> {
    #[schema(value_type = StoredOperation)]
    operation: JsonObject<'a>,
    success: bool,
}

/// Ends whatever is going on and makes a new operation.
#[utoipa::path(
    post,
    path = "/api/v1/import.new",
    tag = "import",
    operation_id = "newImport",
    summary = "Begin a new import",
    description = "Ends whatever is going on, empties the staging area and makes a new operation. The body is not looked at. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "The new operation",
            body = Made,
            content_type = "application/json",
            example = json!({
                "operation": {
                    "_id": "64d51ea91558939980aab371",
                    "type": "api",
                    "importerKey": "api",
                    "ts": "2023-08-10T17:30:17.519Z",
                    "status": "importer_new",
                    "valid": true,
                    "user": "rbAXPnMktTFbNpwtJ",
                    "_updatedAt": "2023-08-10T17:30:17.519Z"
                },
                "success": true
            })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn new(
    caller: Authorized<RunImport>,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let imports = &app.repositories.imports;
    let made = bound_write(async {
        imports.clear().await?;
        imports.create(&caller.caller.id).await
    });
    Ok(made_operation(&made.await?))
}

/// Ends whatever is going on and empties the staging area.
#[utoipa::path(
    post,
    path = "/api/v1/import.clear",
    tag = "import",
    operation_id = "clearImport",
    summary = "End the import",
    description = "Ends whatever is going on and empties the staging area. The body is not looked at. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "It is over",
            body = Success,
            content_type = "application/json",
            example = json!({ "success": true })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn clear(
    _: Authorized<RunImport>,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    bound_write(app.repositories.imports.clear()).await?;
    Ok(answer::action(&SUCCESS))
}

/// Starts the run of the newest operation and answers at once.
///
/// Refuses operations that a file importer filled: they may hold records that only Rocket.Chat itself can import.
#[utoipa::path(
    post,
    path = "/api/v1/import.run",
    tag = "import",
    operation_id = "runImport",
    summary = "Run the import",
    description = "Starts the newest operation, which must be `ready`, and answers at once. The body is not looked at. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "It runs",
            body = Success,
            content_type = "application/json",
            example = json!({ "success": true })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn run(
    caller: Authorized<RunImport>,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let newest = caller.deadline.bound(app.repositories.imports.newest()).await?;
    let operation = newest.filter(|newest| newest.is_valid()).ok_or(ApiError::Rejected("error-operation-not-found"))?;
    if operation.step() != Some(ProgressStep::UserSelection) {
        return Err(ApiError::Rejected("error-invalid-operation-status"));
    }
    if operation.importer() != Some(Importer::Api) {
        return Err(ApiError::Rejected("error-importer-not-defined"));
    }
    let id = operation.id().unwrap_or_default();
    match bound_write(app.engine.start(id)).await? {
        Claim::Ours => Ok(answer::action(&SUCCESS)),
        Claim::Refused => Err(ApiError::Rejected("error-invalid-operation-status")),
    }
}

/// Makes a new operation over what is still staged, ready to be run: after Rocket.Chat was restarted during a run, or to
/// try failed users again once the reason is mended.
#[utoipa::path(
    post,
    path = "/api/v1/import.resume",
    tag = "import",
    operation_id = "resumeImport",
    summary = "Go on with what is still staged",
    description = "Ours. Makes a new operation over the staged users, failed ones too, that is `ready`. The body is not looked at. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "The new operation",
            body = Made,
            content_type = "application/json",
            example = json!({
                "operation": {
                    "_id": "64d51ea91558939980aab371",
                    "type": "api",
                    "importerKey": "api",
                    "ts": "2023-08-10T17:30:17.519Z",
                    "status": "importer_user_selection",
                    "valid": true,
                    "user": "rbAXPnMktTFbNpwtJ",
                    "_updatedAt": "2023-08-10T17:30:17.519Z",
                    "count": {
                        "total": 2,
                        "users": 2
                    }
                },
                "success": true
            })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn resume(
    caller: Authorized<RunImport>,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let imports = &app.repositories.imports;
    let newest = caller.deadline.bound(imports.newest()).await?;
    match newest.and_then(|newest| newest.state()) {
        None | Some(State::Done | State::Error | State::Canceled) => {}
        Some(State::New | State::Loading | State::Ready | State::Importing) => {
            return Err(ApiError::Rejected("The current import operation is not finished."));
        }
    }
    let staged = caller.deadline.bound(app.repositories.staging.count_users()).await?;
    if staged == 0 {
        return Err(ApiError::Rejected("There are no staged users to go on with."));
    }
    let made = bound_write(imports.create_over_staged(&caller.caller.id, staged)).await?;
    Ok(made_operation(&made))
}

fn made_operation(operation: &Operation) -> HttpResponse {
    answer::action(&Made { operation: JsonObject(&operation.fields), success: true })
}
