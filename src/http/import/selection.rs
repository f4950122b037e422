//! `GET getImportFileData`: what is staged, for a person to choose from.

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    super::{
        AppState, answer,
        authentication::{Authorized, RunImport},
        deadline::bound_write,
        error::ApiError,
        openapi::Refusals,
    },
    newest_with_importer, require_empty_query,
};
use crate::domain::{
    field_value::{FieldValue, Fields},
    new_user::{emails_of, username_of},
    operation::{Operation, State},
    progress_step::ProgressStep,
};

const ENDPOINT: &str = "getImportFileData";

#[derive(Serialize, ToSchema)]
pub(super) struct Selection {
    name: &'static str,
    users: Vec<SelectionUser>,
    /// Empty: this service imports users only.
    #[schema(value_type = Vec<Object>, max_items = 0)]
    channels: [(); 0],
    message_count: u64,
    /// Empty, too.
    #[schema(value_type = Vec<Object>, max_items = 0)]
    contacts: [(); 0],
    success: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Waiting {
    waiting: bool,
    success: bool,
}

/// What `getImportFileData` answers: what is staged, or that a file importer is still at work.
#[derive(ToSchema)]
#[schema(as = ImportFileData)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) enum Described {
    Selection(Selection),
    Waiting(Waiting),
}

// Source: `apps/meteor/app/importer/server/classes/ImporterSelectionUser.ts`.
#[derive(Serialize, ToSchema)]
#[allow(clippy::struct_excessive_bools, reason = "Rocket.Chat's shape")]
pub(super) struct SelectionUser {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<String>,
    is_deleted: bool,
    is_bot: bool,
    do_import: bool,
    is_email_taken: bool,
}

/// The staged users of the newest operation. Unlike Rocket.Chat this only reads: it never makes a finished operation
/// ready again.
#[utoipa::path(
    get,
    path = "/api/v1/getImportFileData",
    tag = "import",
    operation_id = "getImportFileData",
    summary = "What is staged",
    description = "Only reads. Takes no query parameter: one is a 400. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "The staged users; or `waiting`, while a file importer fills the staging area",
            body = Described,
            content_type = "application/json",
            example = json!({
                "name": "API",
                "users": [{
                    "user_id": "old-system-17",
                    "username": "jane",
                    "email": "jane@example.com",
                    "is_deleted": false,
                    "is_bot": false,
                    "do_import": true,
                    "is_email_taken": false
                }],
                "channels": [],
                "message_count": 0,
                "contacts": [],
                "success": true
            })
        ),
        Refusals
    )
)]
pub(in crate::http) async fn selection(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    require_empty_query(&request)?;
    let (operation, importer) = newest_with_importer(&caller, &app, ENDPOINT).await?;
    if is_being_filled(&operation) {
        if operation.is_valid() {
            return Ok(answer::action(&Waiting { waiting: true, success: true }));
        }
        let reason = "Invalid Import Operation".to_owned();
        return Err(ApiError::Coded { reason, code: "error-import-operation-invalid", endpoint: ENDPOINT });
    }
    let repositories = &app.repositories;
    let staged = bound_write(repositories.staging.all_users()).await?;
    let staged: Vec<Fields> = staged.into_iter().filter_map(|user| user.data.ok()).collect();
    let addresses: Vec<&str> = staged.iter().filter_map(|user| emails_of(user).next()).collect();
    let holders = bound_write(repositories.accounts.holders(&[], &addresses)).await?;
    let taken: HashSet<String> = holders.into_iter().flat_map(|holder| holder.emails).collect();
    Ok(answer::action(&Selection {
        name: importer.name(),
        users: staged.iter().map(|user| selection_user(user, &taken)).collect(),
        channels: [],
        message_count: operation.count("messages"),
        contacts: [],
        success: true,
    }))
}

fn is_being_filled(operation: &Operation) -> bool {
    operation.step().map(ProgressStep::state) == Some(State::Loading)
}

fn selection_user(staged: &Fields, taken: &HashSet<String>) -> SelectionUser {
    let email = emails_of(staged).next();
    let import_id = match staged.get("importIds") {
        Some(FieldValue::List(ids)) => ids.first().and_then(FieldValue::as_text),
        _ => None,
    };
    SelectionUser {
        user_id: import_id.map(str::to_owned),
        username: username_of(staged).map(str::to_owned),
        email: email.map(str::to_owned),
        is_deleted: staged.get("deleted").is_some_and(FieldValue::is_truthy),
        is_bot: staged.get("type").and_then(FieldValue::as_text) == Some("bot"),
        do_import: true,
        is_email_taken: email.is_some_and(|email| taken.contains(email)),
    }
}
