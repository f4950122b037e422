//! `GET import.status.stream`, as far as its answer can be described: a stream is no document with a schema.

use super::Refusals;

#[utoipa::path(
    get,
    path = "/api/v1/import.status.stream",
    tag = "import",
    operation_id = "streamImportStatus",
    summary = "How the newest import goes, as it goes",
    description =
        "Ours. Server-sent events: the body of `import.status` at once and again on every change, each with a `progress` \
         object. Needs the permission `run-import` for as long as it is open.",
    security(("userId" = [], "authToken" = [])),
    params(("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen")),
    responses((status = 200, description = "Events without end", content_type = "text/event-stream", body = String), Refusals)
)]
#[expect(dead_code, reason = "it is here to be described")]
fn status_stream() {}
