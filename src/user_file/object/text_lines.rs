//! Lines of a text, one at a time in memory. `\n`, `\r\n` and `\r` end one, also side by side.

use std::io::{BufRead, ErrorKind};

use super::{
    super::{
        input::unreadable,
        problem::{Fault, Kind, Problem},
    },
    MAX_OBJECT_BYTES,
};

pub(super) struct TextLines<R> {
    source: R,
    /// The number of the line that was read last.
    line: u64,
    /// Whether that line ended with `\r`: a `\n` behind it belongs to the same end.
    is_after_return: bool,
}

impl<R: BufRead> TextLines<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, line: 0, is_after_return: false }
    }

    /// Puts the next line into `text`, without its end, and returns its number; none behind the last line.
    ///
    /// # Errors
    /// When the source cannot be read, and for a line that is longer than a user can be.
    pub(super) fn read(&mut self, text: &mut Vec<u8>) -> Result<Option<u64>, Problem> {
        text.clear();
        let line = self.line + 1;
        loop {
            let buffer = match self.source.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(line, &error)),
            };
            if buffer.is_empty() {
                if text.is_empty() {
                    return Ok(None);
                }
                break;
            }
            if std::mem::take(&mut self.is_after_return) && buffer[0] == b'\n' {
                self.source.consume(1);
                continue;
            }
            // A source may have all of its bytes at hand.
            let buffer = &buffer[..buffer.len().min(MAX_OBJECT_BYTES)];
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let length = end.unwrap_or(buffer.len());
            text.extend_from_slice(&buffer[..length]);
            self.is_after_return = end.is_some_and(|end| buffer[end] == b'\r');
            self.source.consume(length + usize::from(end.is_some()));
            if text.len() >= MAX_OBJECT_BYTES {
                let fault = Fault::new(Kind::TooLarge, "a line of more than 16 MiB, which no user can be");
                return Err(Problem::fatal(line, fault));
            }
            if end.is_some() {
                break;
            }
        }
        self.line = line;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str, buffered: usize) -> Vec<(u64, String)> {
        let mut lines = TextLines::new(BufReader::with_capacity(buffered, text.as_bytes()));
        let mut line = Vec::new();
        std::iter::from_fn(|| {
            let number = lines.read(&mut line).unwrap()?;
            Some((number, String::from_utf8(line.clone()).unwrap()))
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
        let mut text = Vec::new();
        let problem = TextLines::new(endless).read(&mut text).unwrap_err();
        assert!(problem.reason.starts_with("a line of more than 16 MiB"), "{problem}");
        assert!(text.len() < 2 * MAX_OBJECT_BYTES);
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
