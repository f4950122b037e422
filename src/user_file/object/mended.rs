//! Texts of the list of bad lines, read again once they are mended.

use super::{
    super::problem::{Fault, Kind},
    Object, Piece,
    broken::{Broken, LINE, ORIGINAL, REASON},
    ldif::Ldif,
};

/// Beginnings of lines that entries of a directory have, in lower case.
const MARKS_OF_LDIF: [&str; 2] = ["dn:", "objectclass:"];

impl Object {
    /// The object, or that of the text in it, if it is an entry of the list of bad lines.
    pub(super) fn out_of_list(self) -> Result<Self, Broken> {
        let is_listed = self.0.len() == 3 && [LINE, REASON].iter().all(|name| self.get(name).is_some());
        let original = self.get(ORIGINAL).filter(|_| is_listed);
        let Some(text) = original.and_then(|text| serde_json::from_str::<String>(text.get()).ok()) else {
            return Ok(self);
        };
        mended(text.trim()).map_err(|Fault { kind, reason }| {
            Broken::new(Fault::new(kind, format!("original is still broken: {reason}")), &text)
        })
    }
}

/// Reads what was broken.
fn mended(text: &str) -> Result<Object, Fault> {
    let begins = |line: &str, mark: &str| line.get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark));
    let is_ldif = text.lines().any(|line| MARKS_OF_LDIF.iter().any(|mark| begins(line, mark)));
    if text.starts_with('{') || !is_ldif {
        return Object::read(text);
    }
    let mut entries = Ldif::new(text.as_bytes());
    match (entries.next(), entries.next()) {
        (Some(Ok(Piece { object, .. })), None) => object.map_err(|broken| broken.fault),
        (Some(Err(problem)), _) => Err(Fault::new(problem.kind, problem.reason)),
        _ => Err(Fault::new(Kind::Syntax, "it must be one entry, without an empty line in it")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::broken::KEPT_BYTES, *};

    fn read(text: &str) -> Result<String, Broken> {
        Piece::read(1, text).object.map(|object| serde_json::to_string(&object).unwrap())
    }

    fn listed(broken: &Broken) -> String {
        serde_json::to_string(&broken.text.listed(7, &broken.fault.reason).unwrap()).unwrap()
    }

    #[test]
    fn what_is_broken_is_listed_as_it_is_and_read_once_it_is_mended() {
        for (text, mended) in
            [("{\"a\":\"é\\u00e9\"", "{\"a\":\"é\\u00e9\"}"), ("7", "{\"a\":7}"), ("", "{}"), ("a\":1}", "{\"a\":1}")]
        {
            let broken = read(text).unwrap_err();
            let list = listed(&broken);
            let again = read(&list).unwrap_err();
            assert!(again.fault.reason.starts_with("original is still broken: "), "{again:?}");
            assert_eq!(again.text.text, text, "the text never grows");
            let list = list.replace(&serde_json::to_string(text).unwrap(), &serde_json::to_string(mended).unwrap());
            assert_eq!(read(&list).unwrap(), mended);
        }
    }

    #[test]
    fn an_entry_of_a_directory_is_read_out_of_the_list() {
        let listed = |text: &str| serde_json::json!({ "line": 1, "reason": "", "original": text }).to_string();
        assert_eq!(read(&listed("dn: uid=a\ncn: A")).unwrap(), "{\"dn\":\"uid=a\",\"cn\":\"A\"}");
        for (text, words) in [
            ("x\nobjectClass: person", "line 1 is no attribute"),
            ("dn: uid=a\n\ndn: uid=b", "it must be one entry"),
            ("dn: uid=a\ncn:: *", "is not valid Base64"),
        ] {
            let reason = read(&listed(text)).unwrap_err().fault.reason;
            assert!(reason.contains(words), "{reason}");
        }
    }

    #[test]
    fn other_objects_with_such_names_stay_as_they_are() {
        for text in [
            "{\"line\":1,\"reason\":\"x\",\"original\":7}",
            "{\"line\":1,\"reason\":\"x\",\"original\":\"{}\",\"username\":\"ann\"}",
            "{\"original\":\"{}\"}",
        ] {
            assert_eq!(read(text).unwrap(), text);
        }
    }

    #[test]
    fn of_a_long_text_the_beginning_is_kept_and_that_is_said() {
        let broken = read(&format!("{{\"a\":\"{}", "é".repeat(KEPT_BYTES))).unwrap_err();
        assert!(broken.text.text.len() <= KEPT_BYTES && broken.text.text.len() > KEPT_BYTES - 4);
        assert!(listed(&broken).contains("original holds its beginning only"), "{broken:?}");
    }
}
