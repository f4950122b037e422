//! Uploads for `import.check`: for a list that a proxy before the server does not take in one request.

use std::io;

use reqwest::StatusCode;
use sha2::{Digest as _, Sha256};

use super::{
    Client, ClientError,
    uploads::{End, SMALLEST_PIECE, Upload},
};

const FILE_NAME: &str = "users.jsonl";
/// As many bytes go through every proxy that lets an upload through.
pub(crate) const SURE_BYTES: usize = SMALLEST_PIECE;

/// A list that lies on the server to be checked; it is removed there with [`Client::remove_checked`], or within an hour.
#[derive(Debug)]
pub(crate) struct CheckUpload {
    pub(super) id: String,
}

impl Client {
    /// Sends the list in pieces that a proxy takes; `None` where the server, or a proxy, takes no such upload.
    pub(crate) async fn upload_for_check(
        &self,
        list: &[u8],
        seen: impl FnMut(u64),
    ) -> Result<Option<CheckUpload>, ClientError> {
        let size = list.len() as u64;
        let sha256 = format!("{:x}", Sha256::digest(list));
        let metadata = [("filename", FILE_NAME), ("purpose", "check"), ("sha256", &sha256)];
        let id = match self.announce(size, &metadata).await {
            Ok(id) => id,
            Err(error) if is_refusal(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let read = async |offset: u64, length: usize| {
            let begin = usize::try_from(offset).map_err(io::Error::other)?;
            list.get(begin..begin + length).map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        };
        let upload = CheckUpload { id };
        let sent = self.send_pieces(&Upload { id: &upload.id, size, end: End::Check }, read, seen).await;
        match sent {
            Ok(Ok(_)) => Ok(Some(upload)),
            Ok(Err(_)) => Err(ClientError::Unreadable("import.upload".to_owned())),
            Err(error) => {
                self.remove_checked(upload).await;
                if is_refusal(&error) { Ok(None) } else { Err(error) }
            }
        }
    }

    /// Removes the list from the server.
    pub(crate) async fn remove_checked(&self, upload: CheckUpload) {
        // Where that fails, the server removes it within an hour.
        drop(self.remove_upload(&upload.id).await);
    }
}

/// Whether uploads come to nothing here while other requests may well be answered: an older release does not know them, a
/// proxy lets their methods or pieces not through, or the server has no room for them.
fn is_refusal(error: &ClientError) -> bool {
    match error {
        ClientError::Refused { .. } | ClientError::NotAllowed { .. } => true,
        ClientError::Unavailable { status, .. } => *status == StatusCode::INSUFFICIENT_STORAGE,
        _ => false,
    }
}
