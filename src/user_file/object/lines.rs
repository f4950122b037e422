//! JSON lines: an object a line, one line at a time in memory. A line that is broken leaves the others whole.

use std::io::BufRead;

use super::{
    super::problem::{Fault, Kind, Problem},
    Broken, Piece,
    text_lines::TextLines,
};

pub(in super::super) struct Lines<R> {
    source: TextLines<R>,
    is_over: bool,
}

impl<R: BufRead> Lines<R> {
    pub(in super::super) fn new(source: R) -> Self {
        Self { source: TextLines::new(source), is_over: false }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Piece, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            let (line, text) = match self.source.next() {
                Ok(line) => line?,
                Err(problem) => {
                    self.is_over = true;
                    return Some(Err(problem));
                }
            };
            let text = String::from_utf8_lossy(text);
            let text = text.trim();
            if line > 1 && text.starts_with('\u{feff}') {
                let fault = Fault::new(
                    Kind::Joined,
                    "a byte order mark in the middle: two files seem to be joined here; give them one by one",
                );
                return Some(Ok(Piece { line, object: Err(Broken::new(fault, text)) }));
            }
            if !text.is_empty() {
                return Some(Ok(Piece::read(line, text)));
            }
        }
        None
    }
}
