//! One file on its way from its source into the store.

use std::time::Duration;

use reqwest::{Response, Url, header::CONTENT_TYPE};
use tokio::time::timeout;

use super::{
    archive::HeldPieces,
    context::{Context, Live},
    problem::Problem,
    store::{Placed, Writer},
};
use crate::{
    domain::upload::{
        content::Content,
        media_type::{is_page_instead, media_type},
    },
    engine::outgoing::NotFetched,
};

/// How long a server may take for the head of its answer, redirects and all.
const HEAD_PATIENCE: Duration = Duration::from_secs(20);
/// How long a server may send nothing.
const PIECE_PATIENCE: Duration = Duration::from_secs(60);
/// The bytes that decide the type of a file.
const HEAD_BYTES: usize = 64 * 1024;
/// How often a server that has too much to do is tried, and the rest before the second try; each further one is twice as
/// long.
const ATTEMPTS: u32 = 4;
const FIRST_REST: Duration = Duration::from_secs(1);
/// A server that wants to be left alone for longer is tried at the end.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Where a file comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) address: &'a str,
    pub(super) name: &'a str,
    /// Bytes, as far as the source says.
    pub(super) size: Option<u64>,
}

/// A file that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) content: Content,
    pub(super) media_type: String,
}

/// Fetches a file into the store, under an id that is recorded. What was stored of one that fails is left for the caller
/// to remove.
pub(super) async fn download(
    context: &Context,
    live: &Live,
    source: Source<'_>,
    placed: Placed<'_>,
) -> Result<Fetched, Problem> {
    let limit = live.settings.largest;
    within_limit(source.size.unwrap_or_default(), limit)?;
    let host = Url::parse(source.address).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let host = context.hosts.host(&host);
    let _place = host.place().await;
    let mut attempt = 1;
    let answer = loop {
        host.wait().await;
        match live.outgoing.get(source.address, HEAD_PATIENCE).await {
            Ok(answer) => break answer,
            Err(error) if error.is_overload() && attempt < ATTEMPTS => {
                let wanted = if let NotFetched::Status { retry_after, .. } = &error { *retry_after } else { None };
                let rest = wanted.unwrap_or(FIRST_REST * 2_u32.pow(attempt - 1));
                if rest > LONGEST_REST {
                    return Err(error.into());
                }
                host.rest(rest);
                context.repeat();
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    };
    let length = answer.content_length();
    within_limit(length.unwrap_or_default(), limit)?;
    let header = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let body = Body { origin: Origin::Answer(answer), header, length, context, limit, bytes: 0 };
    counted(body, live, source, placed).await
}

/// Takes a file from the archive of its import into the store, under an id that is recorded.
pub(super) async fn take(
    context: &Context,
    live: &Live,
    source: Source<'_>,
    pieces: HeldPieces,
    placed: Placed<'_>,
) -> Result<Fetched, Problem> {
    let limit = live.settings.largest;
    within_limit(pieces.size, limit)?;
    let length = Some(pieces.size);
    let body = Body { origin: Origin::Archive(pieces), header: None, length, context, limit, bytes: 0 };
    counted(body, live, source, placed).await
}

/// Stores the file. The bytes of one that fails do not count.
async fn counted(mut body: Body<'_>, live: &Live, source: Source<'_>, placed: Placed<'_>) -> Result<Fetched, Problem> {
    let stored = store(&mut body, live, source, placed).await;
    if stored.is_err() {
        body.context.take_back_bytes(body.bytes);
    }
    stored
}

/// Where the pieces of a file come from.
enum Origin {
    Answer(Response),
    Archive(HeldPieces),
}

/// The pieces of a file, counted.
struct Body<'a> {
    origin: Origin,
    /// The type that the server gave it.
    header: Option<String>,
    /// Bytes, as far as the origin says.
    length: Option<u64>,
    context: &'a Context,
    limit: Option<u64>,
    bytes: u64,
}

impl Body<'_> {
    async fn piece(&mut self) -> Result<Option<bytes::Bytes>, Problem> {
        let piece = match &mut self.origin {
            Origin::Archive(pieces) => pieces.piece().await?,
            Origin::Answer(answer) => match timeout(PIECE_PATIENCE, answer.chunk()).await {
                Ok(Ok(piece)) => piece,
                Ok(Err(_)) => return Err(Problem::passing("the connection broke before the file was whole.")),
                Err(_) => return Err(Problem::passing("the server stopped sending.")),
            },
        };
        if let Some(piece) = &piece {
            self.bytes += piece.len() as u64;
            self.context.add_bytes(piece.len() as u64);
            within_limit(self.bytes, self.limit)?;
        }
        Ok(piece)
    }
}

async fn store(body: &mut Body<'_>, live: &Live, source: Source<'_>, placed: Placed<'_>) -> Result<Fetched, Problem> {
    let (header, length) = (body.header.take(), body.length);
    let mut head = Vec::new();
    let mut is_whole = false;
    while head.len() < HEAD_BYTES {
        let Some(piece) = body.piece().await? else {
            is_whole = true;
            break;
        };
        head.extend_from_slice(&piece);
    }
    if is_page_instead(&head, header.as_deref(), source.name) {
        return Err(match &body.origin {
            Origin::Answer(_) => {
                Problem::passing("the server sent a page in place of the file; the link may have expired.")
            }
            Origin::Archive(_) => Problem::final_one("the archive of the import holds a page in place of the file."),
        });
    }
    let media_type = media_type(&head, header.as_deref(), source.name);
    let mut writer: Writer = live.store()?.begin(placed, &media_type);
    writer.write(&head).await?;
    drop(head);
    while !is_whole {
        match body.piece().await? {
            Some(piece) => writer.write(&piece).await?,
            None => is_whole = true,
        }
    }
    // Without a length nothing but the source says how long the file is.
    if let (None, Some(size)) = (length, source.size)
        && body.bytes < size
    {
        return Err(Problem::passing(format!("only {} of its {size} bytes came.", body.bytes)));
    }
    let content = writer.finish().await?;
    Ok(Fetched { content, media_type })
}

fn within_limit(bytes: u64, limit: Option<u64>) -> Result<(), Problem> {
    match limit.filter(|limit| bytes > *limit) {
        None => Ok(()),
        Some(limit) => Err(Problem::final_one(format!(
            "it has more than {limit} bytes, which is the most that the workspace takes (FileUpload_MaxFileSize)."
        ))),
    }
}
