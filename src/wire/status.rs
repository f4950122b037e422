//! The status of the newest import, for every endpoint and event that reports it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        field_value::Date,
        forecast::Forecast,
        operation::{Operation, State},
    },
    wire::{
        json::JsonObject,
        schemas::{StateWord, StoredOperation},
    },
};

/// The `state` without any operation.
const NO_OPERATION: &str = "none";

/// The body of `import.status`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Status<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StateWord>, nullable = false)]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StoredOperation>, nullable = false)]
    operation: Option<JsonObject<'a>>,
    success: bool,
}

impl<'a> Status<'a> {
    /// Returns the status of the newest operation, if there is one.
    pub(crate) fn of(newest: Option<&'a Operation>) -> Self {
        Self {
            state: newest.map_or(Some(NO_OPERATION), |operation| operation.state().map(State::as_str)),
            operation: newest.map(|operation| JsonObject(&operation.fields)),
            success: true,
        }
    }
}

/// The status with progress: the data of an event.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveStatus<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StateWord>, nullable = false)]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StoredOperation>, nullable = false)]
    operation: Option<JsonObject<'a>>,
    success: bool,
    progress: LiveProgress,
}

/// The progress of the import, as of the last change.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LiveProgress {
    /// Processed users in percent of `count.total`, rounded down; 100 when it is done
    percent: u64,
    /// During the run the pace of the last ten seconds; after it that of the whole run
    users_per_second: f64,
    /// The same for bytes, in an operation that fetches files
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bytes_per_second: Option<f64>,
    /// The end at this pace; null unless the import runs and advances
    #[schema(format = DateTime)]
    estimated_end: Option<String>,
    /// From the start of the run to the last change
    elapsed_seconds: f64,
}

/// Returns the body of `import.status` while this is the newest operation.
pub(crate) fn status_body(operation: &Operation) -> String {
    written(&Status::of(Some(operation)))
}

/// Returns the data of an event, one line.
pub(crate) fn live_status(newest: Option<&Operation>, forecast: &Forecast) -> String {
    let Status { state, operation, success } = Status::of(newest);
    let progress = LiveProgress {
        percent: forecast.percent,
        users_per_second: forecast.users_per_second,
        bytes_per_second: forecast.bytes_per_second,
        estimated_end: forecast.estimated_end.and_then(Date::to_iso_8601),
        elapsed_seconds: forecast.elapsed_seconds,
    };
    written(&LiveStatus { state, operation, success, progress })
}

fn written(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_else(|error| {
        log::error!("a status could not be written as JSON: {error}");
        "{}".to_owned()
    })
}
