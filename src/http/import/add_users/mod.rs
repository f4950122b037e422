//! `POST import.addUsers`: users into the staging area, all of a call or none.
//!
//! Source: `apps/meteor/server/services/import/service.ts` (`addUsers`).

mod schema;
mod sent_users;

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, http::header::CONTENT_TYPE, web};

use self::sent_users::SentUsers;
use super::super::{
    AppState,
    answer::{self, SUCCESS, Success},
    authentication::{Authorized, RunImport},
    deadline::{Deadline, bound_write},
    error::ApiError,
    openapi::{AddUsersBody, BodyRefusals, Refusals},
    overload::{Body, Overload},
};
use crate::{
    domain::{
        field_value::{FieldValue, Fields},
        operation::State,
    },
    repository::Accepted,
};

#[cfg(feature = "fuzzing")]
pub(in crate::http) use sent_users::users_in;

/// As much as Rocket.Chat takes in a JSON body.
const BODY_LIMIT_BYTES: usize = 50 * 1024 * 1024;

const FINISHED: ApiError = ApiError::Rejected("The current import operation is already finished.");
const TAKES_NO_DATA: ApiError = ApiError::Rejected("The current import operation can not receive new data.");

/// Stages users for the newest operation.
#[utoipa::path(
    post,
    path = "/api/v1/import.addUsers",
    tag = "import",
    operation_id = "addUsersToImport",
    summary = "Stage users",
    description = "All users of a call or none. The newest operation must be `new` or `ready`, and becomes `ready`. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    request_body(content = AddUsersBody, content_type = "application/json", description = "50 MiB at most"),
    responses(
        (
            status = 200,
            description = "They are staged",
            body = Success,
            content_type = "application/json",
            example = json!({ "success": true })
        ),
        BodyRefusals,
        Refusals
    )
)]
pub(in crate::http) async fn add_users(
    _: Authorized<RunImport>,
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<AppState>,
    overload: web::Data<Overload>,
) -> Result<HttpResponse, ApiError> {
    let Body { bytes, room: _room } = overload.read_body(&request, body, BODY_LIMIT_BYTES).await?;
    let call = read_call(&request, bytes.freeze()).await?;
    if call.users.is_empty() {
        return Ok(answer::action(&SUCCESS));
    }
    let repositories = &app.repositories;
    let newest = Deadline::from_now().bound(repositories.imports.newest()).await?;
    let operation = newest.filter(|newest| newest.is_valid());
    let operation = operation.ok_or(ApiError::Rejected("Import operation not initialized."))?;
    match operation.state() {
        Some(State::New | State::Ready) => {}
        Some(State::Loading | State::Importing) | None => return Err(TAKES_NO_DATA),
        Some(State::Done | State::Error | State::Canceled) => return Err(FINISHED),
    }
    if !call.has_required_data {
        return Err(ApiError::Rejected("Users are missing required data."));
    }
    let defaults = bound_write(repositories.settings.new_user_roles()).await?;
    let used: BTreeSet<&str> = call.roles.iter().chain(&defaults).map(String::as_str).collect();
    if !bound_write(repositories.roles.all_exist(&used)).await? {
        return Err(ApiError::Rejected("One or more of the users have been assigned invalid roles."));
    }
    let id = operation.id().unwrap_or_default();
    let users = || call.users.iter().map(|user| with_roles(user, &defaults));
    match bound_write(repositories.imports.stage(id, users)).await? {
        Accepted::Yes => Ok(answer::action(&SUCCESS)),
        // It was run or cleared while the users were on their way.
        Accepted::No => Err(TAKES_NO_DATA),
    }
}

/// The users of a call, and what has to be known of all of them before the first is staged.
struct Call {
    users: SentUsers,
    has_required_data: bool,
    /// Of any of them.
    roles: BTreeSet<String>,
}

async fn read_call(request: &HttpRequest, body: web::Bytes) -> Result<Call, ApiError> {
    if !body.is_empty() && !is_json(request) {
        return Err(invalid_body("the body must be sent with the content type application/json".to_owned()));
    }
    // A large body takes long enough to read to hold up other requests.
    let read = web::block(move || Call::read(body)).await;
    read.unwrap_or_else(|_| Err(invalid_body("the body could not be read".to_owned())))
}

impl Call {
    fn read(body: web::Bytes) -> Result<Self, ApiError> {
        let (mut has_required_data, mut roles) = (true, BTreeSet::new());
        let users = SentUsers::read(body, |user| {
            has_required_data &= has_a_text(user, "emails") && has_a_text(user, "importIds");
            for role in roles_of(user) {
                if !roles.contains(role) {
                    roles.insert(role.to_owned());
                }
            }
        })?;
        Ok(Self { users, has_required_data, roles })
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
    content_type.is_some_and(|value| String::from_utf8_lossy(&value).contains("application/json"))
}

fn invalid_body(problem: String) -> ApiError {
    ApiError::InvalidBody { problem, path: None }
}

fn texts_of<'a>(user: &'a Fields, field: &str) -> impl Iterator<Item = &'a str> {
    let list = match user.get(field) {
        Some(FieldValue::List(list)) => list.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(FieldValue::as_text)
}

fn has_a_text(user: &Fields, field: &str) -> bool {
    texts_of(user, field).any(|text| !text.is_empty())
}

fn roles_of(user: &Fields) -> impl Iterator<Item = &str> {
    texts_of(user, "roles")
}

/// The user with the default roles after its own, none twice.
fn with_roles(user: Fields, defaults: &[String]) -> Fields {
    let mut roles: Vec<String> = Vec::new();
    for role in roles_of(&user).chain(defaults.iter().map(String::as_str)) {
        if !roles.iter().any(|known| known == role) {
            roles.push(role.to_owned());
        }
    }
    let roles = FieldValue::List(roles.into_iter().map(FieldValue::Text).collect());
    user.with("roles", roles)
}
