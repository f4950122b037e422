//! Objects of JSON arrays, of answers whose `users` or `members` is one, and objects one after another.
//!
//! Cuts the text at brackets, an object at a time in memory, and leaves it to `serde_json` to read each.

use std::io::BufRead;

use serde_json::Value;

use super::{
    super::{
        input::unreadable,
        problem::{Fault, Kind, Problem},
    },
    MAX_OBJECT_BYTES, MEND_JSON, Piece,
};

/// Members of an answer that hold the users.
const LISTS: [&str; 2] = ["users", "members"];
const MARK: &[u8] = "\u{feff}".as_bytes();

pub(in super::super) struct Values<R> {
    source: R,
    line: u64,
    is_after_return: bool,
    place: Place,
    pages: Pages,
}

/// The answers that hold a part of a list each. All pages of it may follow one another.
#[derive(Debug, Default)]
struct Pages {
    /// The line behind the list of the first.
    line: Option<u64>,
    elements: u64,
    total: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Before a value that nothing is around. `after` another one or as the first.
    Top {
        after: bool,
    },
    /// In a list, before its first element or behind another one.
    List {
        answer: Option<Answer>,
        is_first: bool,
    },
    End,
}

/// The answer that a list is a member of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    /// Its text before the list.
    before: String,
    elements: u64,
}

enum Cut {
    Whole(Vec<u8>),
    /// The text before the list of an answer. The list's first bracket is read.
    Answer(Vec<u8>),
}

impl<R: BufRead> Values<R> {
    pub(in super::super) fn new(source: R) -> Self {
        Self { source, line: 1, is_after_return: false, place: Place::Top { after: false }, pages: Pages::default() }
    }

    fn peek(&mut self) -> Result<Option<u8>, Problem> {
        let line = self.line;
        self.source.fill_buf().map(|buffer| buffer.first().copied()).map_err(|error| unreadable(line, &error))
    }

    fn take(&mut self, byte: u8) {
        self.source.consume(1);
        if byte == b'\r' || (byte == b'\n' && !self.is_after_return) {
            self.line += 1;
        }
        self.is_after_return = byte == b'\r';
    }

    /// The next byte that is no blank. It is not taken.
    fn next_sign(&mut self) -> Result<Option<u8>, Problem> {
        loop {
            match self.peek()? {
                Some(byte) if byte.is_ascii_whitespace() => self.take(byte),
                found => return Ok(found),
            }
        }
    }

    fn broken(&self, what: &str) -> Problem {
        Problem::fatal(self.line, Fault::new(Kind::Syntax, format!("not valid JSON: {what}: {MEND_JSON}")))
    }

    /// Cuts a value out. With `seek_list` it stops where the list of an answer begins.
    fn cut(&mut self, seek_list: bool) -> Result<Cut, Problem> {
        let first_line = self.line;
        let mut text = Vec::new();
        let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
        loop {
            let Some(byte) = self.peek()? else {
                if depth == 0 && !is_text && !text.is_empty() {
                    return Ok(Cut::Whole(text));
                }
                return Err(self.broken(&format!("the file ends within what begins on line {first_line}")));
            };
            if is_text {
                (is_text, is_escaped) = (is_escaped || byte != b'"', !is_escaped && byte == b'\\');
            } else {
                match byte {
                    b'"' => is_text = true,
                    b'[' if seek_list && depth == 1 && ends_with_list_name(&text) => {
                        self.take(byte);
                        return Ok(Cut::Answer(text));
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return Ok(Cut::Whole(text)),
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
            }
            let ends = depth == 0 && !is_text && matches!(byte, b'}' | b']');
            self.take(byte);
            text.push(byte);
            if ends {
                return Ok(Cut::Whole(text));
            }
            if text.len() > MAX_OBJECT_BYTES {
                let fault = Fault::new(Kind::TooLarge, "more than 16 MiB without an end, which no user can be");
                return Err(Problem::fatal(first_line, fault));
            }
        }
    }

    fn at_top(&mut self, after: bool) -> Result<Option<Piece>, Problem> {
        match self.next_sign()? {
            None if after => {
                self.place = Place::End;
                self.end_pages().map(|()| None)
            }
            None => Err(Problem::fatal(1, Fault::new(Kind::OtherFile, "the file is empty"))),
            Some(b'[') => {
                self.take(b'[');
                self.place = Place::List { answer: None, is_first: true };
                Ok(None)
            }
            Some(b'{') => {
                let line = self.line;
                match self.cut(true)? {
                    Cut::Whole(text) => {
                        self.place = Place::Top { after: true };
                        Ok(Some(piece(line, &text)))
                    }
                    Cut::Answer(before) => {
                        let before = String::from_utf8_lossy(&before).into_owned();
                        self.place = Place::List { answer: Some(Answer { before, elements: 0 }), is_first: true };
                        Ok(None)
                    }
                }
            }
            Some(byte) if byte == MARK[0] => Err(Problem::fatal(
                self.line,
                Fault::new(
                    Kind::Joined,
                    "a byte order mark in the middle: two files seem to be joined here; give them one by one",
                ),
            )),
            Some(_) => Err(self.broken("neither an array nor an object begins here")),
        }
    }

    fn in_list(&mut self, mut answer: Option<Answer>, is_first: bool) -> Result<Option<Piece>, Problem> {
        let mut sign = self.next_sign()?;
        if sign == Some(b',') && !is_first {
            self.take(b',');
            sign = self.next_sign()?;
            if sign == Some(b']') {
                return Err(self.broken("a comma with nothing behind it"));
            }
        } else if sign.is_some_and(|sign| sign != b']') && !is_first {
            return Err(self.broken("a comma is missing between two users"));
        }
        match sign {
            None => Err(self.broken("the list of users is never closed")),
            Some(b']') => {
                self.take(b']');
                self.place = Place::Top { after: true };
                answer.map_or(Ok(None), |answer| self.end_answer(&answer).map(|()| None))
            }
            Some(_) => {
                let line = self.line;
                let Cut::Whole(text) = self.cut(false)? else { return Ok(None) };
                if text.is_empty() {
                    return Err(self.broken("a user is missing"));
                }
                if let Some(answer) = &mut answer {
                    answer.elements += 1;
                }
                self.place = Place::List { answer, is_first: false };
                Ok(Some(piece(line, &text)))
            }
        }
    }

    /// Looks whether the pages make a whole list.
    ///
    /// # Errors
    /// When there are more users than they hold, which is a warning.
    fn end_pages(&mut self) -> Result<(), Problem> {
        let Pages { line, elements, total } = std::mem::take(&mut self.pages);
        let Some(line) = line.filter(|_| elements < total) else { return Ok(()) };
        let reason = format!(
            "the answer holds {elements} of {total} users: fetch the others too, with the parameters offset and count"
        );
        Err(Problem::warning(line, Fault::new(Kind::Incomplete, reason)))
    }

    /// Reads the rest of an answer behind its list.
    ///
    /// # Errors
    /// When it is broken.
    fn end_answer(&mut self, answer: &Answer) -> Result<(), Problem> {
        let line = self.line;
        // The list is replaced by a number, and the answer is then read as a whole.
        let mut text = format!("{}0", answer.before);
        let (mut is_text, mut is_escaped, mut depth) = (false, false, 1_usize);
        while depth > 0 {
            let Some(byte) = self.peek()? else { return Err(self.broken("the file ends in the middle")) };
            match byte {
                b'"' if !is_escaped => is_text = !is_text,
                b'{' | b'[' if !is_text => depth += 1,
                b'}' | b']' if !is_text => depth -= 1,
                _ => {}
            }
            is_escaped = is_text && !is_escaped && byte == b'\\';
            self.take(byte);
            text.push(char::from(byte));
            if text.len() > MAX_OBJECT_BYTES {
                return Err(self.broken("too much stands behind the list of users"));
            }
        }
        let answer_body: Value =
            serde_json::from_str(&text).map_err(|_| self.broken("what stands round the list of users is broken"))?;
        let total = answer_body["total"].as_u64().unwrap_or_default();
        if total > answer.elements {
            self.pages.line.get_or_insert(line);
            self.pages.elements += answer.elements;
            self.pages.total = self.pages.total.max(total);
        }
        Ok(())
    }
}

impl<R: BufRead> Iterator for Values<R> {
    type Item = Result<Piece, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let result = match std::mem::replace(&mut self.place, Place::End) {
                Place::Top { after } => self.at_top(after),
                Place::List { answer, is_first } => self.in_list(answer, is_first),
                Place::End => return None,
            };
            match result {
                Ok(None) => {}
                Ok(Some(piece)) => return Some(Ok(piece)),
                Err(problem) => return Some(Err(problem)),
            }
        }
    }
}

fn piece(line: u64, text: &[u8]) -> Piece {
    Piece::read(line, &String::from_utf8_lossy(text))
}

fn ends_with_list_name(text: &[u8]) -> bool {
    let Some(name) = text.trim_ascii_end().strip_suffix(b":") else { return false };
    let name = name.trim_ascii_end();
    LISTS.iter().any(|list| name.ends_with(format!("\"{list}\"").as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Vec<Result<Piece, Problem>> {
        Values::new(text.as_bytes()).collect()
    }

    fn lines(text: &str) -> Vec<u64> {
        read(text)
            .into_iter()
            .map(|piece| piece.map_or_else(|problem| problem.line.unwrap(), |piece| piece.line))
            .collect()
    }

    #[test]
    fn arrays_answers_and_objects_are_cut_with_their_lines() {
        for text in [
            "[\n {\"a\": \"]}\\\"{\"},\n\n {\"b\": [1, {}]}\n]",
            "{\"ok\":true, \"users\" : [\n{},\n\n{\"users\":[]}],\"total\":2, \"x\":[\"]\"]}",
            "{\n}{\"a\"\n:\n{}}\r\n\r\n{}",
        ] {
            let found = read(text);
            assert!(found.iter().all(|piece| piece.as_ref().is_ok_and(|piece| piece.object.is_ok())), "{found:?}");
        }
        assert_eq!(lines("[\n {\"a\": 1},\n\n 3\n]"), [2, 4]);
        assert_eq!(lines("{\n}{\"a\"\n:1}\r\n\r\n{}\r{}"), [1, 2, 5, 6]);
    }

    #[test]
    fn json_that_is_broken_ends_with_the_line() {
        for (text, line) in [
            ("[\n{\"email\": ", 2),
            ("", 1),
            ("[{}\n", 2),
            ("12", 1),
            ("[{},]", 1),
            ("[{}\n{}]", 2),
            ("[{}]\n\u{feff}[{}]", 2),
            ("{\"users\":[]", 1),
        ] {
            let problem = read(text).pop().unwrap().unwrap_err();
            assert_eq!(problem.line, Some(line), "{text}: {problem}");
        }
    }

    #[test]
    fn an_answer_that_is_one_page_of_several_is_a_warning() {
        let found = read("{\"users\":[{}],\"count\":1,\"total\":312,\"success\":true}");
        assert!(found[1].as_ref().unwrap_err().reason.contains("holds 1 of 312"), "{found:?}");
    }

    #[test]
    fn pages_that_hold_the_whole_list_together_are_no_warning() {
        let page = "{\"users\":[{},{}],\"count\":2,\"total\":5}\n";
        let last = "{\"users\":[{}],\"count\":1,\"total\":5}\n";
        let whole = read(&[page, page, last].concat());
        assert!(whole.len() == 5 && whole.iter().all(Result::is_ok), "{whole:?}");
        let found = read(&[page, page].concat());
        assert!(found[4].as_ref().unwrap_err().reason.contains("holds 4 of 5"), "{found:?}");
        assert_eq!(found[4].as_ref().unwrap_err().line, Some(1), "{found:?}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_cutter_panic_or_turn_round(text in "[\\[\\]{},:\"\\\\ausers\n]{0,60}") {
            let last = text.matches('\n').count() as u64 + 1;
            for line in lines(&text) {
                prop_assert!(line <= last);
            }
        }

        #[test]
        fn users_in_an_array_and_one_after_another_are_the_same(names in prop::collection::vec(".*", 1..10)) {
            let users: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
            let text = |found: &str| read(found).into_iter()
                .map(|piece| serde_json::to_string(&piece.unwrap().object.unwrap()).unwrap()).collect::<Vec<_>>();
            let expected: Vec<String> = users.iter().map(Value::to_string).collect();
            prop_assert_eq!(text(&Value::from(users.clone()).to_string()), expected.clone());
            prop_assert_eq!(text(&expected.join("\n")), expected.clone());
            prop_assert_eq!(text(&json!({ "members": users }).to_string()), expected);
        }
    }
}
