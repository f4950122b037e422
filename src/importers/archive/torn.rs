//! How far a torn archive goes: its directory stands at its end, so that only the entries themselves can say it.

use crate::importers::{read_at::ReadAt, record::Refusal};

use super::{
    directory::{HEADER_SIGNATURE, Header, LOCAL_HEADER_BYTES, LOCAL_SIGNATURE, u16_at, u32_at},
    names, shown,
};

/// Bytes that are looked at together, from the end on. One entry is seldom longer than all of [`MOST_BYTES`].
const PIECE_BYTES: usize = 1 << 20;
const MOST_BYTES: u64 = 64 << 20;
const SIGNATURE_BYTES: usize = 4;

/// Why a file without the record that every archive ends with is refused.
pub(super) fn refusal(file: &dyn ReadAt, size: u64) -> Refusal {
    let mut begin = [0; SIGNATURE_BYTES];
    if file.read_exact_at(0, &mut begin).is_err() || u32::from_le_bytes(begin) != LOCAL_SIGNATURE {
        return Refusal::new("The file is no zip archive.");
    }
    Refusal::new(match last_part(file, size) {
        Some(LastPart::Entry(name)) => {
            format!("The zip archive is torn: it ends after {size} bytes, in entry {:?}.", shown(&name))
        }
        Some(LastPart::Directory) => format!("The zip archive is torn: it ends after {size} bytes, in its directory."),
        None => format!("The zip archive is torn: it ends after {size} bytes."),
    })
}

/// The part of an archive that the file ends in.
#[derive(Debug, PartialEq, Eq)]
enum LastPart {
    Entry(String),
    Directory,
}

/// The part that begins last. Archives within the archive look the same, if they are not packed once more.
fn last_part(file: &dyn ReadAt, size: u64) -> Option<LastPart> {
    let mut end = size;
    while end > 0 && size - end < MOST_BYTES {
        let start = end.saturating_sub(PIECE_BYTES as u64);
        // A header may lie across the end of the piece, and its name behind it.
        let most = PIECE_BYTES + LOCAL_HEADER_BYTES + usize::from(u16::MAX);
        let mut piece = vec![0; most.min(usize::try_from(size - start).unwrap_or(most))];
        file.read_exact_at(start, &mut piece).ok()?;
        let begins = usize::try_from(end - start).unwrap_or_default();
        if let Some(found) = (0..begins).rev().find_map(|at| part_at(&piece[at..])) {
            return Some(found);
        }
        end = start;
    }
    None
}

fn part_at(bytes: &[u8]) -> Option<LastPart> {
    match u32_at(bytes, 0) {
        HEADER_SIGNATURE => Some(LastPart::Directory),
        LOCAL_SIGNATURE => {
            let name = bytes.get(LOCAL_HEADER_BYTES..LOCAL_HEADER_BYTES + usize::from(u16_at(bytes, 26)))?;
            let name = names::decoded(&Header { name: name.to_vec(), ..Header::default() });
            Some(LastPart::Entry(name))
        }
        _ => None,
    }
}
