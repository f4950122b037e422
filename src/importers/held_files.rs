//! Files that lie in an archive beside its messages, where programs put them that add files to Slack's exports.

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::{
    Limits, OpenError, ReadAt,
    archive::{Archive, EntryReader, Listed},
    held_names::file_id,
    read_at::Watched,
    slack,
};
use crate::domain::stable_hash::stable_hash;

/// The files of an archive, found by their ids in the system that they come from. It takes 16 bytes a file.
#[derive(Debug)]
pub struct HeldFiles {
    archive: Archive,
    /// The hashes of the ids, sorted, with the offsets in the archive's directory.
    places: Vec<(u64, u64)>,
}

/// The unpacked bytes of a file in an archive. Reading blocks.
#[derive(Debug)]
pub struct HeldFile {
    /// Bytes, as the archive says; reading fails if it is not true.
    pub size: u64,
    reader: EntryReader,
}

impl HeldFiles {
    /// Looks for files in an archive that was imported as Slack's.
    ///
    /// # Errors
    /// When it is no sound archive, or its store fails.
    pub fn open(file: Arc<dyn ReadAt>) -> Result<Self, OpenError> {
        let watched = Arc::new(Watched::new(file));
        let archive = Archive::open(watched.clone(), slack::SHAPE, Limits::default());
        let places = archive.as_ref().map(places_in).unwrap_or_default();
        if let Some(error) = watched.take_failure() {
            return Err(OpenError::Unreachable(error));
        }
        Ok(Self { archive: archive?, places })
    }

    /// The number of files.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Returns the file with this id; `None` if the archive does not hold it.
    ///
    /// # Errors
    /// When the archive cannot be read.
    pub fn find(&self, id: &str) -> io::Result<Option<HeldFile>> {
        let hash = hash_of(id);
        let first = self.places.partition_point(|(other, _)| *other < hash);
        for (_, offset) in self.places[first..].iter().take_while(|(other, _)| *other == hash) {
            let entry = self.archive.entry_at(*offset)?;
            if file_id(&entry.name) == Some(id) {
                return Ok(Some(HeldFile { size: entry.size(), reader: self.archive.read(&entry)? }));
            }
        }
        Ok(None)
    }
}

impl Read for HeldFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

fn places_in(archive: &Archive) -> Vec<(u64, u64)> {
    let mut places: Vec<(u64, u64)> = archive
        .listed()
        .filter_map(|listed| match listed {
            Listed::File(entry) => Some((hash_of(file_id(&entry.name)?), entry.offset)),
            _ => None,
        })
        .collect();
    places.sort_unstable();
    places
}

fn hash_of(id: &str) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&stable_hash([id])[..8]);
    u64::from_be_bytes(first)
}
