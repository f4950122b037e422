//! The file of the command line: of this machine, behind a URL, or of the server.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};

use super::super::{
    CommandError,
    importer::{ImporterName, importer_keys, readers_of},
};
use crate::{
    domain::stable_hash::hex,
    importers::{self, Format, Options, ReadAt, Tally},
};

/// As much is read at once.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Where a file is.
#[derive(Debug)]
pub(super) enum Source {
    Here(LocalFile),
    /// The server fetches it, or has it.
    There {
        place: String,
        importer: &'static str,
    },
}

/// A file of this machine.
#[derive(Debug)]
pub(super) struct LocalFile {
    path: String,
    pub(super) name: String,
    file: Arc<File>,
    pub(super) size: u64,
    format: Format,
}

impl Source {
    /// Looks at the file. Nothing is sent.
    ///
    /// # Errors
    /// With a sentence for a file that cannot be used, and where nothing shows the importer.
    pub(super) fn of(place: &str, on_server: bool, importer: Option<ImporterName>) -> Result<Self, CommandError> {
        let is_url = place.starts_with("http://") || place.starts_with("https://");
        if !(is_url || on_server) {
            return LocalFile::open(place, importer).map(Self::Here);
        }
        let importer = importer.ok_or_else(|| {
            CommandError::Setting(format!(
                "only the server can look into this file: say which importer reads it with --importer ({})",
                importer_keys()
            ))
        })?;
        Ok(Self::There { place: place.to_owned(), importer: importer.format().importer_key() })
    }

    /// The place in sentences; of a URL without its query, which may be a secret.
    pub(super) fn shown(&self) -> &str {
        match self {
            Self::Here(file) => &file.path,
            Self::There { place, .. } => place.split(['?', '#']).next().unwrap_or_default(),
        }
    }

    /// The key of the importer.
    pub(super) fn importer(&self) -> &'static str {
        match self {
            Self::Here(file) => file.format.importer_key(),
            Self::There { importer, .. } => importer,
        }
    }

    /// The last part of the place.
    pub(super) fn name(&self) -> &str {
        self.shown().rsplit('/').next().unwrap_or_default()
    }
}

impl LocalFile {
    fn open(path: &str, importer: Option<ImporterName>) -> Result<Self, CommandError> {
        let unusable = |reason: String| CommandError::File(format!("{path}: {reason}"));
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => unusable(format!("{error}; a file of the server wants --on-server")),
            _ => unusable(error.to_string()),
        })?;
        let metadata = file.metadata().map_err(|error| unusable(error.to_string()))?;
        if metadata.is_dir() {
            return Err(unusable("this is a folder; give the archive as it was downloaded".to_owned()));
        }
        let file = Arc::new(file);
        let readers = readers_of(&as_read_at(&file), importer).map_err(unusable)?;
        let formats: Vec<Format> = readers.into_iter().map(|(format, _)| format).collect();
        let [format] = formats[..] else {
            let keys: Vec<&str> = formats.into_iter().map(Format::importer_key).collect();
            return Err(unusable(format!("several importers read it, say which with --importer: {}", keys.join(", "))));
        };
        let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { path: path.to_owned(), name, file, size: metadata.len(), format })
    }

    /// Reads bytes at a place.
    pub(super) async fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = as_read_at(&self.file);
        let read = spawn_blocking(move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(offset, &mut bytes).map(|()| bytes)
        });
        read.await.map_err(io::Error::other)?
    }

    /// The SHA-256 of the whole file in hex digits; `seen` hears how many bytes are done.
    pub(super) async fn sha256(&self, mut seen: impl FnMut(u64)) -> Result<String, CommandError> {
        let mut file = File::open(&self.path).map_err(|error| self.unreadable(&error))?;
        let (sender, mut progress) = mpsc::channel(1);
        // No task of the runtime: the program may end before it does.
        let hash = in_a_thread(move || {
            file.seek(SeekFrom::Start(0))?;
            let (mut hash, mut buffer, mut done) = (Sha256::new(), vec![0; BUFFER_BYTES], 0_u64);
            loop {
                let read = file.read(&mut buffer)?;
                if read == 0 {
                    return Ok(hex(&hash.finalize()));
                }
                hash.update(&buffer[..read]);
                done += read as u64;
                // Where nobody is looking, there is nothing to tell.
                let _ = sender.try_send(done);
            }
        });
        while let Some(done) = progress.recv().await {
            seen(done);
        }
        let hash: io::Result<String> = hash.await.map_err(CommandError::failed)?;
        hash.map_err(|error| self.unreadable(&error))
    }

    /// Counts the records in the file while other work goes on: the end of loading is known then.
    pub(super) fn count_records(&self) -> oneshot::Receiver<Option<u64>> {
        let (file, format) = (as_read_at(&self.file), self.format);
        in_a_thread(move || {
            let reader = importers::open(format, file, &Options::default()).ok()?;
            let mut tally = Tally::default();
            for element in reader {
                tally.add(&element.ok()?);
            }
            Some(tally.record_count())
        })
    }

    pub(super) fn unreadable(&self, error: &io::Error) -> CommandError {
        CommandError::File(format!("{}: {error}", self.path))
    }
}

fn as_read_at(file: &Arc<File>) -> Arc<dyn ReadAt> {
    Arc::clone(file) as Arc<dyn ReadAt>
}

fn in_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || drop(sender.send(work())));
    receiver
}
