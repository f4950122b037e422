//! The unpacked bytes of one entry, checked against what the directory says of them.

use std::{
    io::{self, Read},
    sync::Arc,
};

use flate2::read::DeflateDecoder;

use crate::importers::read_at::{ReadAt, Stretch};

use super::directory::{Directory, Header};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Reads an entry; fails at its end if length or checksum are not what they should be.
#[derive(Debug)]
pub(in crate::importers) struct EntryReader {
    packed: Packed,
    checksum: crc32fast::Hasher,
    expected_checksum: u32,
    /// Unpacked bytes that are still to come.
    left: u64,
}

#[derive(Debug)]
enum Packed {
    Stored(Stretch),
    Deflated(DeflateDecoder<Stretch>),
}

impl EntryReader {
    pub(super) fn new(file: &Arc<dyn ReadAt>, directory: &Directory, header: &Header) -> io::Result<Self> {
        let (start, end) = directory.data_of(file.as_ref(), header)?;
        let stretch = Stretch::new(file.clone(), start, end);
        let packed = match header.method {
            STORED => Packed::Stored(stretch),
            DEFLATED => Packed::Deflated(DeflateDecoder::new(stretch)),
            other => {
                let reason = format!("it is packed by method {other}, where stored and deflated entries can be read");
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
        };
        Ok(Self { packed, checksum: crc32fast::Hasher::new(), expected_checksum: header.checksum, left: header.size })
    }
}

impl Read for EntryReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.packed {
            Packed::Stored(stretch) => stretch.read(buffer)?,
            Packed::Deflated(decoder) => decoder.read(buffer)?,
        };
        let invalid = |reason| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        if read == 0 {
            if self.left > 0 {
                return invalid("it ends before its size");
            }
            if self.checksum.clone().finalize() != self.expected_checksum {
                return invalid("its checksum is wrong");
            }
            return Ok(0);
        }
        self.left = match self.left.checked_sub(read as u64) {
            Some(left) => left,
            None => return invalid("it unpacks to more than its size"),
        };
        self.checksum.update(&buffer[..read]);
        Ok(read)
    }
}
