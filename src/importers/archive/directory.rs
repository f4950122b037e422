//! The central directory of a zip archive.
//!
//! Source: PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.

use std::{
    io::{self, BufReader, Read},
    sync::Arc,
};

use crate::importers::{
    read_at::{ReadAt, Stretch},
    record::Refusal,
};

pub(super) const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
pub(super) const HEADER_SIGNATURE: u32 = 0x0201_4b50;
const END_SIGNATURE: u32 = 0x0605_4b50;
const ZIP64_END_SIGNATURE: u32 = 0x0606_4b50;
const ZIP64_LOCATOR_SIGNATURE: u32 = 0x0706_4b50;

const HEADER_BYTES: usize = 46;
pub(super) const LOCAL_HEADER_BYTES: usize = 30;
const END_BYTES: usize = 22;
const ZIP64_END_BYTES: usize = 56;
const ZIP64_LOCATOR_BYTES: usize = 20;
/// The end record and the longest comment after it.
const END_SEARCH_BYTES: u64 = END_BYTES as u64 + u16::MAX as u64;
/// A multiple of what file stores keep in a piece.
const READ_BYTES: usize = 256 * 1024;

const ZIP64_EXTRA: u16 = 0x0001;
const UNICODE_PATH_EXTRA: u16 = 0x7075;
/// Before the name in a Unicode path: a version and a checksum.
const UNICODE_PATH_PREFIX_BYTES: usize = 5;

const FLAG_ENCRYPTED: u16 = 1;
const FLAG_STRONGLY_ENCRYPTED: u16 = 1 << 6;
const METHOD_AES: u16 = 99;

/// Where the directory lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory {
    start: u64,
    end: u64,
    /// Bytes that someone put in front of the archive; all offsets in it are short by them.
    shift: u64,
}

/// What the directory says of an entry.
#[derive(Debug, Clone, Default)]
pub(super) struct Header {
    /// Where the header itself begins in the file.
    pub(super) offset: u64,
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) checksum: u32,
    pub(super) packed_size: u64,
    pub(super) size: u64,
    pub(super) local_offset: u64,
}

impl Header {
    pub(super) const fn is_encrypted(&self) -> bool {
        self.flags & (FLAG_ENCRYPTED | FLAG_STRONGLY_ENCRYPTED) != 0 || self.method == METHOD_AES
    }
}

impl Directory {
    /// Finds the directory by the record at the end of the file; none if there is no such record.
    pub(super) fn find(file: &dyn ReadAt, size: u64) -> Result<Option<Self>, Refusal> {
        let unreadable = |error: io::Error| Refusal::unreadable(&error);
        if size == 0 {
            return Err(Refusal::new("The file is empty."));
        }
        let tail_start = size.saturating_sub(END_SEARCH_BYTES);
        let mut tail = vec![0; usize::try_from(size - tail_start).unwrap_or_default()];
        file.read_exact_at(tail_start, &mut tail).map_err(unreadable)?;
        let Some(end_at) = (0..=tail.len().saturating_sub(END_BYTES)).rev().find(|at| is_end(&tail[*at..])) else {
            return Ok(None);
        };
        let end = &tail[end_at..];
        let end_offset = tail_start + end_at as u64;
        let (disk, first_disk) = (u16_at(end, 4), u16_at(end, 6));
        let (mut length, mut start) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
        let mut directory_end = end_offset;
        if let Some(at) = end_offset.checked_sub(ZIP64_LOCATOR_BYTES as u64) {
            let mut locator = [0; ZIP64_LOCATOR_BYTES];
            file.read_exact_at(at, &mut locator).map_err(unreadable)?;
            if u32_at(&locator, 0) == ZIP64_LOCATOR_SIGNATURE {
                let (found_at, record) = zip64_end(file, u64_at(&locator, 8), at)?;
                (length, start, directory_end) = (u64_at(&record, 40), u64_at(&record, 48), found_at);
            }
        }
        if (disk != first_disk || disk != 0) && disk != u16::MAX {
            return Err(Refusal::new("The zip archive is one of several volumes; join them first."));
        }
        let said_end = length.saturating_add(start);
        let Some(shift) = directory_end.checked_sub(said_end) else {
            return Err(Refusal::new(format!(
                "The zip archive is torn: of {said_end} bytes before its end, {} are missing.",
                said_end - directory_end
            )));
        };
        Ok(Some(Self { start: start + shift, end: directory_end, shift }))
    }

    /// Whether the entry's packed bytes lie in front of the directory.
    pub(super) fn holds(&self, header: &Header) -> bool {
        let data = header.local_offset.checked_add(LOCAL_HEADER_BYTES as u64 + header.name.len() as u64);
        let end =
            data.and_then(|data| data.checked_add(header.packed_size)).and_then(|end| end.checked_add(self.shift));
        end.is_some_and(|end| end <= self.start)
    }

    /// All headers in their order, a few hundred kilobytes at a time in memory.
    pub(super) fn headers(&self, file: &Arc<dyn ReadAt>) -> Headers {
        let source = Stretch::new(file.clone(), self.start, self.end);
        Headers {
            source: BufReader::with_capacity(READ_BYTES, source),
            offset: self.start,
            end: self.end,
            rest: Vec::new(),
            failed: false,
        }
    }

    /// The header that begins at `offset` of the file.
    pub(super) fn header_at(&self, file: &Arc<dyn ReadAt>, offset: u64) -> io::Result<Header> {
        // A header without its variable part is always smaller than this.
        const MOST_HEADERS_BYTES: usize = 1024;
        let mut source = BufReader::with_capacity(MOST_HEADERS_BYTES, Stretch::new(file.clone(), offset, self.end));
        read_header(&mut source, offset, &mut Vec::new())
    }

    /// Where the packed bytes of an entry begin and end, by its local header.
    pub(super) fn data_of(&self, file: &dyn ReadAt, header: &Header) -> io::Result<(u64, u64)> {
        let local_offset = header.local_offset + self.shift;
        let mut local = [0; LOCAL_HEADER_BYTES];
        file.read_exact_at(local_offset, &mut local)?;
        if u32_at(&local, 0) != LOCAL_SIGNATURE {
            return Err(invalid("its bytes are not where the archive's directory says"));
        }
        let names = u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        let data = local_offset + LOCAL_HEADER_BYTES as u64 + names;
        match data.checked_add(header.packed_size) {
            Some(end) if end <= self.start => Ok((data, end)),
            _ => Err(invalid("its bytes run into the archive's directory")),
        }
    }
}

/// Headers, one after the other.
#[derive(Debug)]
pub(super) struct Headers {
    source: BufReader<Stretch>,
    offset: u64,
    end: u64,
    /// Holds what follows a header's fixed part, to be used again.
    rest: Vec<u8>,
    failed: bool,
}

/// Why there is no further header.
#[derive(Debug)]
pub(super) enum NoHeader {
    /// What stands there is none.
    Damaged,
    Unreadable(io::Error),
}

impl Iterator for Headers {
    type Item = Result<Header, NoHeader>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.offset >= self.end {
            return None;
        }
        let header = read_header(&mut self.source, self.offset, &mut self.rest);
        match header {
            Ok(header) => {
                self.offset += (HEADER_BYTES + self.rest.len()) as u64;
                Some(Ok(header))
            }
            Err(error) => {
                self.failed = true;
                let kinds = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
                Some(Err(if kinds.contains(&error.kind()) { NoHeader::Damaged } else { NoHeader::Unreadable(error) }))
            }
        }
    }
}

fn read_header(source: &mut impl Read, offset: u64, rest: &mut Vec<u8>) -> io::Result<Header> {
    let mut fixed = [0; HEADER_BYTES];
    source.read_exact(&mut fixed)?;
    if u32_at(&fixed, 0) != HEADER_SIGNATURE {
        return Err(invalid("not a header"));
    }
    let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(&fixed, at)));
    rest.resize(name + extra + comment, 0);
    source.read_exact(rest)?;
    let mut header = Header {
        offset,
        name: rest[..name].to_vec(),
        flags: u16_at(&fixed, 8),
        method: u16_at(&fixed, 10),
        checksum: u32_at(&fixed, 16),
        packed_size: u64::from(u32_at(&fixed, 20)),
        size: u64::from(u32_at(&fixed, 24)),
        local_offset: u64::from(u32_at(&fixed, 42)),
    };
    apply_extra(&mut header, &rest[name..name + extra])?;
    Ok(header)
}

/// Takes sizes over 4 GiB and Unicode names from where they lie.
fn apply_extra(header: &mut Header, mut extra: &[u8]) -> io::Result<()> {
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let Some(field) = extra.get(4..4 + length) else { break };
        match id {
            ZIP64_EXTRA => {
                let mut values = field.chunks_exact(8).map(|value| u64_at(value, 0));
                for number in [&mut header.size, &mut header.packed_size, &mut header.local_offset] {
                    if *number == u64::from(u32::MAX) {
                        *number = values.next().ok_or_else(|| invalid("a size is missing"))?;
                    }
                }
            }
            // The checksum tells whether a program that knows nothing of this field renamed the entry.
            UNICODE_PATH_EXTRA
                if field.len() > UNICODE_PATH_PREFIX_BYTES && crc32fast::hash(&header.name) == u32_at(field, 1) =>
            {
                header.name = field[UNICODE_PATH_PREFIX_BYTES..].to_vec();
            }
            _ => {}
        }
        extra = &extra[4 + length..];
    }
    Ok(())
}

fn zip64_end(file: &dyn ReadAt, said: u64, locator: u64) -> Result<(u64, [u8; ZIP64_END_BYTES]), Refusal> {
    // Something may have been put in front of the archive; then the record still lies before its locator.
    for offset in [Some(said), locator.checked_sub(ZIP64_END_BYTES as u64)].into_iter().flatten() {
        let mut record = [0; ZIP64_END_BYTES];
        if file.read_exact_at(offset, &mut record).is_ok() && u32_at(&record, 0) == ZIP64_END_SIGNATURE {
            return Ok((offset, record));
        }
    }
    Err(Refusal::new("The zip archive is torn: the record of its size is missing."))
}

fn is_end(bytes: &[u8]) -> bool {
    bytes.len() >= END_BYTES
        && u32_at(bytes, 0) == END_SIGNATURE
        && usize::from(u16_at(bytes, 20)) <= bytes.len() - END_BYTES
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}
