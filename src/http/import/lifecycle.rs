//! `POST import.new`, `import.run`, `import.clear` and our own `import.resume`: the turns in an operation's life.
//!
//! None of them needs a body. Source: `apps/meteor/server/services/import/service.ts`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{operation::Operation, sent_list::SentList},
    engine::{Refusal, WantedStart},
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
    repository::with_default_timeout,
    wire::{json::JsonObject, schemas::StoredOperation},
};

/// The most users that a list may be said to have.
const MOST_LISTED: u64 = 1_000_000_000;

#[derive(Serialize, ToSchema)]
pub(super) struct Made<'a> {
    #[schema(value_type = StoredOperation)]
    operation: JsonObject<'a>,
    success: bool,
}

/// The parameters of `import.new`, to be described.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) struct ListParameters {
    /// A fingerprint of the users that are to be staged: ASCII letters and digits.
    #[param(required = false, value_type = String, pattern = "^[0-9A-Za-z]{1,128}$")]
    list: Option<String>,
    /// With `list`: a fingerprint of the file that they are from.
    #[param(required = false, value_type = String, pattern = "^[0-9A-Za-z]{1,128}$")]
    list_file: Option<String>,
    /// With `list`: how many they are.
    #[param(required = false, value_type = u64, maximum = 1_000_000_000)]
    list_users: Option<u64>,
}

/// The list that the query speaks of.
///
/// # Errors
/// With a sentence for a parameter whose value cannot be used.
fn sent_list(query: &str) -> Result<Option<SentList>, ApiError> {
    // Rocket.Chat takes any query.
    let Ok(pairs) = web::Query::<Vec<(String, String)>>::from_query(query) else { return Ok(None) };
    let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let wrong = |parameter: &str, reason: &str| ApiError::InvalidParameter {
        parameter: parameter.to_owned(),
        reason: reason.to_owned(),
    };
    let fingerprint = |name: &str| match value(name) {
        None => Ok(None),
        Some(text) if SentList::is_fingerprint(text) => Ok(Some(text.to_owned())),
        Some(_) => Err(wrong(name, "must be 1 to 128 ASCII letters and digits")),
    };
    let (list, file) = (fingerprint("list")?, fingerprint("listFile")?);
    let users = match value("listUsers").map(str::parse) {
        None => 0,
        Some(Ok(users)) if users <= MOST_LISTED => users,
        Some(_) => return Err(wrong("listUsers", "must be a number from 0 to 1000000000")),
    };
    Ok(list.map(|fingerprint| SentList { fingerprint, file, users }))
}

/// Ends whatever is going on and makes a new operation.
#[utoipa::path(
    post,
    path = "/api/v1/import.new",
    tag = "import",
    operation_id = "newImport",
    summary = "Begin a new import",
    description = "Ends whatever is going on, empties the staging area and makes a new operation. The body is not looked at. The parameters are ours: a program knows by them, in `import.list` of the operation, that it was cut off while it staged the same users. Other query parameters are ignored. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(ListParameters),
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
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let list = sent_list(request.query_string())?;
    let made = bound_write(app.engine.operations().begin(&caller.caller.id, list)).await?;
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
    description = "Starts the newest operation, which must be `ready`, and answers at once. A JSON body (ours) may name the operation, and say what happens with users whose accounts are there. A run that another instance takes over goes on under the same rules. Permission `run-import`; where `alsoUpdate` names passwords also `edit-other-user-password`.",
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
    caller: Authorized<RunImport>,
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<AppState>,
    overload: web::Data<Overload>,
) -> Result<HttpResponse, ApiError> {
    let wanted = WantedRun::read(&request, body, &overload).await?;
    start(&caller, &app, wanted.start(None)).await?;
    Ok(answer::action(&SUCCESS))
}

/// Starts a run, if the caller may run one under these rules. Where another operation is the newest, the refusal names both.
///
/// # Errors
/// With the reason.
pub(super) async fn start(
    caller: &Authorized<RunImport>,
    app: &AppState,
    wanted: WantedStart<'_>,
) -> Result<(), ApiError> {
    if let Some(permission) = wanted.rules.permission() {
        caller.also(&app.repositories, permission).await?;
    }
    let operation = wanted.operation.map(str::to_owned);
    let started = async {
        match (app.engine.operations().start(wanted).await, operation) {
            (Err(Refusal::OtherOperation), Some(wanted)) => {
                let newest = with_default_timeout(app.repositories.imports.newest()).await?;
                // It may be another one by now.
                match newest.as_deref().and_then(Operation::id).filter(|newest| *newest != wanted) {
                    Some(newest) => Err(ApiError::OtherOperation { wanted, newest: newest.to_owned() }),
                    None => Err(Refusal::OtherOperation.into()),
                }
            }
            (started, _) => started.map_err(ApiError::from),
        }
    };
    bound_write(started).await
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
