//! `POST import.check`, our own: the users of a file, checked and read as the command line does. Stores nothing.

mod places;
mod query;
mod reading;
mod rejected;
mod workspace;

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
    web,
};
use futures::{StreamExt as _, stream};
use tokio::{runtime::Handle, sync::mpsc, task::spawn_blocking};
use utoipa::ToSchema;

use crate::{
    engine::{CHECKED_BYTES, Uploads},
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        answer,
        error::ApiError,
        error_schemas::{BodyRefusals, CheckedUploadRefusals, Refusals},
        overload::{Body, Overload},
        streamed::{Format, json},
    },
    repository::RepositoryError,
};
use query::{CheckParameters, Wanted};
use reading::{Cut, Reading};
use workspace::Workspace;

pub(in crate::http) use places::Checks;
pub(in crate::http) use query::{FileFormat, FileSource, ImportIdSource};

/// How long a file may take from its last byte to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same where the accounts of the workspace are looked at.
const WORKSPACE_PATIENCE: Duration = Duration::from_secs(600);
/// Pieces of an answer that wait to be sent.
const PIECES: usize = 2;
const USERS: Format = Format { content_type: "application/x-ndjson", file_name: None };

/// A problem of a file.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct FileProblem {
    /// From 1 on: of a text file the line, of a workbook the row. Missing where a setting of the workspace is wrong.
    #[schema(required = false, nullable = false)]
    line: Option<u64>,
    /// The first import id of the user, where it is known.
    #[schema(required = false, nullable = false)]
    import_id: Option<String>,
    /// A stable word for programs, such as `missing`, `twice`, `value` or `setting`.
    kind: String,
    severity: FileSeverity,
    /// A sentence for a person.
    reason: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) enum FileSeverity {
    /// The user can be imported.
    Warning,
    /// The line cannot be imported, the others can.
    Error,
    /// Nothing of the file can be imported.
    Fatal,
}

/// What was left out of a file on purpose, and where the file comes from.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct FileFindings {
    /// The source, as `from` names it; `null` for a file made for this program.
    #[schema(required)]
    from: Option<String>,
    /// Columns that no user's field is made of, the first hundred.
    ignored_columns: Vec<String>,
    /// Counts of records that are no users, by their type.
    #[schema(value_type = Object)]
    passed_over: (),
    /// Counts of secrets that were left out.
    #[schema(value_type = Object)]
    dropped: (),
}

/// The counts of a file, and the remarks on the whole of it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct FileSummary {
    /// Users without an error.
    users: u64,
    /// Lines with an error.
    bad_lines: u64,
    problem_count: u64,
    warning_count: u64,
    /// Whether nothing of the file can be imported.
    is_unusable: bool,
    findings: FileFindings,
    /// The findings in words.
    remarks: Vec<String>,
}

/// A checked file.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct CheckedFile {
    /// Users without an error.
    users: u64,
    /// Lines with an error.
    bad_lines: u64,
    problem_count: u64,
    warning_count: u64,
    /// Whether nothing of the file can be imported.
    is_unusable: bool,
    findings: FileFindings,
    /// The findings in words.
    remarks: Vec<String>,
    /// The first thousand errors.
    problems: Vec<FileProblem>,
    /// The first thousand warnings.
    warnings: Vec<FileProblem>,
    success: bool,
}

/// What a run would do with a user.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct ForeseenRecord {
    line: u64,
    import_ids: Vec<String>,
    outcome: ForeseenOutcome,
    /// The `_id` of the account that was found.
    #[schema(required = false, nullable = false)]
    account: Option<String>,
    /// The earlier line whose new account it is.
    #[schema(required = false, nullable = false)]
    account_of_line: Option<u64>,
    /// `importId`, `verifiedEmail`, `unverifiedEmail` or `username`. The last two deserve a look.
    #[schema(required = false, nullable = false)]
    found_by: Option<String>,
    /// The fields of the account that would change.
    #[schema(required = false)]
    changed: Vec<String>,
    /// Why it would fail or be refused, as the run stores it, or a remark.
    #[schema(required = false, nullable = false)]
    reason: Option<String>,
    /// Accounts whose user name or address differs in letter case only, each in a sentence.
    #[schema(required = false)]
    twins: Vec<String>,
    /// Values that the workspace's settings refuse of people who sign up. Imports do not ask these settings.
    #[schema(required = false)]
    warnings: Vec<ForeseenWarning>,
}

/// A warning; `refuse` with its kind makes it an error.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct ForeseenWarning {
    kind: ForeseenWarningKind,
    /// A sentence with the value, the setting and the way out.
    reason: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) enum ForeseenWarningKind {
    Username,
    Domain,
    Channel,
}

/// The outcome in the receipt of the run; `refused`: `import.addUsers` would not take the user.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) enum ForeseenOutcome {
    Created,
    Linked,
    Updated,
    Same,
    Failed,
    Refused,
}

/// Lines of an answer with users or with `workspace`: a user, a problem, what a run would do, or the end.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) enum CheckedLine {
    /// A user as `import.addUsers` takes it, beside its `line`.
    #[schema(value_type = Object)]
    User(()),
    /// Stands before the user of its line; without a line the first of all where a setting of the workspace is wrong, and the last where the database user lacks privileges for the memberships that the run would make.
    Problem(FileProblem),
    /// With `rejects=true` a piece of the list of lines that cannot be imported, in the columns of the file behind `line` and
    /// `reason`: CSV, or JSON lines for objects; `original` holds text that is none. The pieces make up the list one
    /// behind the other.
    Rejects(String),
    /// With `workspace=true`, behind the user of its line. Where a setting is wrong, only of users who are refused for
    /// another reason.
    Record(ForeseenRecord),
    /// The last line, with `workspace=true` also with the `workspace`'s counts of each outcome and of `unsure` accounts. Without it the answer is not whole.
    End(FileSummary),
}

/// Checks a file of users.
#[utoipa::path(
    post,
    path = "/api/v1/import.check",
    tag = "import",
    operation_id = "checkUsers",
    summary = "Check a file of users",
    description = "Ours. Reads a file as `rocketchat-import users` does, and answers its problems by line. With `users=true` the answer is JSON lines: `{\"user\":{…},\"line\":n}` with a user as `import.addUsers` takes it, `{\"problem\":{…}}`, with `rejects=true` `{\"rejects\":\"…\"}`, and `{\"end\":{…}}` as the last, see `CheckedLine`. Without that last line the answer is not whole; a file that took longer than 60 seconds ends with a refusal's body instead. With `workspace=true` the accounts of the workspace are looked at, read only: `{\"record\":{…}}` says what a run under the rules of the query would do with each user, by the run's own code; that may take 600 seconds. Where a proxy takes no large bodies, the file is sent to `import.upload` with the `purpose` `check`, and `upload` names it here. Nothing is stored. A caller has one check at a time (429), an instance two (503). Permission `run-import`; where `alsoUpdate` names passwords also `edit-other-user-password`.",
    security(("userId" = [], "authToken" = [])),
    params(CheckParameters),
    request_body(content = String, content_type = "application/octet-stream", description = "The file, 50 MiB at most; its content type does not matter"),
    responses(
        (
            status = 200,
            description = "The problems, or the users with the problems",
            content(
                (CheckedFile = "application/json", example = json!({
                    "users": 1,
                    "badLines": 1,
                    "problemCount": 1,
                    "warningCount": 0,
                    "isUnusable": false,
                    "findings": {
                        "from": null,
                        "ignoredColumns": [],
                        "passedOver": {},
                        "dropped": { "loginTokens": 0, "twoFactor": 0, "otherHashes": 0, "otherServices": 0 }
                    },
                    "remarks": [],
                    "problems": [{
                        "line": 3,
                        "importId": "2",
                        "kind": "missing",
                        "severity": "error",
                        "reason": "emails missing of the user \"bob\": give the user an address"
                    }],
                    "warnings": [],
                    "success": true
                })),
                (String = "application/x-ndjson"),
            )
        ),
        CheckedUploadRefusals,
        BodyRefusals,
        Refusals
    )
)]
pub(in crate::http) async fn check(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<AppState>,
    overload: web::Data<Overload>,
) -> Result<HttpResponse, ApiError> {
    let wanted = Wanted::from_query(request.query_string())?;
    if let Some(permission) = wanted.rules.permission() {
        caller.also(&app.repositories, permission).await?;
    }
    let is_streamed = wanted.is_streamed();
    let place = app.checks.begin(&caller.caller.id)?;
    let stream = app.streams.take_place()?;
    let Body { bytes, room } = match &wanted.upload {
        None => overload.read_body(&request, body, CHECKED_BYTES).await?,
        Some(upload) => uploaded(&caller.caller.id, upload, &request, body, &app.uploads, &overload).await?,
    };
    let place = place.read()?;
    let workspace = if wanted.wants_workspace {
        let rehearsal = app.engine.operations().rehearse(wanted.rules).await?;
        Some(Workspace::new(rehearsal, Handle::current()))
    } else {
        None
    };
    let (sender, mut pieces) = mpsc::channel(PIECES);
    let until = Instant::now() + if wanted.wants_workspace { WORKSPACE_PATIENCE } else { PATIENCE };
    spawn_blocking(move || {
        // Given up when the reader has ended, also if nobody waits for it any more.
        let _room = room;
        let place = RefCell::new(Some(place));
        let reading =
            Reading { file: bytes.freeze(), wanted: &wanted, until: Cell::new(until), answer: &sender, place };
        match workspace {
            Some(workspace) => workspace.read(&reading),
            None => reading.read(),
        }
    });
    let first = match pieces.recv().await {
        Some(Ok(first)) => first,
        Some(Err(cut)) => return Err(cut.into()),
        None => return Err(ApiError::Rejected("The file could not be checked")),
    };
    if !is_streamed {
        let mut response = HttpResponse::build(StatusCode::OK);
        response.insert_header((CONTENT_TYPE, "application/json"));
        return Ok(answer::not_to_be_kept(response.body(first)));
    }
    let rest = stream::unfold(pieces, |mut pieces| async { Some((pieces.recv().await?, pieces)) });
    let lines = stream::once(async { Ok(first) }).chain(rest).map(|piece: Result<String, Cut>| {
        Ok::<_, RepositoryError>(piece.unwrap_or_else(|cut| json(&ApiError::from(cut).body()) + "\n"))
    });
    stream.answer(&request, USERS, lines).await
}

/// The file of an upload in place of the body, which has to be empty.
async fn uploaded(
    user_id: &str,
    upload: &str,
    request: &HttpRequest,
    body: web::Payload,
    uploads: &Uploads,
    overload: &Overload,
) -> Result<Body, ApiError> {
    let file = uploads.upload_for_check(user_id, upload).await?;
    let length = usize::try_from(file.length).unwrap_or(CHECKED_BYTES);
    let room_for_file = overload.read_empty_body(request, body, length).await.map_err(|error| match error {
        ApiError::BodyTooLarge { .. } => ApiError::InvalidParameter {
            parameter: "upload".to_owned(),
            reason: "the file is the upload's, so the body must be empty".to_owned(),
        },
        error => error,
    });
    let Body { mut bytes, room } = room_for_file?;
    uploads.read_whole(&file, |piece| bytes.extend_from_slice(piece)).await?;
    Ok(Body { bytes, room })
}

impl From<Cut> for ApiError {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::TookTooLong => Self::Rejected(
                "The file could not be checked within its time: split it, or use `rocketchat-import users FILE`",
            ),
            Cut::Database(error) => error.into(),
        }
    }
}
