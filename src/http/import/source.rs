//! `POST import.source` and `POST import.deactivateMissing`, our own: which import ids came from a source, and the accounts
//! of people whom it no longer holds.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::receipt::reported_operation;
use crate::{
    domain::{
        caller::Permission,
        leaving::{DeactivateLimit, SourceName},
    },
    engine::leaving::{LeavingError, Left, Returned, SourcePeople, deactivate_missing, keep_source},
    http::{
        AppState,
        access::{
            authentication::{Authorized, RunImport},
            deadline::bound_write,
        },
        answer,
        error::ApiError,
        error_schemas::{BodyRefusals, Refusals},
        overload::{Body, Overload},
    },
    repository::{Deactivation, NewOwner, Succession},
};

/// The import ids of more than a million people.
const BODY_BYTES: usize = 50 * 1024 * 1024;
const TOO_MANY: &str = "error-deactivate-limit";
const DEACTIVATE_MISSING: &str = "import.deactivateMissing";

/// The people of a source, from a whole file.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct SourceBody {
    /// The name of the source.
    #[schema(min_length = 1, max_length = 100)]
    source: String,
    /// The import ids of all people in the file.
    #[schema(min_items = 1)]
    import_ids: Vec<String>,
}

/// The people of a source, and how many of those who are missing may be deactivated.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct MissingBody {
    /// The name of the source.
    #[schema(min_length = 1, max_length = 100)]
    source: String,
    /// The import ids of all people in the file.
    #[schema(min_items = 1)]
    import_ids: Vec<String>,
    /// A number of accounts such as `20`, or a percentage of the source's import ids such as `5%`. 5 % unless it is given, and
    /// then at least 10.
    #[schema(pattern = "^[0-9]+%?$")]
    limit: Option<String>,
    /// Says what would be done, and does nothing.
    #[serde(default)]
    #[schema(required = false)]
    check: bool,
    /// The `_id` of the operation that the file was imported with: its receipt says who was deactivated.
    operation_id: Option<String>,
}

/// The source after a file of it was kept.
#[derive(Serialize, ToSchema)]
struct SourceAnswer<'a> {
    source: &'a str,
    /// Import ids that are new.
    added: usize,
    /// Import ids that the source holds.
    people: usize,
    returned: Vec<ReturnedPerson>,
    success: bool,
}

/// Somebody who had left and is in the file again. The account is inactive still.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ReturnedPerson {
    import_ids: Vec<String>,
    /// The `_id` of the account.
    account: String,
    #[schema(required)]
    username: Option<String>,
}

/// What became of the accounts, or would.
#[derive(Serialize, ToSchema)]
struct LeavingAnswer<'a> {
    source: &'a str,
    /// Import ids that the source held before.
    people: usize,
    /// Accounts that may be deactivated.
    limit: u64,
    left: Vec<LeftPerson>,
    /// Accounts that the same call deactivates when it is sent again.
    remaining: usize,
    returned: Vec<ReturnedPerson>,
    success: bool,
}

/// Somebody who has left.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct LeftPerson {
    /// The import ids that came from the source.
    import_ids: Vec<String>,
    /// The `_id` of the account.
    account: String,
    #[schema(required)]
    username: Option<String>,
    outcome: LeftOutcome,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'static str>,
    /// Those who became owners of rooms that nobody else active owned.
    new_owners: Vec<NewRoomOwner>,
    /// The `_id`s of rooms in which nobody else is active; the account still owns them.
    left_rooms: Vec<String>,
}

/// `deactivated`; `same`: somebody else deactivated or removed the account meanwhile; `refused`: see `reason`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum LeftOutcome {
    Deactivated,
    Same,
    Refused,
}

#[derive(Serialize, ToSchema)]
struct NewRoomOwner {
    /// The `_id` of the room.
    room: String,
    /// The `_id` of the account.
    account: String,
}

/// Keeps which import ids came from a source.
#[utoipa::path(
    post,
    path = "/api/v1/import.source",
    tag = "import",
    operation_id = "keepSource",
    summary = "Keep who came from a source",
    description = "Ours. Keeps, without end, that these import ids came from the source, so that `import.deactivateMissing` can tell later who is missing. The body holds the import ids of a whole file. Where all of them are known nothing is stored. Answers who had left and is in the file again while the account is still inactive. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    request_body(content = SourceBody, content_type = "application/json", example = json!({ "source": "hr", "importIds": ["17", "18"] })),
    responses(
        (
            status = 200,
            description = "They are kept",
            body = SourceAnswer,
            content_type = "application/json",
            example = json!({ "source": "hr", "added": 2, "people": 2, "returned": [], "success": true })
        ),
        BodyRefusals,
        Refusals
    )
)]
pub(in crate::http) async fn source(
    _: Authorized<RunImport>,
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<AppState>,
    overload: web::Data<Overload>,
) -> Result<HttpResponse, ApiError> {
    let Body { bytes, room: _room } = overload.read_body(&request, body, BODY_BYTES).await?;
    let read = web::block(move || {
        let SourceBody { source, import_ids } = read(&bytes)?;
        people(&source, import_ids)
    });
    let people = read.await.unwrap_or_else(|_| Err(wrong("the body could not be read", None)))?;
    let kept = bound_write(keep_source(&app.repositories, &people)).await?;
    let returned = kept.returned.into_iter().map(ReturnedPerson::from).collect();
    let source = people.source.as_str();
    let answer = SourceAnswer { source, added: kept.added, people: kept.people, returned, success: true };
    Ok(answer::action(&answer))
}

/// Deactivates the accounts of people whom a source no longer holds.
#[utoipa::path(
    post,
    path = "/api/v1/import.deactivateMissing",
    tag = "import",
    operation_id = "deactivateMissing",
    summary = "Deactivate who is missing",
    description = "Ours. Deactivates the accounts whose import ids came from the source in former runs (`import.source`) and are not among those of the body, which holds the import ids of a whole file; each with all that Rocket.Chat does along with it, in one transaction. At most 200 in one call: `remaining` says whether to send it again. Above the limit nobody is deactivated (`error-deactivate-limit`). The last active administrator and federated accounts are refused. With `check` nothing is stored, and the answer says what would be. Permissions `run-import` and `edit-other-user-active-status`; the database user needs the privileges for files (`create-database-user --for files`).",
    security(("userId" = [], "authToken" = [])),
    request_body(content = MissingBody, content_type = "application/json", example = json!({ "source": "hr", "importIds": ["17", "18"], "limit": "5%" })),
    responses(
        (
            status = 200,
            description = "What became of them",
            body = LeavingAnswer,
            content_type = "application/json",
            example = json!({
                "source": "hr",
                "people": 200,
                "limit": 10,
                "left": [{
                    "importIds": ["16"],
                    "account": "rbAXPnMktTFbNpwtJ",
                    "username": "ann",
                    "outcome": "deactivated",
                    "newOwners": [],
                    "leftRooms": []
                }],
                "remaining": 0,
                "returned": [],
                "success": true
            })
        ),
        BodyRefusals,
        Refusals
    )
)]
pub(in crate::http) async fn missing(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<AppState>,
    overload: web::Data<Overload>,
) -> Result<HttpResponse, ApiError> {
    caller.also(&app.repositories, Permission::EditOtherUserActiveStatus).await?;
    let Body { bytes, room: _room } = overload.read_body(&request, body, BODY_BYTES).await?;
    let read = web::block(move || {
        let MissingBody { source, import_ids, limit, check, operation_id } = read(&bytes)?;
        let limit: Result<DeactivateLimit, String> = limit.map_or(Ok(DeactivateLimit::Default), |limit| limit.parse());
        let limit = limit.map_err(|problem| wrong(&problem, Some("/limit")))?;
        let operation = operation_id.filter(|id| !id.is_empty());
        let people = SourcePeople { operation, ..people(&source, import_ids)? };
        Ok((people, limit, check))
    });
    let read = read.await.unwrap_or_else(|_| Err(wrong("the body could not be read", None)));
    let (people, limit, is_check) = read?;
    if let Some(operation) = &people.operation {
        reported_operation(&caller, &app, Some(operation.clone()), DEACTIVATE_MISSING).await?;
    }
    let leaving = bound_write(deactivate_missing(&app.repositories, &people, limit, is_check)).await?;
    let answer = LeavingAnswer {
        source: people.source.as_str(),
        people: leaving.people,
        limit: leaving.limit,
        left: leaving.left.into_iter().map(LeftPerson::from).collect(),
        remaining: leaving.remaining,
        returned: leaving.returned.into_iter().map(ReturnedPerson::from).collect(),
        success: true,
    };
    Ok(answer::action(&answer))
}

fn read<'a, B: Deserialize<'a>>(body: &'a [u8]) -> Result<B, ApiError> {
    serde_json::from_slice(body).map_err(|error| wrong(&error.to_string(), None))
}

fn people(source: &str, import_ids: Vec<String>) -> Result<SourcePeople, ApiError> {
    let source: SourceName = source.parse().map_err(|problem: String| wrong(&problem, Some("/source")))?;
    if import_ids.is_empty() {
        return Err(wrong("must NOT have fewer than 1 items", Some("/importIds")));
    }
    Ok(SourcePeople { source, import_ids, operation: None })
}

fn wrong(problem: &str, path: Option<&str>) -> ApiError {
    ApiError::InvalidBody { problem: problem.to_owned(), path: path.map(str::to_owned) }
}

impl From<LeavingError> for ApiError {
    fn from(error: LeavingError) -> Self {
        match error {
            LeavingError::TooMany { .. } => {
                Self::Coded { reason: error.to_string(), code: TOO_MANY, endpoint: DEACTIVATE_MISSING }
            }
            LeavingError::Database(error) => error.into(),
        }
    }
}

impl From<Returned> for ReturnedPerson {
    fn from(Returned { import_ids, account, username }: Returned) -> Self {
        Self { import_ids, account, username }
    }
}

impl From<Left> for LeftPerson {
    fn from(Left { import_ids, account, username, outcome }: Left) -> Self {
        let person = |outcome, reason| Self {
            import_ids,
            account,
            username,
            outcome,
            reason,
            new_owners: Vec::new(),
            left_rooms: Vec::new(),
        };
        match outcome {
            Deactivation::Deactivated(Succession { new_owners, left_rooms }) => {
                let new_owner = |NewOwner { room, account }| NewRoomOwner { room, account };
                let new_owners = new_owners.into_iter().map(new_owner).collect();
                Self { new_owners, left_rooms, ..person(LeftOutcome::Deactivated, None) }
            }
            Deactivation::Inactive | Deactivation::Gone => person(LeftOutcome::Same, None),
            Deactivation::LastAdministrator => {
                person(LeftOutcome::Refused, Some("The last active administrator is not deactivated."))
            }
            Deactivation::Federated => {
                person(LeftOutcome::Refused, Some("A federated account is deactivated on its own server."))
            }
        }
    }
}
