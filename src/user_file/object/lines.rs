//! JSON lines: an object a line, one line at a time in memory. A line that is broken leaves the others whole.

use std::io::{BufRead, Read as _};

use super::{
    super::{
        input::unreadable,
        problem::{Fault, Kind, Problem},
    },
    MAX_OBJECT_BYTES, Object, Piece,
};

pub(in super::super) struct Lines<R> {
    source: R,
    line: u64,
    is_over: bool,
}

impl<R: BufRead> Lines<R> {
    pub(in super::super) fn new(source: R) -> Self {
        Self { source, line: 0, is_over: false }
    }

    fn end_with(&mut self, problem: Problem) -> Result<Piece, Problem> {
        self.is_over = true;
        Err(problem)
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Piece, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut text = Vec::new();
        while !self.is_over {
            text.clear();
            self.line += 1;
            let line = self.line;
            match self.source.by_ref().take(MAX_OBJECT_BYTES as u64).read_until(b'\n', &mut text) {
                Ok(0) => break,
                Ok(length) if length == MAX_OBJECT_BYTES => {
                    let fault = Fault::new(Kind::TooLarge, "a line of more than 16 MiB, which no user can be");
                    return Some(self.end_with(Problem::fatal(line, fault)));
                }
                Ok(_) => {}
                Err(error) => return Some(self.end_with(unreadable(line, &error))),
            }
            let text = String::from_utf8_lossy(&text);
            let text = text.trim();
            if line > 1 && text.starts_with('\u{feff}') {
                let fault = Fault::new(
                    Kind::Joined,
                    "a byte order mark in the middle: two files seem to be joined here; give them one by one",
                );
                return Some(Ok(Piece { line, object: Err(fault) }));
            }
            if !text.is_empty() {
                return Some(Ok(Piece { line, object: Object::read(text) }));
            }
        }
        None
    }
}
