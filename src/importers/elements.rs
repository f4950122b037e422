//! The elements of a JSON list, one at a time, so that a list of any length needs no more memory than its longest element.

use std::io::{self, BufRead};

/// The longest element that is read; MongoDB stores no document above 16 MiB.
pub(super) const MAX_ELEMENT_BYTES: usize = 16 << 20;

const UTF16_MARKS: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Why there is no element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Damage {
    /// This one cannot be read; the next may.
    Element(u64, String),
    /// Nothing can be read from here on.
    Rest(String),
}

/// Elements of the one list that a source holds, or of the list that a member of its object holds.
#[derive(Debug)]
pub(super) struct JsonElements<R> {
    source: R,
    /// Names of members that may hold the list, if the source holds an object.
    members: &'static [&'static str],
    state: State,
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    NotBegun,
    Within,
    /// What follows the list is still to be read.
    Read,
    Over,
}

impl<R: BufRead> JsonElements<R> {
    pub(super) const fn new(source: R, members: &'static [&'static str]) -> Self {
        Self { source, members, state: State::NotBegun, number: 0 }
    }

    fn begin(&mut self) -> Result<(), String> {
        let head = self.source.fill_buf().map_err(|error| unreadable(&error))?;
        if UTF16_MARKS.iter().any(|mark| head.starts_with(mark)) || (head.len() > 1 && (head[0] == 0) != (head[1] == 0))
        {
            return Err("It is UTF-16; only UTF-8 can be read.".to_owned());
        }
        if head.starts_with(BYTE_ORDER_MARK) {
            self.source.consume(BYTE_ORDER_MARK.len());
        }
        match self.next_token()? {
            Some(b'[') => Ok(()),
            Some(b'{') => self.find_member(),
            Some(_) => Err("It holds no JSON list.".to_owned()),
            None => Err("It is empty.".to_owned()),
        }
    }

    /// Goes to the list that one of the known members of an object holds.
    fn find_member(&mut self) -> Result<(), String> {
        let none = || "It holds a JSON object where a list is needed.".to_owned();
        let mut name = Vec::new();
        loop {
            match self.next_token()? {
                Some(b'"') => {}
                Some(b',') => continue,
                _ => return Err(none()),
            }
            name.clear();
            // Names that matter hold no escapes.
            while let Some(byte) = self.next_byte()?.filter(|byte| *byte != b'"') {
                if name.len() < MAX_ELEMENT_BYTES {
                    name.push(byte);
                }
            }
            if self.next_token()? != Some(b':') {
                return Err(none());
            }
            if self.members.iter().any(|member| member.as_bytes() == name) {
                return if self.next_token()? == Some(b'[') { Ok(()) } else { Err(none()) };
            }
            let mut value = Vec::new();
            if self.scan(&mut value)?.end != b',' {
                return Err(none());
            }
        }
    }

    fn next_byte(&mut self) -> Result<Option<u8>, String> {
        let byte = self.source.fill_buf().map_err(|error| unreadable(&error))?.first().copied();
        if byte.is_some() {
            self.source.consume(1);
        }
        Ok(byte)
    }

    /// The next byte that is no white space.
    fn next_token(&mut self) -> Result<Option<u8>, String> {
        loop {
            match self.next_byte()? {
                Some(byte) if byte.is_ascii_whitespace() => {}
                byte => return Ok(byte),
            }
        }
    }

    /// Copies a value up to the comma or bracket after it, which is passed.
    fn scan(&mut self, value: &mut Vec<u8>) -> Result<Scanned, String> {
        let mut depth = 0_u32;
        let mut quoted = false;
        let mut escaped = false;
        let mut too_long = false;
        loop {
            let buffer = self.source.fill_buf().map_err(|error| unreadable(&error))?;
            if buffer.is_empty() {
                return Err("It ends in the middle of its list.".to_owned());
            }
            let end = buffer.iter().position(|byte| {
                if quoted {
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => quoted = false,
                        _ => {}
                    }
                    return false;
                }
                match byte {
                    b'"' => quoted = true,
                    b'[' | b'{' => depth += 1,
                    b',' | b']' | b'}' if depth == 0 => return true,
                    b']' | b'}' => depth -= 1,
                    _ => {}
                }
                false
            });
            let taken = end.unwrap_or(buffer.len());
            too_long |= value.len() + taken > MAX_ELEMENT_BYTES;
            if !too_long {
                value.extend_from_slice(&buffer[..taken]);
            }
            let end_byte = end.map(|at| buffer[at]);
            self.source.consume(end.map_or(taken, |at| at + 1));
            if let Some(end) = end_byte {
                return Ok(Scanned { end, too_long });
            }
        }
    }
}

struct Scanned {
    end: u8,
    too_long: bool,
}

/// The number of an element, counted from 1, and its JSON.
pub(super) type JsonElement = (u64, Vec<u8>);

impl<R: BufRead> Iterator for JsonElements<R> {
    type Item = Result<JsonElement, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::NotBegun {
            self.state = State::Within;
            if let Err(reason) = self.begin() {
                self.state = State::Over;
                return Some(Err(Damage::Rest(reason)));
            }
        }
        match self.state {
            State::Over => return None,
            State::Read => return self.rest_is_read(),
            State::NotBegun | State::Within => {}
        }
        let mut value = Vec::new();
        match self.scan(&mut value) {
            Err(reason) => {
                self.state = State::Over;
                Some(Err(Damage::Rest(reason)))
            }
            Ok(scanned) => {
                if scanned.end != b',' {
                    self.state = State::Read;
                    if !scanned.too_long && value.iter().all(u8::is_ascii_whitespace) {
                        return self.rest_is_read();
                    }
                }
                self.number += 1;
                Some(if scanned.too_long {
                    let reason = format!("It is longer than {MAX_ELEMENT_BYTES} bytes.");
                    Err(Damage::Element(self.number, reason))
                } else {
                    Ok((self.number, value))
                })
            }
        }
    }
}

impl<R: BufRead> JsonElements<R> {
    /// Reads what follows the list, so that the source can check itself at its end.
    fn rest_is_read(&mut self) -> Option<Result<JsonElement, Damage>> {
        self.state = State::Over;
        loop {
            match self.source.fill_buf() {
                Ok([]) => return None,
                Ok(buffer) => {
                    let length = buffer.len();
                    self.source.consume(length);
                }
                Err(error) => return Some(Err(Damage::Rest(unreadable(&error)))),
            }
        }
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("It cannot be read: {error}.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn read(text: &[u8]) -> Vec<Result<JsonElement, Damage>> {
        // A small buffer, so that values lie across its ends.
        JsonElements::new(io::BufReader::with_capacity(3, text), &["members"]).collect()
    }

    fn values(text: &str) -> Vec<String> {
        read(text.as_bytes()).into_iter().map(|element| String::from_utf8(element.unwrap().1).unwrap()).collect()
    }

    #[test]
    fn elements_come_one_by_one() {
        assert_eq!(values(r#" [ {"a":"]},\""} ,[1,2], null]"#), [r#" {"a":"]},\""} "#, "[1,2]", " null"]);
        assert!(values("\u{feff}[]").is_empty());
        assert_eq!(values(r#"{"ok":true,"x":{"members":[0]},"members":[1,2]}"#), ["1", "2"]);
    }

    #[test]
    fn what_is_no_list_says_so() {
        let reason = |bytes: &[u8]| match read(bytes).pop() {
            Some(Err(Damage::Rest(reason))) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(b""), "It is empty.");
        assert_eq!(reason(b"{}"), "It holds a JSON object where a list is needed.");
        assert_eq!(reason(b"<html>"), "It holds no JSON list.");
        assert_eq!(reason(b"\xff\xfe[\0]\0"), "It is UTF-16; only UTF-8 can be read.");
        assert_eq!(reason(br#"[{"a":1},{"b":"#), "It ends in the middle of its list.");
        assert_eq!(read(br#"[{"a":1},{"b":"#).len(), 2, "what comes before is read");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
        }

        #[test]
        fn what_is_written_is_read(texts in prop::collection::vec(".*", 0..10)) {
            let list = serde_json::to_vec(&texts).unwrap();
            let found: Vec<Value> =
                read(&list).into_iter().map(|element| serde_json::from_slice(&element.unwrap().1).unwrap()).collect();
            prop_assert_eq!(found, texts.into_iter().map(Value::from).collect::<Vec<_>>());
        }
    }
}
