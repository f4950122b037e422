//! The content of a file as a store has it: how long it is, and its hash.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::domain::stable_hash::hex;

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub bytes: u64,
    /// SHA-256 in lower-case hex digits.
    pub sha256: String,
}

/// A content that is known piece by piece. It keeps none of them.
#[derive(Debug, Clone, Default)]
pub struct ContentReader {
    bytes: u64,
    hash: Sha256,
}

impl ContentReader {
    pub fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.hash.update(piece);
    }

    /// The content of all pieces together.
    #[must_use]
    pub fn end(self) -> Content {
        Content { bytes: self.bytes, sha256: hex(&self.hash.finalize()) }
    }
}

impl io::Write for ContentReader {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.add(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_content_of_the_whole() {
        let mut pieces = ContentReader::default();
        for piece in [b"ab".as_slice(), b"", b"c"] {
            pieces.add(piece);
        }
        // The example of FIPS 180-4.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(pieces.end(), Content { bytes: 3, sha256: sha256.to_owned() });
    }
}
