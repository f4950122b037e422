//! A file into `import.upload`, this service's own: in pieces, and on from where it was after whatever breaks.

use std::{
    io,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use serde::Deserialize;

use super::{Client, ClientError, retry::Retry};

const ENDPOINT: &str = "import.upload";
const VERSION: (&str, &str) = ("tus-resumable", "1.0.0");
const UPLOAD_OFFSET: &str = "upload-offset";
/// The operation that was begun with an upload.
const IMPORT_OPERATION: &str = "import-operation";
const PIECE_TYPE: &str = "application/offset+octet-stream";
/// A piece may take this long; with the last one the server reads the whole file once more.
const PIECE_PATIENCE: Duration = Duration::from_secs(30 * 60);
/// Pieces grow and shrink with the network, between these. A proxy may set a lower bound than the largest.
pub(super) const SMALLEST_PIECE: usize = 64 * 1024;
const FIRST_PIECE: usize = 512 * 1024;
const LARGEST_PIECE: usize = 16 * 1024 * 1024;
/// Pieces that take less time get larger, and those that take more get smaller.
const QUICK: Duration = Duration::from_millis(700);
const SLOW: Duration = Duration::from_secs(4);

/// An upload of the user, as the server lists it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KnownUpload {
    pub(crate) id: String,
    pub(crate) importer_key: String,
    pub(crate) size: u64,
    pub(crate) sha256: Option<String>,
}

/// How far an upload is.
#[derive(Debug)]
pub(crate) struct UploadProgress {
    pub(crate) offset: u64,
    /// The `_id` of the operation that was begun with it.
    pub(crate) operation: Option<String>,
}

/// A file that is to be sent.
#[derive(Debug)]
pub(crate) struct FileToSend<'a> {
    pub(crate) name: &'a str,
    pub(crate) importer: &'a str,
    pub(crate) size: u64,
    /// In hex digits.
    pub(crate) sha256: &'a str,
    /// Whether an import that is in the way is ended.
    pub(crate) replaces: bool,
}

/// An upload that is there, to be sent to its end.
#[derive(Debug)]
pub(super) struct Upload<'a> {
    pub(super) id: &'a str,
    pub(super) size: u64,
    pub(super) end: End,
}

/// The event at the last byte of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// An import begins. It may end one that is in the way.
    Import { replaces: bool },
    /// The file stays for a check.
    Check,
}

#[derive(Deserialize)]
struct List {
    uploads: Vec<KnownUpload>,
}

impl Client {
    /// The user's uploads.
    pub(crate) async fn uploads(&self) -> Result<Vec<KnownUpload>, ClientError> {
        let list = async || self.send(self.request(Method::GET, ENDPOINT)).await;
        let body = self.repeat(self.patience, list).await?;
        let list: List = serde_json::from_str(&body).map_err(|_| ClientError::Unreadable(ENDPOINT.to_owned()))?;
        Ok(list.uploads)
    }

    /// Makes an upload and returns its id.
    pub(crate) async fn announce_upload(&self, file: &FileToSend<'_>) -> Result<String, ClientError> {
        let replaces = if file.replaces { "true" } else { "false" };
        let metadata =
            [("filename", file.name), ("importerKey", file.importer), ("sha256", file.sha256), ("replace", replaces)];
        self.announce(file.size, &metadata).await
    }

    /// The same for a file of so many bytes of which the metadata say what it is for.
    pub(super) async fn announce(&self, size: u64, metadata: &[(&str, &str)]) -> Result<String, ClientError> {
        let metadata: Vec<String> =
            metadata.iter().map(|(key, value)| format!("{key} {}", BASE64_STANDARD.encode(value))).collect();
        let announce = async || {
            let request = self.tus(Method::POST, ENDPOINT).header("upload-length", size);
            self.open_strictly(request.header("upload-metadata", metadata.join(","))).await
        };
        let response = self.repeat(self.patience, announce).await?;
        let id = response.headers().get(LOCATION).and_then(|place| place.to_str().ok()?.rsplit('/').next());
        id.map(str::to_owned).ok_or_else(|| ClientError::Unreadable(ENDPOINT.to_owned()))
    }

    /// Removes an upload. One that is gone is no error.
    pub(super) async fn remove_upload(&self, id: &str) -> Result<(), ClientError> {
        let remove = async || self.open_strictly(self.tus(Method::DELETE, &of(id))).await;
        match self.repeat(self.patience, remove).await {
            Ok(_) | Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How far the upload is; `None` if it is not there any more.
    pub(crate) async fn upload_progress(&self, id: &str) -> Result<Option<UploadProgress>, ClientError> {
        let look = async || self.open_strictly(self.tus(Method::HEAD, &of(id))).await;
        match self.repeat(self.patience, look).await {
            Ok(response) => progress_of(&response).map(Some),
            Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends the missing bytes of a file, which `read` returns by place and length, until an import is begun with it. Returns
    /// the `_id` of the operation. What breaks goes on at the byte that the server has come to; `seen` hears of it.
    pub(crate) async fn send_file(
        &self,
        id: &str,
        file: &FileToSend<'_>,
        read: impl AsyncFnMut(u64, usize) -> io::Result<Vec<u8>>,
        seen: impl FnMut(u64),
    ) -> Result<Result<String, io::Error>, ClientError> {
        let upload = Upload { id, size: file.size, end: End::Import { replaces: file.replaces } };
        let sent = self.send_pieces(&upload, read, seen).await?;
        match sent.map(|operation| operation.ok_or_else(|| ClientError::Unreadable(ENDPOINT.to_owned()))) {
            Ok(operation) => operation.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Sends the missing bytes of an upload. Returns the `_id` of the operation that was begun with it, if it begins one.
    pub(super) async fn send_pieces(
        &self,
        upload: &Upload<'_>,
        mut read: impl AsyncFnMut(u64, usize) -> io::Result<Vec<u8>>,
        mut seen: impl FnMut(u64),
    ) -> Result<Result<Option<String>, io::Error>, ClientError> {
        let gone = || ClientError::Interfered("the upload was removed on the server; begin again".to_owned());
        let Upload { id, size, end } = *upload;
        let (mut length, mut largest) = (FIRST_PIECE, LARGEST_PIECE);
        let mut retry = Retry::new(self.patience);
        let mut offset = self.upload_progress(id).await?.ok_or_else(gone)?.offset;
        loop {
            seen(offset);
            if end == End::Check && offset == size {
                return Ok(Ok(None));
            }
            let wanted = usize::try_from(size - offset).unwrap_or(usize::MAX).min(length);
            let piece = match read(offset, wanted).await {
                Ok(piece) => piece,
                Err(error) => return Ok(Err(error)),
            };
            let (begun, sent) = (Instant::now(), piece.len());
            match self.send_piece(upload, offset, piece).await {
                Ok(UploadProgress { operation: Some(operation), .. }) => {
                    seen(size);
                    return Ok(Ok(Some(operation)));
                }
                Ok(progress) => {
                    offset = progress.offset;
                    retry = Retry::new(self.patience);
                    length = fitting(length, begun.elapsed()).min(largest);
                }
                // A proxy before the server: it takes no piece of this length later either.
                Err(ClientError::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, .. }) if sent > SMALLEST_PIECE => {
                    largest = (sent / 2).max(SMALLEST_PIECE);
                    length = largest;
                }
                Err(error) => {
                    length = (length / 4).max(SMALLEST_PIECE);
                    if error.is_conflict() {
                        let progress = self.upload_progress(id).await?.ok_or_else(gone)?;
                        // Every byte is there, so something else is in the way.
                        let is_import = end != End::Check;
                        if is_import && progress.offset == size && progress.operation.is_none() {
                            return Err(error);
                        }
                    }
                    let error = if error.is_conflict() { ClientError::InWork } else { error };
                    retry.pause_after(error, &self.notice).await?;
                    let progress = self.upload_progress(id).await?.ok_or_else(gone)?;
                    if let Some(operation) = progress.operation {
                        return Ok(Ok(Some(operation)));
                    }
                    if progress.offset > offset {
                        retry = Retry::new(self.patience);
                    }
                    offset = progress.offset;
                }
            }
        }
    }

    async fn send_piece(
        &self,
        upload: &Upload<'_>,
        offset: u64,
        piece: Vec<u8>,
    ) -> Result<UploadProgress, ClientError> {
        let mut request = self.tus(Method::PATCH, &of(upload.id)).timeout(PIECE_PATIENCE);
        if upload.end == (End::Import { replaces: true }) {
            request = request.query(&[("replace", "true")]);
        }
        let request = request.header(CONTENT_TYPE, PIECE_TYPE).header(UPLOAD_OFFSET, offset).body(piece);
        progress_of(&self.open_strictly(request).await?)
    }

    fn tus(&self, method: Method, endpoint: &str) -> RequestBuilder {
        self.request(method, endpoint).header(VERSION.0, VERSION.1)
    }
}

fn of(id: &str) -> String {
    format!("{ENDPOINT}/{id}")
}

fn progress_of(response: &Response) -> Result<UploadProgress, ClientError> {
    let header = |name: &str| response.headers().get(name)?.to_str().ok();
    let offset = header(UPLOAD_OFFSET).and_then(|offset| offset.parse().ok());
    let offset = offset.ok_or_else(|| ClientError::Unreadable(ENDPOINT.to_owned()))?;
    Ok(UploadProgress { offset, operation: header(IMPORT_OPERATION).map(str::to_owned) })
}

/// The length of the next piece, after one of this length took so long.
fn fitting(length: usize, took: Duration) -> usize {
    if took < QUICK {
        (length * 2).min(LARGEST_PIECE)
    } else if took > SLOW {
        (length / 2).max(SMALLEST_PIECE)
    } else {
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_the_network_within_their_bounds() {
        assert_eq!(fitting(FIRST_PIECE, Duration::from_millis(1)), 2 * FIRST_PIECE);
        assert_eq!(fitting(LARGEST_PIECE, Duration::from_millis(1)), LARGEST_PIECE);
        assert_eq!(fitting(FIRST_PIECE, Duration::from_secs(1)), FIRST_PIECE);
        assert_eq!(fitting(SMALLEST_PIECE, Duration::from_secs(9)), SMALLEST_PIECE);
    }
}
