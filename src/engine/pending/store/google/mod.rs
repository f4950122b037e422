//! A bucket of Google Cloud Storage.
//!
//! Source: `apps/meteor/app/file-upload/ufs/GoogleStorage/server.ts`,
//! `apps/meteor/app/file-upload/server/config/GoogleStorage.ts`; Google's "Resumable uploads" and "JSON API".

mod access;

use std::sync::Arc;

use bytes::Bytes;
use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode, Url,
    header::{CONTENT_RANGE, LOCATION, RANGE},
    redirect::Policy,
};
use serde_json::json;

use super::{
    Placed, StoreError,
    over_http::{CONNECT_PATIENCE, PATIENCE, away, bytes_of, checked, content_of},
    signature::escaped,
};
use crate::{domain::upload::content::Content, repository::GoogleSettings};

use access::Access;

/// `FileUpload_Storage_Type`, and the field of an upload that holds the key of its object.
pub(super) const NAME: &str = "GoogleCloudStorage";
pub(super) const FIELD: &str = "GoogleStorage";
/// Bytes that go together. Every part but the last has a multiple of [`GRAIN_BYTES`].
const PART_BYTES: usize = 16 * GRAIN_BYTES;
const GRAIN_BYTES: usize = 256 * 1024;
/// The header that says what an object is made of before its first byte.
const UPLOAD_TYPE: &str = "x-upload-content-type";

/// Where Google is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleEndpoints {
    /// The address that objects lie under.
    pub storage: String,
    /// The address that gives tokens.
    pub tokens: String,
}

impl GoogleEndpoints {
    /// The addresses that Google has for everybody.
    pub const STORAGE: &str = "https://storage.googleapis.com";
    pub const TOKENS: &str = "https://oauth2.googleapis.com/token";
}

impl Default for GoogleEndpoints {
    fn default() -> Self {
        Self { storage: Self::STORAGE.to_owned(), tokens: Self::TOKENS.to_owned() }
    }
}

/// A bucket.
#[derive(Debug, Clone)]
pub(in crate::engine::pending) struct Google {
    client: Client,
    storage: Url,
    bucket: String,
    access: Arc<Access>,
}

/// An object that is being written. It is there when its last byte is.
#[derive(Debug)]
pub(in crate::engine::pending) struct GoogleWriter {
    google: Google,
    key: String,
    media_type: String,
    part: Vec<u8>,
    /// The address of the upload, which lets everybody who knows it write.
    session: Option<Url>,
    /// Bytes that the store has.
    stored: u64,
    length: u64,
}

impl Google {
    /// The bucket of the workspace.
    ///
    /// # Errors
    /// With a sentence, when the settings name none that can be used.
    pub(super) fn new(settings: &GoogleSettings, endpoints: &GoogleEndpoints) -> Result<Self, String> {
        if settings.bucket.is_empty() || settings.account.is_empty() {
            return Err("The workspace keeps files in GoogleCloudStorage, but FileUpload_GoogleStorage_Bucket or \
                        _AccessId is not set."
                .to_owned());
        }
        let client = Client::builder().no_proxy().redirect(Policy::none()).connect_timeout(CONNECT_PATIENCE);
        let client = client.read_timeout(PATIENCE).build().map_err(|error| error.without_url().to_string())?;
        let address = |given: &str, setting: &str| Url::parse(given).map_err(|_| format!("{setting} is no address."));
        let tokens = address(&endpoints.tokens, "GOOGLE_TOKEN_URL")?;
        let access = Access::new(client.clone(), settings, tokens)?;
        Ok(Self {
            client,
            storage: address(&endpoints.storage, "GOOGLE_STORAGE_URL")?,
            bucket: settings.bucket.clone(),
            access: Arc::new(access),
        })
    }

    pub(super) fn begin(&self, placed: Placed<'_>, media_type: &str) -> GoogleWriter {
        GoogleWriter {
            google: self.clone(),
            key: placed.key(),
            media_type: media_type.to_owned(),
            part: Vec::new(),
            session: None,
            stored: 0,
            length: 0,
        }
    }

    pub(super) async fn read(&self, placed: Placed<'_>, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let answer = self.send(Method::GET, &self.object(placed), &[("alt", "media")], |request| request).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        bytes_of(NAME, checked(NAME, answer)?, most).await
    }

    /// Reads the object to its end.
    pub(super) async fn content(&self, placed: Placed<'_>) -> Result<Option<Content>, StoreError> {
        let answer = self.send(Method::GET, &self.object(placed), &[("alt", "media")], |request| request).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        content_of(NAME, checked(NAME, answer)?).await.map(Some)
    }

    /// Removes the object. Of an upload that was never finished the store keeps nothing that anybody could see.
    pub(super) async fn remove(&self, placed: Placed<'_>) -> Result<(), StoreError> {
        let answer = self.send(Method::DELETE, &self.object(placed), &[], |request| request).await?;
        if answer.status() == StatusCode::NOT_FOUND { Ok(()) } else { checked(NAME, answer).map(drop) }
    }

    fn object(&self, placed: Placed<'_>) -> String {
        format!("storage/v1/b/{}/o/{}", escaped(&self.bucket), escaped(&placed.key()))
    }

    /// Sends a request with a token, and once more with a new one if the store no longer takes the one at hand.
    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        filled: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, StoreError> {
        let mut url = self.storage.clone();
        url.set_path(&format!("{}/{path}", self.storage.path().trim_end_matches('/')));
        let mut is_again = false;
        loop {
            let request = self.client.request(method.clone(), url.clone()).query(query);
            let (request, token) = self.access.admit(request).await?;
            let answer = filled(request).send().await.map_err(|_| away(NAME, "cannot be reached"))?;
            if answer.status() != StatusCode::UNAUTHORIZED || is_again {
                return Ok(answer);
            }
            self.access.forget(token).await;
            is_again = true;
        }
    }
}

impl GoogleWriter {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.length += bytes.len() as u64;
        self.part.extend_from_slice(bytes);
        if self.part.len() >= PART_BYTES { self.send_part().await } else { Ok(()) }
    }

    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        let session = self.session().await?;
        loop {
            let part = Bytes::from(std::mem::take(&mut self.part));
            let range = match part.len() as u64 {
                0 => format!("bytes */{}", self.length),
                length => format!("bytes {}-{}/{}", self.stored, self.stored + length - 1, self.length),
            };
            let answer = self.put(&session, range, part.clone()).await?;
            if answer.status() != StatusCode::PERMANENT_REDIRECT {
                checked(NAME, answer)?;
                return Ok(());
            }
            self.note_stored(&answer, &part)?;
        }
    }

    async fn send_part(&mut self) -> Result<(), StoreError> {
        let session = self.session().await?;
        let rest = self.part.split_off(self.part.len() / GRAIN_BYTES * GRAIN_BYTES);
        let part = Bytes::from(std::mem::replace(&mut self.part, rest));
        let range = format!("bytes {}-{}/*", self.stored, self.stored + part.len() as u64 - 1);
        let answer = self.put(&session, range, part.clone()).await?;
        if answer.status() == StatusCode::PERMANENT_REDIRECT {
            self.note_stored(&answer, &part)
        } else {
            checked(NAME, answer)?;
            Err(away(NAME, "ended a file before its last byte"))
        }
    }

    /// Keeps the bytes of the part that the store did not take.
    fn note_stored(&mut self, answer: &Response, part: &[u8]) -> Result<(), StoreError> {
        let range = answer.headers().get(RANGE).and_then(|range| range.to_str().ok());
        let last = range.and_then(|range| range.rsplit('-').next()?.parse::<u64>().ok());
        let stored = last.map_or(0, |last| last.saturating_add(1));
        let taken = stored.checked_sub(self.stored).and_then(|taken| usize::try_from(taken).ok());
        let rest = taken.filter(|taken| *taken > 0).and_then(|taken| part.get(taken..));
        let rest = rest.ok_or_else(|| away(NAME, "lost a part of a file"))?;
        self.part.splice(..0, rest.iter().copied());
        self.stored = stored;
        Ok(())
    }

    async fn put(&self, session: &Url, range: String, part: Bytes) -> Result<Response, StoreError> {
        let request = self.google.client.put(session.clone()).header(CONTENT_RANGE, range).body(part);
        request.send().await.map_err(|_| away(NAME, "cannot be reached"))
    }

    /// The address of the upload, which is begun if it is not.
    async fn session(&mut self) -> Result<Url, StoreError> {
        if let Some(session) = &self.session {
            return Ok(session.clone());
        }
        let path = format!("upload/storage/v1/b/{}/o", escaped(&self.google.bucket));
        let query = [("uploadType", "resumable"), ("name", self.key.as_str())];
        let object = json!({ "contentType": self.media_type, "contentDisposition": "inline" });
        let request = self
            .google
            .send(Method::POST, &path, &query, |request| request.header(UPLOAD_TYPE, &self.media_type).json(&object));
        let begun = checked(NAME, request.await?)?;
        let session = begun.headers().get(LOCATION).and_then(|address| address.to_str().ok());
        let session = session.and_then(|address| Url::parse(address).ok());
        let session = session.ok_or_else(|| away(NAME, "gave no address to an upload"))?;
        self.session = Some(session.clone());
        Ok(session)
    }
}
