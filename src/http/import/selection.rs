//! `GET getImportFileData`: what is staged, for a person to choose from.

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;

use super::{
    super::{
        AppState, answer,
        authentication::{Authorized, RunImport},
        deadline::bound_write,
        error::ApiError,
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

#[derive(Serialize)]
struct Selection {
    name: &'static str,
    users: Vec<SelectionUser>,
    channels: [(); 0],
    message_count: u64,
    contacts: [(); 0],
    success: bool,
}

/// Source: `apps/meteor/app/importer/server/classes/ImporterSelectionUser.ts`.
#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "Rocket.Chat's shape")]
struct SelectionUser {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    is_deleted: bool,
    is_bot: bool,
    do_import: bool,
    is_email_taken: bool,
}

/// The staged users of the newest operation. Unlike Rocket.Chat this only reads: it never makes a finished operation
/// ready again.
pub(in crate::http) async fn selection(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    require_empty_query(&request)?;
    let (operation, importer) = newest_with_importer(&caller, &app, ENDPOINT).await?;
    if is_being_filled(&operation) {
        if operation.is_valid() {
            return Ok(answer::action(&json!({ "waiting": true, "success": true })));
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
