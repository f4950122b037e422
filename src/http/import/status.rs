//! `GET import.status`: how the newest import goes.

use std::sync::{Mutex, PoisonError};

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::super::{
    AppState, answer,
    authentication::{Authorized, RunImport},
    error::ApiError,
    json::JsonObject,
};
use crate::domain::operation::{Operation, State};

/// What `state` says while no operation was ever made.
const NO_OPERATION: &str = "none";

#[derive(Serialize)]
struct Status<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<JsonObject<'a>>,
    success: bool,
}

/// Answers `{state, operation, success}` from the newest operation as the database holds it now.
///
/// Source: `apps/meteor/server/services/import/service.ts` (`status`).
pub(in crate::http) async fn status(
    caller: Authorized<RunImport>,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let newest = caller.deadline.bound(app.repositories.imports.newest()).await?;
    Ok(answer::action(&match &newest {
        None => Status { state: Some(NO_OPERATION), operation: None, success: true },
        Some(operation) => {
            if operation.step().is_none() {
                app.unknown_statuses.warn_once(operation);
            }
            Status {
                state: operation.state().map(State::as_str),
                operation: Some(JsonObject(&operation.fields)),
                success: true,
            }
        }
    }))
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
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != found {
            if let Some((id, status)) = &found {
                log::warn!("operation {id} has a status that no Rocket.Chat release writes: {status}");
            }
            *last = found;
        }
    }
}
