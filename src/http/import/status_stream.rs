//! `GET import.status.stream`: how the newest import goes, as it goes, as server-sent events.
//!
//! Ours. The format: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::{convert::Infallible, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError as _,
    body::MessageBody as _,
    http::{
        Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    web::{self, Bytes},
};
use futures::stream;
use tokio::time::{Instant, sleep_until};

use crate::{
    http::{
        AppState,
        access::{
            authentication::{Authorized, RunImport},
            rechecked::RecheckedAccess,
        },
        error::ApiError,
        error_schemas::Refusals,
    },
    live::Follower,
    request_id::RequestId,
    wire::sse,
};

const LAST_EVENT_ID: &str = "last-event-id";
/// Silence that is longer than this lets proxies give a connection up for lost.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Tells nginx to pass on what comes as it comes.
const ACCEL_BUFFERING: (&str, &str) = ("x-accel-buffering", "no");

/// The body of `import.status` with a `progress` object at once, and again on every change of the newest operation, for
/// as long as the caller may see it.
#[utoipa::path(
    get,
    path = "/api/v1/import.status.stream",
    tag = "import",
    operation_id = "streamImportStatus",
    summary = "How the newest import goes, as it goes",
    description = "Ours. Server-sent events: `status` with the body of `import.status` and a `progress` object, see `LiveStatus`, at once and on every change of the newest operation; `end` with the body of a refusal once the caller may not see it any more. Needs the permission `run-import` for as long as it is open. Query parameters are ignored.",
    security(("userId" = [], "authToken" = [])),
    params(("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen: every change of state after it is told")),
    responses(
        (status = 200, description = "Events without end", content_type = "text/event-stream", body = String),
        Refusals
    )
)]
pub(in crate::http) async fn status_stream(
    caller: Authorized<RunImport>,
    request: HttpRequest,
    app: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let mut response = HttpResponse::build(StatusCode::OK);
    response
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header(ACCEL_BUFFERING);
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let access = RecheckedAccess::of::<RunImport>(&request)?;
    let last_seen = request.headers().get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let follower = caller.deadline.bound(app.live.follow(last_seen)).await?;
    Ok(streamed(&mut response, Open::new(app, access, follower)))
}

fn streamed(response: &mut HttpResponseBuilder, open: Open) -> HttpResponse {
    // A connection that is kept for further requests would outlast the stream, and keep the service from stopping.
    response.force_close().streaming(stream::unfold(open, |mut open| async {
        let piece = open.next().await?;
        Some((Ok::<_, Infallible>(piece), open))
    }))
}

/// One open stream.
struct Open {
    app: web::Data<AppState>,
    access: RecheckedAccess,
    follower: Follower,
    check_due: Instant,
    is_over: bool,
    log: StreamLog,
}

impl Open {
    fn new(app: web::Data<AppState>, access: RecheckedAccess, follower: Follower) -> Self {
        let check_due = access.next_check();
        Self { app, access, follower, check_due, is_over: false, log: StreamLog::begin() }
    }

    /// What to send next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let silent_until = Instant::now() + KEEP_ALIVE_INTERVAL;
        loop {
            if self.check_due <= Instant::now()
                && let Some(refusal) = self.check().await?
            {
                self.is_over = true;
                return Some(end_event(&refusal));
            }
            tokio::select! {
                event = self.follower.next() => {
                    self.log.events += u64::from(event.is_some());
                    return event;
                }
                () = sleep_until(self.check_due) => {}
                () = sleep_until(silent_until) => return Some(Bytes::from_static(sse::KEEP_ALIVE)),
            }
        }
    }

    /// Looks again whether the caller may see this: the refusal if not; `None` if the service is being stopped.
    async fn check(&mut self) -> Option<Option<ApiError>> {
        let checked = tokio::select! {
            checked = self.access.check(&self.app.repositories) => checked,
            () = self.follower.ended() => return None,
        };
        self.check_due = self.access.next_check();
        Some(match checked {
            // Nobody knows, and nothing new can be told meanwhile.
            Ok(()) | Err(ApiError::DatabaseUnavailable) => None,
            Err(refusal) => Some(refusal),
        })
    }
}

fn end_event(refusal: &ApiError) -> Bytes {
    let body = refusal.error_response().into_body().try_into_bytes().unwrap_or_default();
    sse::end_event(&body)
}

/// Writes a line when the stream ends; its beginning is logged as every request is.
struct StreamLog {
    request: Option<RequestId>,
    begun: Instant,
    events: u64,
}

impl StreamLog {
    fn begin() -> Self {
        Self { request: RequestId::current(), begun: Instant::now(), events: 0 }
    }
}

impl Drop for StreamLog {
    fn drop(&mut self) {
        let request = self.request.map(|id| format!("request={id} ")).unwrap_or_default();
        let seconds = self.begun.elapsed().as_secs_f64();
        log::info!(target: "access", "{request}stream=ended events={} seconds={seconds:.1}", self.events);
    }
}
