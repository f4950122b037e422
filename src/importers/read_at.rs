//! Bytes of a file by their offset, wherever the file lies.

use std::{
    fmt::Debug,
    fs::File,
    io::{self, Read},
    sync::Arc,
};

use parking_lot::Mutex;

/// A file that is read from any offset. Reading blocks; importers run on threads that may wait.
pub trait ReadAt: Debug + Send + Sync {
    /// The number of bytes.
    ///
    /// # Errors
    /// When the file cannot be reached.
    fn len(&self) -> io::Result<u64>;

    /// Reads some bytes at `offset` and returns how many; none at the end of the file only.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Whether the file holds nothing.
    ///
    /// # Errors
    /// When the file cannot be reached.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buffer` with what lies at `offset`.
    ///
    /// # Errors
    /// When the file ends before that or cannot be read.
    fn read_exact_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(offset, buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    offset += read as u64;
                    buffer = &mut buffer[read..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl ReadAt for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn len(&self) -> io::Result<u64> {
        Ok(<[u8]>::len(self) as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

impl ReadAt for &[u8] {
    fn len(&self) -> io::Result<u64> {
        ReadAt::len(*self)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        ReadAt::read_at(*self, offset, buffer)
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> io::Result<u64> {
        ReadAt::len(self.as_slice())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        ReadAt::read_at(self.as_slice(), offset, buffer)
    }
}

/// A file whose failures are kept, so that a store out of reach is never taken for a damaged file.
#[derive(Debug)]
pub(super) struct Watched {
    file: Arc<dyn ReadAt>,
    failure: Mutex<Option<io::Error>>,
}

impl Watched {
    pub(super) fn new(file: Arc<dyn ReadAt>) -> Self {
        Self { file, failure: Mutex::new(None) }
    }

    /// The last failure since this was called.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.failure.lock().take()
    }

    fn kept<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            let copy = io::Error::new(error.kind(), error.to_string());
            *self.failure.lock() = Some(error);
            copy
        })
    }
}

impl ReadAt for Watched {
    fn len(&self) -> io::Result<u64> {
        self.kept(self.file.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.kept(self.file.read_at(offset, buffer))
    }
}

/// A stretch of a file, read from its beginning.
#[derive(Debug)]
pub(super) struct Stretch {
    file: Arc<dyn ReadAt>,
    offset: u64,
    end: u64,
}

impl Stretch {
    /// The bytes from `offset` up to `end`.
    pub(super) fn new(file: Arc<dyn ReadAt>, offset: u64, end: u64) -> Self {
        Self { file, offset, end }
    }

    /// The whole file.
    pub(super) fn whole(file: Arc<dyn ReadAt>) -> io::Result<Self> {
        let end = file.len()?;
        Ok(Self::new(file, 0, end))
    }
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.file.read_at(self.offset, &mut buffer[..wanted])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.offset += read as u64;
        Ok(read)
    }
}
