//! `POST import.new`, `import.run`, `import.clear` and our own `import.resume`: the turns in an operation's life.
//!
//! None of them needs a body. Source: `apps/meteor/server/services/import/service.ts`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::operation::Operation,
    http::{
        AppState,
        access::{
            authentication::{Authorized, RunImport},
            deadline::bound_write,
        },
        answer::{self, SUCCESS, Success},
        error::ApiError,
        error_schemas::Refusals,
        import::run_body::{RunBody, WantedRun},
        overload::Overload,
    },
    wire::{json::JsonObject, schemas::StoredOperation},
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
    let made = bound_write(app.engine.operations().begin(&caller.caller.id)).await?;
    Ok(made_operation(&made))
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
    bound_write(app.engine.operations().clear()).await?;
    Ok(answer::action(&SUCCESS))
}

/// Starts the run of the newest operation and answers at once.
///
/// Refuses operations of importers that are not known here.
#[utoipa::path(
    post,
    path = "/api/v1/import.run",
    tag = "import",
    operation_id = "runImport",
    summary = "Run the import",
    description = "Starts the newest operation, which must be `ready`, and answers at once. A JSON body (ours) may name the operation, and say what happens with users whose accounts are there. A run that another instance takes over goes on under the same rules. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    request_body(content = Option<RunBody>, content_type = "application/json", description = "Need not be there; a body that is not a JSON object is passed over"),
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
    _: Authorized<RunImport>,
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<AppState>,
    overload: web::Data<Overload>,
) -> Result<HttpResponse, ApiError> {
    let wanted = WantedRun::read(&request, body, &overload).await?;
    bound_write(app.engine.operations().start(wanted.start(None))).await?;
    Ok(answer::action(&SUCCESS))
}

/// Makes a new operation over the records still staged, ready to be run: after Rocket.Chat was restarted during a run, or to
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
    let made = bound_write(app.engine.operations().resume(&caller.caller.id)).await?;
    Ok(made_operation(&made))
}

fn made_operation(operation: &Operation) -> HttpResponse {
    answer::action(&Made { operation: JsonObject(&operation.fields), success: true })
}
