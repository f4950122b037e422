//! `POST import.addUsers`: users into the staging area, all of a call or none.
//!
//! Source: `apps/meteor/server/services/import/service.ts` (`addUsers`).

mod idempotency;
mod reasons;
mod schema;
mod sent_users;

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, http::header::CONTENT_TYPE, web};

use crate::{
    domain::field_value::{FieldValue, Fields},
    engine::{Refusal, Users, about_default_roles},
    http::{
        AppState,
        access::{
            authentication::{Authorized, RunImport},
            deadline::bound_write,
        },
        answer::{self, SUCCESS, Success},
        error::{ApiError, MISSING_DATA, UNKNOWN_ROLE},
        error_schemas::{BodyRefusals, KeyRefusals, Refusals},
        import::add_users::{
            idempotency::{idempotent_call, key_of},
            sent_users::SentUsers,
        },
        overload::{Body, Overload},
        refused_users::RefusedUsers,
    },
    repository::IdempotentCall,
    wire::schemas::AddUsersBody,
};

pub(super) use schema::read_user;
#[cfg(feature = "fuzzing")]
pub(in crate::http) use sent_users::users_in;

/// As much as Rocket.Chat takes in a JSON body.
const BODY_LIMIT_BYTES: usize = 50 * 1024 * 1024;

/// Stages users for the newest operation.
#[utoipa::path(
    post,
    path = "/api/v1/import.addUsers",
    tag = "import",
    operation_id = "addUsersToImport",
    summary = "Stage users",
    description = "All users of a call or none; `details` of a refusal names the first twenty users to blame, or the setting. The newest operation must be `new` or `ready`, and becomes `ready`. With an `Idempotency-Key` the same call may be sent again, and is done once. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Ours: 1 to 255 visible ASCII characters, of the client's own choice, for this body alone. The same call with the same key is answered with success again, for as long as the operation lives", min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
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
        KeyRefusals,
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
    let key = key_of(request.headers())?;
    let Body { bytes, room: _room } = overload.read_body(&request, body, BODY_LIMIT_BYTES).await?;
    let call = read_call(&request, bytes.freeze(), key).await?;
    if call.users.is_empty() {
        return Ok(answer::action(&SUCCESS));
    }
    let Call { users: sent, has_required_data, roles, idempotent } = &call;
    let (call, read) = (idempotent.as_ref(), || sent.iter());
    let users = Users { has_required_data: *has_required_data, roles, call, read };
    let operations = app.engine.operations();
    let added = async { operations.add_users(users).await.map_err(|refusal| blaming(refusal, sent)) };
    bound_write(added).await?;
    Ok(answer::action(&SUCCESS))
}

/// The refusal, with the users to blame.
fn blaming(refusal: Refusal, users: &SentUsers) -> ApiError {
    let mut details = RefusedUsers::default();
    let reason = match refusal {
        Refusal::MissingData => {
            for (index, user) in users.iter().enumerate() {
                let missing = [
                    ("emails", "emails hold no address: give one"),
                    ("importIds", "importIds hold no id: give the id of the system that the user comes from"),
                ];
                let missing = missing.iter().filter(|(field, _)| !has_a_text(&user, field)).map(|(_, reason)| *reason);
                let missing: Vec<&str> = missing.collect();
                if !missing.is_empty() {
                    details.blame(index, first_id_of(&user), missing.join("; "));
                }
            }
            MISSING_DATA
        }
        Refusal::UnknownRole { given, of_setting } => {
            if let Some(role) = of_setting.first() {
                details.blame_setting(about_default_roles(role));
            }
            for (index, user) in users.iter().enumerate() {
                let unknown = roles_of(&user).find_map(|id| given.iter().find(|role| role.id == id));
                if let Some(role) = unknown {
                    details.blame(index, first_id_of(&user), role.to_string());
                }
            }
            UNKNOWN_ROLE
        }
        refusal => return refusal.into(),
    };
    ApiError::RefusedUsers { reason, details }
}

fn first_id_of(user: &Fields) -> Option<&str> {
    texts_of(user, "importIds").find(|id| !id.trim().is_empty())
}

/// The users of a call, and what has to be known of all of them before the first is staged.
struct Call {
    users: SentUsers,
    has_required_data: bool,
    /// Of any of them.
    roles: BTreeSet<String>,
    /// `None` if the client gave no key.
    idempotent: Option<IdempotentCall>,
}

async fn read_call(request: &HttpRequest, body: web::Bytes, key: Option<String>) -> Result<Call, ApiError> {
    if !body.is_empty() && !is_json(request) {
        return Err(invalid_body("the body must be sent with the content type application/json".to_owned()));
    }
    // A large body takes long enough to read to hold up other requests.
    let read = web::block(move || Call::read(body, key)).await;
    read.unwrap_or_else(|_| Err(invalid_body("the body could not be read".to_owned())))
}

impl Call {
    fn read(body: web::Bytes, key: Option<String>) -> Result<Self, ApiError> {
        let idempotent = key.map(|key| idempotent_call(key, &body));
        let (mut has_required_data, mut roles) = (true, BTreeSet::new());
        let users = SentUsers::read(body, |user| {
            has_required_data &= has_a_text(user, "emails") && has_a_text(user, "importIds");
            for role in roles_of(user) {
                if !roles.contains(role) {
                    roles.insert(role.to_owned());
                }
            }
        })?;
        Ok(Self { users, has_required_data, roles, idempotent })
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
    texts_of(user, field).any(|text| !text.trim().is_empty())
}

fn roles_of(user: &Fields) -> impl Iterator<Item = &str> {
    texts_of(user, "roles")
}
