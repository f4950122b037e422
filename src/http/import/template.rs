//! `GET import.template`, our own: a file of users to fill in, the one that the command line prints.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    web,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        access::authentication::{Authorized, RunImport},
        answer,
        error::ApiError,
        error_schemas::Refusals,
    },
    user_file::{Template, template},
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedTemplate {
    /// How the file is written.
    #[param(required = false, value_type = TemplateFormat)]
    #[serde(default)]
    format: TemplateFormat,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum TemplateFormat {
    #[default]
    Csv,
    Xlsx,
    Json,
}

impl TemplateFormat {
    /// The file, its content type and its name for those who save it.
    const fn kind(self) -> (Template, &'static str, &'static str) {
        match self {
            Self::Csv => (Template::Csv, "text/csv; charset=utf-8", "attachment; filename=\"users.csv\""),
            Self::Xlsx => (
                Template::Xlsx,
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                "attachment; filename=\"users.xlsx\"",
            ),
            Self::Json => (Template::Json, "application/json", "attachment; filename=\"users.json\""),
        }
    }
}

/// A file of users to fill in.
#[utoipa::path(
    get,
    path = "/api/v1/import.template",
    tag = "import",
    operation_id = "getUsersTemplate",
    summary = "A file of users to fill in",
    description = "Ours. The file that `rocketchat-import users --template` prints: the columns, and two people to overwrite. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    params(WantedTemplate),
    responses(
        (
            status = 200,
            description = "The file",
            content(
                (String = "text/csv"),
                (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
                (Vec<Value> = "application/json"),
            )
        ),
        Refusals
    )
)]
pub(in crate::http) async fn users_template(
    _: Authorized<RunImport>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let wanted = web::Query::<WantedTemplate>::from_query(request.query_string());
    let wanted = wanted
        .map_err(|_| ApiError::InvalidQuery("format must be csv, xlsx or json, and there is no other parameter"))?;
    let (kind, content_type, disposition) = wanted.format.kind();
    let file = template(kind).map_err(|error| {
        log::error!("the file to fill in could not be made: {error}");
        ApiError::Rejected("The file could not be made")
    })?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, content_type)).insert_header((CONTENT_DISPOSITION, disposition));
    Ok(answer::not_to_be_kept(response.body(file)))
}
