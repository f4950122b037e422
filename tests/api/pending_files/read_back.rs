//! Reading stored files back with the clients of their stores, as wholes and as ranges.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    process::Command,
};

use rocketchat_import::domain::stable_hash::hex;

use super::*;

/// A file that is stored.
pub(super) struct StoredFile {
    pub(super) upload: Document,
    pub(super) content: Vec<u8>,
}

impl StoredFile {
    pub(super) fn id(&self) -> &str {
        self.upload.get_str("_id").unwrap()
    }
}

/// The beginning and the length of ranges as a browser asks for: the head, one across chunks, the end, a single byte.
pub(super) fn ranges_of(length: usize) -> Vec<(usize, usize)> {
    let ranges =
        [(0, 100), (261_000, 300), (length / 3, length / 2), (length.saturating_sub(1000), 1000), (length / 2, 1)];
    ranges.into_iter().filter(|(first, wanted)| *wanted > 0 && first + wanted <= length).collect()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Fails unless another language's program reads the same bytes. It is given a line for each file: what `place_of` says,
/// and ranges (`first+length`). It prints the same place, the length, and the hashes of the whole and of each range.
pub(super) fn assert_read_by(
    python: &str,
    program: &str,
    arguments: &[&str],
    files: &[StoredFile],
    place_of: impl Fn(&StoredFile) -> String,
) {
    let mut wanted: File = tempfile::tempfile().unwrap();
    let mut expected = Vec::new();
    for file in files {
        let (place, content) = (place_of(file), &file.content);
        let ranges = ranges_of(content.len());
        let words: Vec<String> = ranges.iter().map(|(first, length)| format!("{first}+{length}")).collect();
        writeln!(wanted, "{place} {}", words.join(" ")).unwrap();
        let hashes = ranges.iter().map(|(first, length)| sha256(&content[*first..first + length]));
        let hashes: Vec<String> = std::iter::once(sha256(content)).chain(hashes).collect();
        expected.push(format!("{place} {} {}", content.len(), hashes.join(" ")));
    }
    wanted.rewind().unwrap();
    let ended = Command::new(python).args(["-c", program]).args(arguments).stdin(wanted).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let found = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}
