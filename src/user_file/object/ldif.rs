//! LDIF (RFC 2849): entries of a directory, as objects with a member for each attribute.

use std::io::BufRead;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::value::to_raw_value;

use super::{
    super::problem::{Fault, Kind, Problem, quoted},
    Broken, MAX_OBJECT_BYTES, Object, Piece,
    broken::KEPT_BYTES,
    text_lines::TextLines,
};

pub(in super::super) struct Ldif<R> {
    lines: TextLines<R>,
    /// A line that was read too far.
    ahead: Option<(u64, String)>,
    is_over: bool,
}

type Attributes = Vec<(String, Vec<String>)>;

impl<R: BufRead> Ldif<R> {
    pub(in super::super) fn new(source: R) -> Self {
        Self { lines: TextLines::new(source), ahead: None, is_over: false }
    }

    fn physical_line(&mut self) -> Result<Option<(u64, String)>, Problem> {
        if let Some(line) = self.ahead.take() {
            return Ok(Some(line));
        }
        let line = self.lines.next()?;
        Ok(line.map(|(line, text)| (line, String::from_utf8_lossy(text).into_owned())))
    }

    /// A line with those that continue it.
    fn logical_line(&mut self) -> Result<Option<(u64, String)>, Problem> {
        let Some((line, mut text)) = self.physical_line()? else { return Ok(None) };
        while let Some((next_line, next)) = self.physical_line()? {
            match next.strip_prefix(' ') {
                Some(more) if !text.is_empty() => text.push_str(more),
                _ => {
                    self.ahead = Some((next_line, next));
                    break;
                }
            }
            if text.len() > MAX_OBJECT_BYTES {
                return Err(Problem::fatal(line, Fault::new(Kind::TooLarge, "a value of more than 16 MiB")));
            }
        }
        Ok(Some((line, text)))
    }

    fn entry(&mut self) -> Result<Option<Piece>, Problem> {
        let mut attributes = Attributes::new();
        let mut first_line = 0;
        let mut fault = None;
        let mut bytes = 0;
        let mut original = String::new();
        while let Some((line, text)) = self.logical_line()? {
            if text.starts_with('#') {
                continue;
            }
            if text.is_empty() {
                if first_line > 0 {
                    break;
                }
                continue;
            }
            let attribute = text.split_once(':');
            if first_line == 0 && attribute.is_some_and(|(name, _)| name.eq_ignore_ascii_case("version")) {
                continue;
            }
            first_line = if first_line == 0 { line } else { first_line };
            if original.len() <= KEPT_BYTES {
                original.push_str(&text);
                original.push('\n');
            }
            let Some((name, value)) = attribute else {
                let reason =
                    format!("line {line} is no attribute with a value: {}; export the entry again", quoted(&text));
                fault.get_or_insert(Fault::new(Kind::Syntax, reason));
                continue;
            };
            bytes += text.len();
            if bytes > MAX_OBJECT_BYTES {
                return Err(Problem::fatal(first_line, Fault::new(Kind::TooLarge, "an entry of more than 16 MiB")));
            }
            match value_of(name, value) {
                Ok(Some(value)) => add(&mut attributes, name, value),
                Ok(None) => {}
                Err(found) => drop(fault.get_or_insert(found)),
            }
        }
        if first_line == 0 {
            return Ok(None);
        }
        let object = fault.map_or_else(|| object_of(attributes), Err);
        let object = object.map_err(|fault| Broken::new(fault, original.trim_end()));
        Ok(Some(Piece { line: first_line, object }))
    }
}

impl<R: BufRead> Iterator for Ldif<R> {
    type Item = Result<Piece, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let entry = self.entry();
        self.is_over = !matches!(entry, Ok(Some(_)));
        entry.transpose()
    }
}

/// The value of an attribute; none for one with options such as `cn;lang-ja`, which is another form of the value.
fn value_of(name: &str, value: &str) -> Result<Option<String>, Fault> {
    if name.eq_ignore_ascii_case("changetype") && value.trim() != "add" {
        let reason =
            format!("the entry is a change ({}), not a user: export the entries themselves", quoted(value.trim()));
        return Err(Fault::new(Kind::OtherFile, reason));
    }
    if name.contains(';') {
        return Ok(None);
    }
    if value.starts_with('<') {
        let reason = format!("{} refers to another place, which is not fetched: export the value itself", quoted(name));
        return Err(Fault::new(Kind::Value, reason));
    }
    let Some(coded) = value.strip_prefix(':') else { return Ok(Some(value.trim().to_owned())) };
    let bytes = BASE64_STANDARD.decode(coded.trim()).map_err(|_| {
        Fault::new(Kind::Syntax, format!("{} is not valid Base64: export the entry again", quoted(name)))
    })?;
    // Binary values, such as ids of Active Directory, are good as they are coded.
    Ok(Some(String::from_utf8(bytes).unwrap_or_else(|_| coded.trim().to_owned())))
}

fn add(attributes: &mut Attributes, name: &str, value: String) {
    match attributes.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((_, values)) => values.push(value),
        None => attributes.push((name.to_owned(), vec![value])),
    }
}

fn object_of(attributes: Attributes) -> Result<Object, Fault> {
    let members = attributes.into_iter().map(|(name, values)| {
        let value = if values.len() == 1 { to_raw_value(&values[0]) } else { to_raw_value(&values) };
        value.map(|value| (name, value)).map_err(|error| Fault::new(Kind::Syntax, error.to_string()))
    });
    members.collect::<Result<_, _>>().map(Object)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_are_unfolded_decoded_and_joined() {
        let text = "version: 1\n# who\n\ndn: uid=ann,dc=corp,\n dc=example\nuid: ann\ncn:: QW5uIEzDqWU=\ncn;lang-de: Anna\n\
                    mail: ann@corp.example\nmail: a@corp.example\n\n\ndn: uid=bea\nphoto:< file:///p.jpg\n";
        let pieces: Vec<Piece> = Ldif::new(text.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(pieces.iter().map(|piece| piece.line).collect::<Vec<_>>(), [4, 13]);
        assert_eq!(
            serde_json::to_string(pieces[0].object.as_ref().unwrap()).unwrap(),
            "{\"dn\":\"uid=ann,dc=corp,dc=example\",\"uid\":\"ann\",\"cn\":\"Ann Lée\",\
             \"mail\":[\"ann@corp.example\",\"a@corp.example\"]}"
        );
        assert!(pieces[1].object.as_ref().unwrap_err().fault.reason.contains("not fetched"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[dn:a\n #<;=]{0,80}") {
            Ldif::new(text.as_bytes()).for_each(drop);
        }
    }
}
