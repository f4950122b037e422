//! The body of `uploadImportFile`: JSON with a file as Base64 in it, read while it comes.
//!
//! The reader of JSON and the decoder block, so they have a thread of their own, which the pieces of the body are handed
//! to. Memory is flat: of the file as much as is stored at once, of everything else [`TEXT_BYTES`].

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use actix_web::web::Bytes;
use base64::{
    alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    read::DecoderReader,
};
use struson::reader::{JsonReader as _, JsonStreamReader, ReaderError, ValueType};
use tokio::{runtime::Handle, sync::mpsc::Receiver};

use super::super::body_faults::additional;
use crate::{
    engine::{FileWriter, UploadRefusal, Uploads, known_importer},
    http::error::ApiError,
};

/// Bytes of all of the body but the file.
const TEXT_BYTES: usize = 256 * 1024;
/// Bytes of the file that are decoded at once.
const DECODED_BYTES: usize = 64 * 1024;
const CONTENT: &str = "binaryContent";
/// In the order in which a missing one is named.
const REQUIRED: [&str; 4] = [CONTENT, "contentType", "fileName", "importerKey"];

/// As tolerant as Rocket.Chat's decoder where nothing is lost: the padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A body whose file is stored.
pub(super) struct Sent {
    pub(super) content_type: String,
    pub(super) file_name: String,
    pub(super) importer_key: String,
    pub(super) file: FileWriter,
}

/// What a body is read with.
pub(super) struct Reading {
    pub(super) uploads: Uploads,
    /// The `_id` of the user who sends it.
    pub(super) owner: String,
    /// About as many bytes as the file has; `None` if the client does not say.
    pub(super) expected: Option<u64>,
    pub(super) runtime: Handle,
}

/// The bytes of the body, of which only the file's are without bound.
struct Pieces {
    receiver: Receiver<Bytes>,
    current: Bytes,
    /// How many more bytes may come; `None` while they are the file's.
    left: Rc<Cell<Option<usize>>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.current = piece,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        if let Some(left) = self.left.get() {
            let left = left.checked_sub(length).ok_or_else(|| io::Error::other("a text is too long"))?;
            self.left.set(Some(left));
        }
        buffer[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
    }
}

/// Base64 without white space, and with the letters of URLs as the usual ones.
struct Plain<R>(R);

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(buffer)?;
            let mut kept = 0;
            for at in 0..read {
                buffer[kept] = match buffer[at] {
                    b'-' => b'+',
                    b'_' => b'/',
                    letter if letter.is_ascii_whitespace() => continue,
                    letter => letter,
                };
                kept += 1;
            }
            if kept > 0 || read == 0 {
                return Ok(kept);
            }
        }
    }
}

/// Reads the body to its end and stores the file. Blocks.
pub(super) fn read(pieces: Receiver<Bytes>, reading: &Reading) -> Result<Sent, ApiError> {
    let left = Rc::new(Cell::new(Some(TEXT_BYTES)));
    let pieces = Pieces { receiver: pieces, current: Bytes::new(), left: Rc::clone(&left) };
    let mut file = None;
    match read_object(JsonStreamReader::new(pieces), &left, reading, &mut file) {
        Ok([content_type, file_name, importer_key]) => match file {
            Some(file) => Ok(Sent { content_type, file_name, importer_key, file }),
            None => Err(missing(CONTENT)),
        },
        Err(error) => {
            if let Some(file) = file {
                reading.runtime.block_on(file.give_up());
            }
            Err(error)
        }
    }
}

fn read_object(
    mut json: JsonStreamReader<Pieces>,
    left: &Cell<Option<usize>>,
    reading: &Reading,
    file: &mut Option<FileWriter>,
) -> Result<[String; 3], ApiError> {
    let mut texts: [Option<String>; 3] = Default::default();
    if json.peek().map_err(|error| not_json(&error))? != ValueType::Object {
        return Err(wrong("must be object", ""));
    }
    json.begin_object().map_err(|error| not_json(&error))?;
    while json.has_next().map_err(|error| not_json(&error))? {
        let name = json.next_name_owned().map_err(|error| not_json(&error))?;
        let Some(position) = REQUIRED.iter().position(|required| *required == name) else {
            return Err(additional(std::iter::once(name.as_str()), &format!("{} alone", REQUIRED.join(", "))));
        };
        if json.peek().map_err(|error| not_json(&error))? != ValueType::String {
            return Err(wrong("must be string", &format!("/{name}")));
        }
        if position > 0 {
            let text = json.next_string().map_err(|error| not_json(&error))?;
            if name == "importerKey" {
                known_importer(&text)?;
            }
            texts[position - 1] = Some(text);
            continue;
        }
        if file.is_some() {
            return Err(wrong("must be there once", &format!("/{CONTENT}")));
        }
        let begun = reading.runtime.block_on(reading.uploads.begin_file(&reading.owner, reading.expected))?;
        let file = file.insert(begun);
        left.set(None);
        store(json.next_string_reader().map_err(|error| not_json(&error))?, file, &reading.runtime)?;
        left.set(Some(TEXT_BYTES));
    }
    json.end_object().map_err(|error| not_json(&error))?;
    json.consume_trailing_whitespace().map_err(|error| not_json(&error))?;
    if file.is_none() {
        return Err(missing(CONTENT));
    }
    let mut found = <[String; 3]>::default();
    for (position, text) in texts.into_iter().enumerate() {
        found[position] = text.ok_or_else(|| missing(REQUIRED[position + 1]))?;
    }
    Ok(found)
}

/// Decodes a text to its end.
fn store(text: impl Read, file: &mut FileWriter, runtime: &Handle) -> Result<(), ApiError> {
    let mut decoder = DecoderReader::new(Plain(text), &BASE64);
    let mut buffer = vec![0; DECODED_BYTES];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => runtime.block_on(file.write(&buffer[..read]))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error)
                if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<base64::DecodeError>) =>
            {
                return Err(wrong("must be the file as Base64", &format!("/{CONTENT}")));
            }
            Err(error) => {
                let problem = format!("the body cannot be read: {error}");
                return Err(ApiError::InvalidBody { problem, path: None });
            }
        }
    }
}

impl From<UploadRefusal> for ApiError {
    fn from(refusal: UploadRefusal) -> Self {
        match refusal {
            UploadRefusal::Operation(refusal) => refusal.into(),
            refusal => Self::Upload(refusal),
        }
    }
}

fn not_json(error: &ReaderError) -> ApiError {
    let problem = match error {
        ReaderError::IoError { error, .. } => format!("the body cannot be read: {error}"),
        error => format!("the body is not valid JSON: {error}"),
    };
    ApiError::InvalidBody { problem, path: None }
}

fn missing(field: &str) -> ApiError {
    wrong(&format!("must have required property '{field}'"), "")
}

fn wrong(problem: &str, path: &str) -> ApiError {
    ApiError::InvalidBody { problem: problem.to_owned(), path: Some(path.to_owned()) }
}
