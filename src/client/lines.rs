//! JSON lines of a long answer, as they come.

use serde::de::DeserializeOwned;

use super::{ClientError, reports::Report};

const LINE_END: u8 = b'\n';

/// The lines of an answer.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    answer: Report<'a>,
    endpoint: &'static str,
    piece: Vec<u8>,
    /// So many bytes of the piece were read.
    read: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(answer: Report<'a>, endpoint: &'static str) -> Self {
        Self { answer, endpoint, piece: Vec::new(), read: 0 }
    }

    /// The next line; `None` at the end. What stands behind the last line end is no line.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            let rest = &self.piece[self.read..];
            if let Some(end) = rest.iter().position(|byte| *byte == LINE_END) {
                let line = serde_json::from_slice(&rest[..end]);
                self.read += end + 1;
                return line.map(Some).map_err(|_| ClientError::Unreadable(self.endpoint.to_owned()));
            }
            let Some(piece) = self.answer.next().await? else { return Ok(None) };
            self.piece.drain(..self.read);
            self.read = 0;
            self.piece.extend_from_slice(&piece);
        }
    }
}
