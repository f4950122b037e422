//! `count` and `offset`: the part of a list that a caller wants.

use serde::Deserialize;
use utoipa::{
    IntoParams,
    openapi::{KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type},
};

use crate::{
    http::error::ApiError,
    repository::{Part, RepositoryError, Settings},
};

const DEFAULT_COUNT: i64 = 50;
const UPPER_COUNT_LIMIT: i64 = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many to list. 0: as many as the workspace allows, which may be all.
    #[param(required = false, schema_with = number_or_nothing)]
    count: Option<String>,
    /// How many to leave out.
    #[param(required = false, schema_with = number_or_nothing)]
    offset: Option<String>,
}

/// The part of a list that a query names.
pub(in crate::http) struct WantedPart {
    pub(in crate::http) count: Option<u64>,
    pub(in crate::http) offset: u64,
}

pub(in crate::http) fn part_of_list(query: &str) -> Result<WantedPart, ApiError> {
    let page = actix_web::web::Query::<Page>::from_query(query);
    let page = page.map_err(|_| ApiError::InvalidQuery("Invalid query parameters"))?;
    let offset = number_in(page.offset.as_deref(), 0)?;
    let count = page.count.as_deref().map(|count| number_in(Some(count), 0)).transpose()?;
    Ok(WantedPart { count, offset })
}

/// The schema of what [`number_in`] takes.
fn number_or_nothing() -> Schema {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0));
    let nothing = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([""]));
    OneOfBuilder::new().item(number).item(nothing).build().into()
}

fn number_in(text: Option<&str>, default: u64) -> Result<u64, ApiError> {
    match text {
        None | Some("") => Ok(default),
        Some(text) => {
            // The database counts no further than that.
            let number = text.parse().ok().filter(|number| i64::try_from(*number).is_ok());
            number.ok_or(ApiError::InvalidQuery("count and offset must be numbers from 0 on"))
        }
    }
}

impl WantedPart {
    /// The part that the workspace's settings allow.
    ///
    /// Source: `apps/meteor/app/api/server/helpers/getPaginationItems.ts`.
    pub(super) async fn allowed(self, settings: &Settings) -> Result<Part, RepositoryError> {
        let positive = |number: i64, otherwise: i64| if number > 0 { number } else { otherwise }.unsigned_abs();
        let limit = positive(settings.integer("API_Upper_Count_Limit", UPPER_COUNT_LIMIT).await?, UPPER_COUNT_LIMIT);
        let default = positive(settings.integer("API_Default_Count", DEFAULT_COUNT).await?, DEFAULT_COUNT);
        let limit = match self.count {
            Some(0) if settings.boolean("API_Allow_Infinite_Count", true).await? => u64::MAX,
            None | Some(0) => default.min(limit),
            Some(count) => count.min(limit),
        };
        Ok(Part { offset: self.offset, limit })
    }
}
