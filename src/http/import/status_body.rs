//! What is told of the newest import, wherever it is told.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::{
    json::JsonObject,
    openapi::{StateWord, StoredOperation},
};
use crate::domain::{
    field_value::Date,
    operation::{Operation, State},
    pace::Outlook,
};

/// What `state` says while no operation was ever made.
const NO_OPERATION: &str = "none";

/// The body of `import.status`.
#[derive(Serialize, ToSchema)]
pub(super) struct Status<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StateWord>, nullable = false)]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StoredOperation>, nullable = false)]
    operation: Option<JsonObject<'a>>,
    success: bool,
}

impl<'a> Status<'a> {
    /// Of the newest operation, if there is one.
    pub(super) fn of(newest: Option<&'a Operation>) -> Self {
        Self {
            state: newest.map_or(Some(NO_OPERATION), |operation| operation.state().map(State::as_str)),
            operation: newest.map(|operation| JsonObject(&operation.fields)),
            success: true,
        }
    }
}

/// The same with how it gets on: the data of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct LiveStatus<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StateWord>, nullable = false)]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StoredOperation>, nullable = false)]
    operation: Option<JsonObject<'a>>,
    success: bool,
    progress: LiveProgress,
}

/// How the import gets on, as of the last change.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LiveProgress {
    /// Processed users in percent of `count.total`, rounded down; 100 when it is done
    percent: u64,
    /// While it runs, the pace of the last ten seconds; after its end, that of the whole run
    users_per_second: f64,
    /// When it will be over at this pace; null unless it runs and gets on
    #[schema(format = DateTime)]
    estimated_end: Option<String>,
    /// From the beginning of the run to the last change
    elapsed_seconds: f64,
}

/// What `import.status` answers while this is the newest operation.
pub(crate) fn status_body(operation: &Operation) -> String {
    written(&Status::of(Some(operation)))
}

/// The data of an event, one line.
pub(in crate::http) fn live_status(newest: Option<&Operation>, outlook: &Outlook) -> String {
    let Status { state, operation, success } = Status::of(newest);
    let progress = LiveProgress {
        percent: outlook.percent,
        users_per_second: outlook.users_per_second,
        estimated_end: outlook.estimated_end.and_then(Date::to_iso_8601),
        elapsed_seconds: outlook.elapsed_seconds,
    };
    written(&LiveStatus { state, operation, success, progress })
}

fn written(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_else(|error| {
        log::error!("a status could not be written as JSON: {error}");
        "{}".to_owned()
    })
}
