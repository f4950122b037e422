//! The bytes of a file: their format and their text.

mod content;
mod encoding;

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use encoding_rs::Encoding;

pub(crate) use encoding::encoding_named;

pub(super) use content::{Content, content_of};

use super::problem::{Fault, Kind, Problem};
use encoding::Decoded;

/// Beginning of a file that shows its content.
const HEAD_BYTES: u64 = 64 * 1024;
const BUFFER_BYTES: usize = 64 * 1024;

/// Bytes that can be read again from their beginning.
pub(crate) trait Source: Read + Seek + Send + 'static {}

impl<S: Read + Seek + Send + 'static> Source for S {}

/// Text in UTF-8.
pub(super) type Text = Box<dyn BufRead + Send>;

/// The first bytes of a source, which stands at its beginning afterwards.
pub(super) fn head_of(source: &mut impl Source) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    source.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    source.seek(SeekFrom::Start(0))?;
    Ok(head)
}

/// The text of a source.
pub(super) fn text_of(source: impl Source, head: &[u8], encoding: Option<&'static Encoding>) -> Result<Text, Problem> {
    let decoded = Decoded::new(source, head, encoding);
    let decoded = decoded.map_err(|reason| Problem::fatal(1, Fault::new(Kind::Encoding, reason)))?;
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoded)))
}

/// The problem of a text that cannot be read on.
pub(super) fn unreadable(line: u64, error: &io::Error) -> Problem {
    let kind = if error.kind() == io::ErrorKind::InvalidData { Kind::Encoding } else { Kind::Unreadable };
    Problem::fatal(line, Fault::new(kind, error.to_string()))
}
