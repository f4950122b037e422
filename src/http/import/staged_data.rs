//! `GET getImportFileData`: the staged records, for a person to choose from.

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, web};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        field_value::{FieldValue, Fields},
        importer::Importer,
        new_user::{emails_of, username_of},
        operation::{Operation, State},
        progress_step::ProgressStep,
        record_type::RecordType,
        selection::DIRECT_MESSAGES,
        staged::{ChannelType, StagedChannel},
    },
    http::{
        AppState,
        access::authentication::{Authorized, RunImport},
        answer,
        error::ApiError,
        error_schemas::Refusals,
        import::{newest_with_importer, require_empty_query},
        streamed::{self, json, list},
    },
    repository::{Accounts, Repositories, RepositoryError, with_default_timeout},
};

const ENDPOINT: &str = "getImportFileData";
/// Users whose addresses are looked up together.
const USERS_AT_A_TIME: usize = 200;

/// The body, which is written piece by piece.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is here to be described")]
pub(super) struct Selection {
    name: &'static str,
    users: Vec<SelectionUser>,
    /// One of them, the last, stands for all direct messages.
    channels: Vec<SelectionChannel>,
    message_count: u64,
    contacts: Vec<SelectionContact>,
    success: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Waiting {
    waiting: bool,
    success: bool,
}

/// The answer of `getImportFileData`: the staged records, or that a file importer is still at work.
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

// Source: `apps/meteor/app/importer/server/classes/ImporterSelectionChannel.ts`.
#[derive(Serialize, ToSchema)]
#[allow(clippy::struct_excessive_bools, reason = "Rocket.Chat's shape")]
pub(super) struct SelectionChannel {
    channel_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
    is_archived: bool,
    do_import: bool,
    is_private: bool,
    is_direct: bool,
}

// Source: `apps/meteor/app/importer/lib/IImporterSelection.ts`.
#[derive(Serialize, ToSchema)]
pub(super) struct SelectionContact {
    id: String,
    name: String,
    emails: Vec<String>,
    phones: Vec<String>,
    do_import: bool,
}

/// The staged records of the newest operation. Unlike Rocket.Chat this only reads: it never makes a finished operation
/// ready again. A file that waits to be loaded is loaded, at once and once only.
#[utoipa::path(
    get,
    path = "/api/v1/getImportFileData",
    tag = "import",
    operation_id = "getImportFileData",
    summary = "What is staged",
    description = "Only reads; a file that waits is loaded, and `waiting` is the answer until that is done. A file that cannot be loaded is a 400 with the reason. Takes no query parameter: one is a 400. Permission `run-import`.",
    security(("userId" = [], "authToken" = [])),
    responses(
        (
            status = 200,
            description = "The staged records; or `waiting`, while a file fills the staging area",
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
            app.engine.look_for_files();
            return Ok(answer::action(&Waiting { waiting: true, success: true }));
        }
        let reason = "Invalid Import Operation".to_owned();
        return Err(ApiError::Coded { reason, code: "error-import-operation-invalid", endpoint: ENDPOINT });
    }
    if let Some(problem) = operation.problem().filter(|_| operation.file_source().is_some() && !operation.is_loaded()) {
        return Err(ApiError::FileNotLoaded { problem: problem.to_owned() });
    }
    let place = app.streams.take_place()?;
    let texts = caller.deadline.bound(selection_texts(&app.repositories, &operation, importer.name())).await?;
    place.answer(&request, streamed::JSON, texts).await
}

/// The body, piece by piece.
async fn selection_texts(
    repositories: &Repositories,
    operation: &Operation,
    importer: &'static str,
) -> Result<impl Stream<Item = Result<String, RepositoryError>> + Send + use<>, RepositoryError> {
    let Repositories { accounts, staged_view, staging, .. } = repositories;
    let root = operation.root().unwrap_or_default().to_owned();
    let message_count = if operation.file_source().is_some() || operation.importer() == Some(Importer::Api) {
        operation.count("messages")
    } else {
        // Rocket.Chat's own importers count the rows of the file.
        staging.count_importable(&root, RecordType::Message, 0).await?
    };
    let staged = staged_view.users(&root).await?;
    let accounts = accounts.clone();
    let users = staged.try_chunks(USERS_AT_A_TIME).map_err(|error| error.1).and_then(move |staged| {
        let accounts = accounts.clone();
        async move { selection_users(&accounts, &staged).await.map(|users| stream::iter(users).map(Ok)) }
    });
    let has_direct_messages = staged_view.has_direct_messages(&root).await?;
    let direct_messages = has_direct_messages.then(SelectionChannel::of_direct_messages).map(Ok);
    // Each list is read when it is its turn.
    let (view, of_root) = (staged_view.clone(), root.clone());
    let channels = stream::once(async move { view.channels(&of_root).await }).try_flatten();
    let channels = channels.map_ok(|channel| selection_channel(&channel)).chain(stream::iter(direct_messages));
    let view = staged_view.clone();
    let contacts = stream::once(async move { view.contacts(&root).await }).try_flatten();
    let contacts = contacts.map_ok(|contact| selection_contact(&contact));
    let users = list(format!(r#"{{"name":{},"users":["#, json(&importer)), users.try_flatten(), |_| "],".to_owned());
    let close = move |_| format!(r#"],"message_count":{message_count},"#);
    let channels = list(r#""channels":["#.to_owned(), channels, close);
    let contacts = list(r#""contacts":["#.to_owned(), contacts, |_| r#"],"success":true}"#.to_owned());
    Ok(users.chain(channels).chain(contacts))
}

async fn selection_users(accounts: &Accounts, staged: &[Fields]) -> Result<Vec<SelectionUser>, RepositoryError> {
    let addresses: Vec<&str> = staged.iter().filter_map(|user| emails_of(user).next()).collect();
    let holders = with_default_timeout(accounts.holders(&[], &addresses)).await?;
    let taken: HashSet<String> = holders.into_iter().flat_map(|holder| holder.emails).collect();
    Ok(staged.iter().map(|user| selection_user(user, &taken)).collect())
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

fn selection_channel(staged: &Fields) -> SelectionChannel {
    let channel = StagedChannel::new(staged);
    SelectionChannel {
        channel_id: first_text(staged, "importIds").unwrap_or_default(),
        name: text(staged, "name"),
        is_archived: channel.is_archived(),
        do_import: true,
        is_private: channel.kind() == Some(ChannelType::PrivateGroup),
        is_direct: false,
    }
}

impl SelectionChannel {
    /// The line that stands for all direct messages.
    fn of_direct_messages() -> Self {
        Self {
            channel_id: DIRECT_MESSAGES.to_owned(),
            name: Some("Direct messages".to_owned()),
            is_archived: false,
            do_import: true,
            is_private: true,
            is_direct: true,
        }
    }
}

fn selection_contact(staged: &Fields) -> SelectionContact {
    SelectionContact {
        id: first_text(staged, "importIds").unwrap_or_default(),
        name: text(staged, "name").unwrap_or_default(),
        emails: texts(staged, "emails"),
        phones: texts(staged, "phones"),
        do_import: true,
    }
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name)?.as_text().map(str::to_owned)
}

fn texts(fields: &Fields, name: &str) -> Vec<String> {
    let Some(FieldValue::List(values)) = fields.get(name) else { return Vec::new() };
    values.iter().filter_map(FieldValue::as_text).map(str::to_owned).collect()
}

fn first_text(fields: &Fields, name: &str) -> Option<String> {
    texts(fields, name).into_iter().next()
}
