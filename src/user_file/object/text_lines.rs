//! Lines of a text, one at a time in memory. `\n`, `\r\n` and `\r` end one, also side by side.

use std::io::{BufRead, Read as _};

use super::{
    super::{
        input::unreadable,
        problem::{Fault, Kind, Problem},
    },
    MAX_OBJECT_BYTES,
};

/// Looks for `\n` first, because nearly all files have that and the search for a single byte is the fastest.
pub(super) struct TextLines<R> {
    source: R,
    /// The number of the line that was given out last.
    line: u64,
    /// The text up to a `\n`, or as much as a line may have.
    piece: Vec<u8>,
    /// Where the next line begins in it.
    at: usize,
    /// Whether lines within the piece end with `\r`.
    has_returns: bool,
    /// Whether the line before the piece ended with `\r`: a `\n` behind it belongs to the same end.
    is_after_return: bool,
}

impl<R: BufRead> TextLines<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, line: 0, piece: Vec::new(), at: 0, has_returns: false, is_after_return: false }
    }

    /// Returns the number and the text of the next line, without its end; none behind the last line.
    ///
    /// # Errors
    /// When the source cannot be read, and for a line that is longer than a user can be.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &[u8])>, Problem> {
        let line = self.line + 1;
        if self.at == self.piece.len() {
            self.read_on(line)?;
            if std::mem::take(&mut self.is_after_return) && self.piece == b"\n" {
                self.at = self.piece.len();
                self.read_on(line)?;
            }
            if self.piece.is_empty() {
                return Ok(None);
            }
        }
        let (end, next) = loop {
            if let Some(found) = self.end() {
                break found;
            }
            if !self.read_on(line)? {
                break (self.piece.len(), self.piece.len());
            }
        };
        let begin = std::mem::replace(&mut self.at, next);
        self.is_after_return = next == self.piece.len() && next > end && self.piece[next - 1] == b'\r';
        self.line = line;
        Ok(Some((line, &self.piece[begin..end])))
    }

    /// Where the line ends, and where the next one begins; none if the end is not within the piece.
    fn end(&self) -> Option<(usize, usize)> {
        let rest = &self.piece[self.at..];
        let found = if self.has_returns { rest.iter().position(|byte| *byte == b'\r') } else { None };
        if let Some(end) = found.map(|length| self.at + length) {
            return Some((end, end + 1 + usize::from(self.piece.get(end + 1) == Some(&b'\n'))));
        }
        let length = self.piece.len();
        rest.ends_with(b"\n").then(|| (length - if rest.ends_with(b"\r\n") { 2 } else { 1 }, length))
    }

    /// Reads on behind the part of the piece that was not given out yet; whether there was more.
    fn read_on(&mut self, line: u64) -> Result<bool, Problem> {
        self.piece.drain(..self.at);
        self.at = 0;
        let room = MAX_OBJECT_BYTES - self.piece.len();
        if room == 0 {
            let fault = Fault::new(Kind::TooLarge, "a line of more than 16 MiB, which no user can be");
            return Err(Problem::fatal(line, fault));
        }
        let mut source = self.source.by_ref().take(room as u64);
        let length = source.read_until(b'\n', &mut self.piece).map_err(|error| unreadable(line, &error))?;
        let lines = self.piece.strip_suffix(b"\n").unwrap_or(&self.piece);
        self.has_returns = lines.strip_suffix(b"\r").unwrap_or(lines).contains(&b'\r');
        // That of a piece which is cut off there ends a line, too.
        self.has_returns |= self.piece.ends_with(b"\r");
        Ok(length > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str, buffered: usize) -> Vec<(u64, String)> {
        let mut lines = TextLines::new(BufReader::with_capacity(buffered, text.as_bytes()));
        std::iter::from_fn(|| {
            let (number, line) = lines.next().unwrap()?;
            Some((number, String::from_utf8(line.to_vec()).unwrap()))
        })
        .collect()
    }

    #[test]
    fn every_end_of_a_line_counts_once() {
        for buffered in [1, 2, 3, 100] {
            let found = lines("a\r\nb\rc\n\n\r\r\nd", buffered);
            let expected = [(1, "a"), (2, "b"), (3, "c"), (4, ""), (5, ""), (6, ""), (7, "d")];
            assert_eq!(found, expected.map(|(number, text)| (number, text.to_owned())), "{buffered}");
            assert_eq!(lines("a\r\n", buffered).len(), 1);
            assert!(lines("", buffered).is_empty());
        }
    }

    #[test]
    fn a_line_that_never_ends_is_not_kept() {
        let endless = BufReader::new(std::io::Read::take(std::io::repeat(b'a'), 10 * MAX_OBJECT_BYTES as u64));
        let mut lines = TextLines::new(endless);
        let problem = lines.next().unwrap_err();
        assert!(problem.reason.starts_with("a line of more than 16 MiB"), "{problem}");
        assert_eq!(lines.piece.len(), MAX_OBJECT_BYTES);
    }

    #[test]
    fn lines_go_on_where_a_piece_without_a_line_feed_is_cut_off() {
        let count = MAX_OBJECT_BYTES / 8;
        for name in ["aaaaaaa", "aaaaaaaaaa"] {
            let text = format!("{name}\r").repeat(count * 2) + "last\r\nb";
            let mut lines = TextLines::new(BufReader::new(text.as_bytes()));
            let mut last = Vec::new();
            while let Some((number, line)) = lines.next().unwrap() {
                assert!(number > count as u64 * 2 || line == name.as_bytes(), "{number}");
                last = line.to_vec();
                assert!(lines.piece.len() <= MAX_OBJECT_BYTES);
            }
            assert_eq!((lines.line, last), (count as u64 * 2 + 2, b"b".to_vec()));
        }
        let text = "a".repeat(MAX_OBJECT_BYTES - 1) + "\r\nb";
        let mut lines = TextLines::new(text.as_bytes());
        assert_eq!(lines.next().unwrap().unwrap().1.len(), MAX_OBJECT_BYTES - 1);
        assert_eq!(lines.next().unwrap(), Some((2, &b"b"[..])));
    }

    proptest! {
        #[test]
        fn the_lines_are_those_of_a_text_with_one_kind_of_ends(text in "[ab\r\n]{0,40}", buffered in 1..9_usize) {
            let plain = text.replace("\r\n", "\n").replace('\r', "\n");
            let expected: Vec<&str> = plain.strip_suffix('\n').unwrap_or(&plain).split('\n').collect();
            let expected = if plain.is_empty() { Vec::new() } else { expected };
            let found = lines(&text, buffered);
            prop_assert_eq!(found.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), expected);
        }
    }
}
