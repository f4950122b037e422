//! A folder of a server that speaks `WebDAV`.
//!
//! Source: `apps/meteor/app/file-upload/ufs/Webdav/server.ts`, `apps/meteor/app/file-upload/server/config/Webdav.ts`.

use std::io::{Error, ErrorKind};

use bytes::Bytes;
use futures::stream::try_unfold;
use reqwest::{Body, Client, Method, RequestBuilder, Response, StatusCode, Url, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    spawn,
    sync::mpsc::{Receiver, Sender, channel},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Placed, StoreError,
    over_http::{CONNECT_PATIENCE, PATIENCE, away, bytes_of, checked, content_of},
    signature::escaped,
};
use crate::{domain::upload::content::Content, repository::WebdavSettings};

/// `FileUpload_Storage_Type`, and the field of an upload that holds the path of its file.
pub(super) const NAME: &str = "Webdav";
pub(super) const FIELD: &str = "Webdav";
/// A file of up to so many bytes goes with its length, since some servers take no other; a larger one in pieces.
const WHOLE_BYTES: usize = 1024 * 1024;
/// Pieces on their way to the server. Each has up to [`WHOLE_BYTES`].
const PIECES_ON_THEIR_WAY: usize = 1;

/// The folder of the workspace.
#[derive(Debug, Clone)]
pub(in crate::engine::pending) struct Webdav {
    client: Client,
    server: Url,
    /// With a slash at its end.
    folder: String,
    user: String,
    password: SecretString,
}

/// A file that is being written.
#[derive(Debug)]
pub(in crate::engine::pending) struct WebdavWriter {
    webdav: Webdav,
    path: String,
    piece: Vec<u8>,
    going: Option<Going>,
}

/// A file that goes to the server in pieces. Without a last word the server sees a broken request, never a shorter file.
#[derive(Debug)]
struct Going {
    pieces: Sender<Bytes>,
    answer: AbortOnDropHandle<Result<(), StoreError>>,
}

impl Webdav {
    /// The folder that the settings name.
    ///
    /// # Errors
    /// With a sentence, when the settings name none that can be used.
    pub(super) fn new(settings: &WebdavSettings) -> Result<Self, String> {
        let WebdavSettings { server, folder, user, password } = settings;
        if server.is_empty() || user.is_empty() || password.expose_secret().is_empty() {
            return Err(
                "The workspace keeps files in Webdav, but FileUpload_Webdav_Server_URL, _Username or _Password \
                        is not set."
                    .to_owned(),
            );
        }
        let server = Url::parse(server).ok().filter(|url| url.host_str().is_some() && !url.cannot_be_a_base());
        let client = Client::builder().no_proxy().redirect(Policy::none()).connect_timeout(CONNECT_PATIENCE).build();
        Ok(Self {
            client: client.map_err(|error| error.without_url().to_string())?,
            server: server.ok_or_else(|| "FileUpload_Webdav_Server_URL is no address.".to_owned())?,
            folder: if folder.ends_with('/') { folder.clone() } else { format!("{folder}/") },
            user: user.clone(),
            password: password.clone(),
        })
    }

    /// The path of the file with this id, below the address of the server.
    pub(super) fn path_of(&self, id: &str) -> String {
        format!("{}{id}", self.folder)
    }

    /// Makes the folder if it is missing, with every folder above it.
    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        let look = self.request(method("PROPFIND"), &self.folder);
        let found = answer_to(look.header("depth", "0")).await?;
        if found.status() != StatusCode::NOT_FOUND {
            return checked(NAME, found).map(drop);
        }
        let mut path = String::new();
        for part in self.folder.split('/').filter(|part| !part.is_empty()) {
            path = format!("{path}/{part}");
            let request = self.request(method("MKCOL"), &format!("{path}/"));
            let made = answer_to(request).await?;
            // The folder is there.
            if made.status() != StatusCode::METHOD_NOT_ALLOWED {
                checked(NAME, made)?;
            }
        }
        Ok(())
    }

    pub(super) fn begin(&self, placed: Placed<'_>) -> WebdavWriter {
        WebdavWriter { webdav: self.clone(), path: placed.key(), piece: Vec::new(), going: None }
    }

    pub(super) async fn read(&self, placed: Placed<'_>, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let answer = answer_to(self.request(Method::GET, &placed.key())).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        bytes_of(NAME, checked(NAME, answer)?, most).await
    }

    /// Reads the file to its end.
    pub(super) async fn content(&self, placed: Placed<'_>) -> Result<Option<Content>, StoreError> {
        let answer = answer_to(self.request(Method::GET, &placed.key())).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        content_of(NAME, checked(NAME, answer)?).await.map(Some)
    }

    pub(super) async fn remove(&self, placed: Placed<'_>) -> Result<(), StoreError> {
        let removed = answer_to(self.request(Method::DELETE, &placed.key())).await?;
        if removed.status() == StatusCode::NOT_FOUND { Ok(()) } else { checked(NAME, removed).map(drop) }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path: Vec<String> = path.trim_start_matches('/').split('/').map(escaped).collect();
        let mut url = self.server.clone();
        url.set_path(&format!("{}/{}", self.server.path().trim_end_matches('/'), path.join("/")));
        self.client.request(method, url).basic_auth(&self.user, Some(self.password.expose_secret()))
    }
}

impl WebdavWriter {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= WHOLE_BYTES { self.send_piece().await } else { Ok(()) }
    }

    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        if self.going.is_some() && !self.piece.is_empty() {
            self.send_piece().await?;
        }
        let Some(Going { pieces, answer }) = self.going.take() else {
            let request = self.webdav.request(Method::PUT, &self.path).body(std::mem::take(&mut self.piece));
            checked(NAME, answer_to(request).await?)?;
            return Ok(());
        };
        // An empty piece is the last word.
        let said = timeout(PATIENCE, pieces.send(Bytes::new())).await;
        drop(pieces);
        if said.is_err() {
            return Err(away(NAME, "does not answer"));
        }
        timeout(PATIENCE, answer)
            .await
            .map_err(|_| away(NAME, "does not answer"))?
            .map_err(|_| away(NAME, "broke off"))??;
        Ok(())
    }

    async fn send_piece(&mut self) -> Result<(), StoreError> {
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        let going = self.going.get_or_insert_with(|| begin(&self.webdav, &self.path));
        match timeout(PATIENCE, going.pieces.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Err(_) => Err(away(NAME, "does not answer")),
            // The server answered before the end.
            Ok(Err(_)) => match self.going.take() {
                Some(Going { answer, .. }) => Err(match timeout(PATIENCE, answer).await {
                    Ok(Ok(Err(error))) => error,
                    _ => away(NAME, "broke off"),
                }),
                None => Err(away(NAME, "broke off")),
            },
        }
    }
}

/// Begins to send the pieces of a file.
fn begin(webdav: &Webdav, path: &str) -> Going {
    let (pieces, taken) = channel(PIECES_ON_THEIR_WAY);
    let request = webdav.request(Method::PUT, path).body(body_of(taken));
    // The answer comes at the very end, so the patience is that of the pieces.
    let answer = spawn(async move {
        let answer = request.send().await.map_err(|_| away(NAME, "cannot be reached"))?;
        checked(NAME, answer).map(drop)
    });
    Going { pieces, answer: AbortOnDropHandle::new(answer) }
}

/// The pieces up to the empty one. Without that one the file is broken.
fn body_of(pieces: Receiver<Bytes>) -> Body {
    Body::wrap_stream(try_unfold(pieces, async |mut pieces| match pieces.recv().await {
        Some(piece) if piece.is_empty() => Ok(None),
        Some(piece) => Ok(Some((piece, pieces))),
        None => Err(Error::from(ErrorKind::UnexpectedEof)),
    }))
}

/// A method that HTTP itself does not name.
fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap_or_default()
}

async fn answer_to(request: RequestBuilder) -> Result<Response, StoreError> {
    let answer = timeout(PATIENCE, request.send()).await.map_err(|_| away(NAME, "does not answer"))?;
    answer.map_err(|_| away(NAME, "cannot be reached"))
}
