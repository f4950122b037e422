//! The fields of a user as `import.addUsers` takes them, and how a file's values become them.

use serde_json::{Map, Number, Value, value::RawValue};

use super::problem::{Fault, Kind as ProblemKind, quoted, trimmed};
use crate::domain::shown_value::shown;

/// A user as it is sent.
pub(crate) type User = Map<String, Value>;

pub(super) const EMAILS: Field = Field { name: "emails", kind: Kind::Texts };
pub(super) const IMPORT_IDS: Field = Field { name: "importIds", kind: Kind::Texts };
pub(super) const USERNAME: Field = Field { name: "username", kind: Kind::Text };
pub(super) const NAME: Field = Field { name: "name", kind: Kind::Text };
pub(super) const ROLES: Field = Field { name: "roles", kind: Kind::Texts };
pub(super) const PASSWORD: Field = Field { name: "password", kind: Kind::Text };
pub(super) const TYPE: Field = Field { name: "type", kind: Kind::Text };
pub(super) const DELETED: Field = Field { name: "deleted", kind: Kind::Boolean };
pub(super) const UTC_OFFSET: Field = Field { name: "utcOffset", kind: Kind::Number };
pub(super) const BIO: Field = Field { name: "bio", kind: Kind::Text };
pub(super) const STATUS_TEXT: Field = Field { name: "statusText", kind: Kind::Text };
pub(super) const REQUIRE_PASSWORD_CHANGE: Field = Field { name: "requirePasswordChange", kind: Kind::Boolean };
pub(super) const CHANNELS: Field = Field { name: "channels", kind: Kind::Texts };
pub(super) const AVATAR_URL: Field = Field { name: "avatarUrl", kind: Kind::Text };
pub(super) const CUSTOM_FIELDS: Field = Field { name: "customFields", kind: Kind::Object };

/// The member that holds a password's hash.
pub(super) const SERVICES: &str = "services";

/// Between the values of one cell.
const SEPARATOR: char = ';';
/// Besides, between addresses and between roles, which cannot hold them.
const MORE_SEPARATORS: [char; 3] = [',', '|', '\n'];
/// The members of an object that stands for an address or an id.
const TEXT_MEMBERS: [&str; 5] = ["address", "value", "$oid", "$numberLong", "$numberInt"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Texts,
    Number,
    Boolean,
    /// The fields of a workspace; a cell has them as JSON.
    Object,
}

/// A field of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

pub(super) const FIELDS: [Field; 15] = [
    USERNAME,
    EMAILS,
    IMPORT_IDS,
    NAME,
    ROLES,
    PASSWORD,
    REQUIRE_PASSWORD_CHANGE,
    TYPE,
    DELETED,
    UTC_OFFSET,
    BIO,
    STATUS_TEXT,
    CHANNELS,
    AVATAR_URL,
    CUSTOM_FIELDS,
];

/// How strictly a JSON value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typing {
    /// Values have the API's types.
    Strict,
    /// Texts stand for values of any type, and objects for the text within them.
    Loose,
}

impl Field {
    /// The field of this name, as the API spells it.
    pub(super) fn named(name: &str) -> Option<Self> {
        FIELDS.into_iter().find(|field| field.name == name)
    }

    /// The value of a cell; none for an empty one.
    ///
    /// # Errors
    /// With the fault of the value.
    pub(super) fn read_cell(self, cell: &str) -> Result<Option<Value>, Fault> {
        if self == PASSWORD {
            return Ok((!cell.is_empty()).then(|| Value::from(cell)));
        }
        let text = trimmed(cell);
        if text.is_empty() {
            return Ok(None);
        }
        let value =
            match self.kind {
                Kind::Text => Value::from(self.sound(text)?),
                Kind::Texts => {
                    let has_more = self == EMAILS || self == ROLES || self == CHANNELS;
                    let separates = |sign: char| sign == SEPARATOR || (has_more && MORE_SEPARATORS.contains(&sign));
                    let values = text.split(separates).map(trimmed).filter(|value| !value.is_empty());
                    Value::Array(values.map(|value| self.sound(value).map(Value::from)).collect::<Result<_, _>>()?)
                }
                Kind::Number => {
                    let number = text.parse().ok().and_then(Number::from_f64);
                    let wrong = || self.wrong(&format!("a number such as 5.5, not {}", quoted(text)));
                    Value::Number(number.ok_or_else(wrong)?)
                }
                Kind::Boolean => Value::Bool(boolean(text).ok_or_else(|| {
                    self.wrong(&format!("one of true, yes, 1, false, no and 0, not {}", quoted(text)))
                })?),
                Kind::Object => match serde_json::from_str(text) {
                    Ok(value @ Value::Object(_)) => value,
                    _ => return Err(self.wrong(&format!("an object of JSON, not {}", quoted(text)))),
                },
            };
        Ok(Some(value))
    }

    /// A JSON value, checked. `null` stands for nothing, and a single value for a list of one.
    ///
    /// # Errors
    /// With the fault of the value.
    pub(super) fn read_json(self, raw: &RawValue, typing: Typing) -> Result<Option<Value>, Fault> {
        let value: Value = serde_json::from_str(raw.get())
            .map_err(|error| Fault::new(ProblemKind::Syntax, format!("{} cannot be read: {error}", self.name)))?;
        match (self.kind, value) {
            (_, Value::Null) => Ok(None),
            (Kind::Object, value @ Value::Object(_))
            | (Kind::Number, value @ Value::Number(_))
            | (Kind::Boolean, value @ Value::Bool(_)) => Ok(Some(value)),
            (Kind::Texts, Value::Array(_)) => self.read_list(raw, typing),
            (_, Value::String(text)) if typing == Typing::Loose => self.read_cell(&text),
            (Kind::Text, Value::String(text)) if self == PASSWORD => Ok(Some(Value::from(text))),
            (Kind::Text, Value::String(text)) => Ok(Some(Value::from(self.sound(trimmed(&text))?))),
            (Kind::Texts, Value::String(_) | Value::Number(_)) => {
                Ok(self.read_element(raw, typing)?.map(|element| Value::from(vec![element])))
            }
            (Kind::Text, Value::Number(_)) if self != PASSWORD => self.read_element(raw, typing),
            (_, Value::Object(_)) if typing == Typing::Loose => Ok(self
                .read_element(raw, typing)?
                .map(|text| if self.kind == Kind::Texts { vec![text].into() } else { text })),
            (Kind::Text, _) if self == PASSWORD => Err(self.wrong("a text")),
            (kind, value) => {
                let expected = match kind {
                    Kind::Text => "a text",
                    Kind::Texts => "a list of texts",
                    Kind::Number => "a number",
                    Kind::Boolean => "true or false, without quotation marks",
                    Kind::Object => "an object",
                };
                Err(self.wrong(&format!("{expected}, not {}", shown(&value.to_string()))))
            }
        }
    }

    fn read_list(self, raw: &RawValue, typing: Typing) -> Result<Option<Value>, Fault> {
        let elements: Vec<&RawValue> = serde_json::from_str(raw.get())
            .map_err(|error| Fault::new(ProblemKind::Syntax, format!("{} cannot be read: {error}", self.name)))?;
        let mut texts = Vec::new();
        for element in elements {
            texts.extend(self.read_element(element, typing)?);
        }
        Ok((!texts.is_empty()).then(|| Value::Array(texts)))
    }

    /// A text, or an id with all its digits; none for one of blanks.
    fn read_element(self, raw: &RawValue, typing: Typing) -> Result<Option<Value>, Fault> {
        let wrong = || {
            let found = shown(raw.get());
            self.wrong(&match self.kind {
                Kind::Texts => format!("a list of texts, but holds {found}"),
                _ => format!("a text, not {found}"),
            })
        };
        let text = match serde_json::from_str(raw.get()) {
            Ok(Value::String(text)) => text,
            Ok(Value::Number(_)) if self != EMAILS && self != ROLES => {
                let digits = raw.get();
                if !digits.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(self.wrong(&format!("a text or a whole number, not {}", shown(digits))));
                }
                digits.to_owned()
            }
            Ok(Value::Object(object)) if typing == Typing::Loose => {
                let member = TEXT_MEMBERS.iter().find_map(|name| object.get(*name));
                member.and_then(Value::as_str).map(str::to_owned).ok_or_else(wrong)?
            }
            _ => return Err(wrong()),
        };
        let text = self.sound(trimmed(&text))?;
        Ok((!text.is_empty()).then(|| Value::from(text)))
    }

    /// A text that a spreadsheet has not damaged.
    fn sound(self, text: &str) -> Result<&str, Fault> {
        if text.contains('\0') {
            let expected = format!("without the character NUL, which no text may hold, not {}", quoted(text));
            return Err(self.wrong(&expected));
        }
        if FORMULA_ERRORS.contains(&text) {
            let reason = format!(
                "{} {} is the error of a formula: mend the formula, or enter the value",
                self.name,
                quoted(text)
            );
            return Err(Fault::new(ProblemKind::DamagedValue, reason));
        }
        if (self == IMPORT_IDS || self == USERNAME) && is_scientific(text) {
            let reason = format!(
                "{} {} is a number whose digits a spreadsheet has dropped: format its column as text and enter it again",
                self.name,
                quoted(text)
            );
            return Err(Fault::new(ProblemKind::DamagedValue, reason));
        }
        Ok(text)
    }

    pub(super) fn wrong(self, expected: &str) -> Fault {
        Fault::new(ProblemKind::Value, format!("{} must be {expected}", self.name))
    }
}

/// The cells of formulas that come to nothing, as spreadsheets show and export them.
const FORMULA_ERRORS: [&str; 7] = ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"];

/// A yes or a no of a cell.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Whether the text is a number as spreadsheets show long ones: `1.52E+03`.
fn is_scientific(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once("E+") else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(exponent) && is_number(&digits.replacen([',', '.'], "", 1))
}

/// The texts of a list field.
pub(super) fn texts_of(user: &User, field: Field) -> impl Iterator<Item = &str> {
    let values = user.get(field.name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(Value::as_str)
}

/// Returns the first import id, which no other user of the file has.
pub(crate) fn first_import_id(user: &User) -> Option<&str> {
    texts_of(user, IMPORT_IDS).next()
}

/// The text of a field.
pub(super) fn text_of(user: &User, field: Field) -> Option<&str> {
    user.get(field.name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{json, value::to_raw_value};

    use super::*;

    fn json_of(field: Field, value: &Value, typing: Typing) -> Result<Option<Value>, Fault> {
        field.read_json(&to_raw_value(value).unwrap(), typing)
    }

    #[test]
    fn json_values_are_checked() {
        let strict = |field, value| json_of(field, &value, Typing::Strict);
        assert_eq!(strict(EMAILS, json!("a@b.c")).unwrap(), Some(json!(["a@b.c"])));
        assert_eq!(strict(EMAILS, json!(["a@b.c", " ", ""])).unwrap(), Some(json!(["a@b.c"])));
        assert_eq!(strict(EMAILS, json!([" "])).unwrap(), None);
        assert_eq!(strict(IMPORT_IDS, json!([1523, "007"])).unwrap(), Some(json!(["1523", "007"])));
        assert_eq!(strict(USERNAME, json!(42)).unwrap(), Some(json!("42")));
        for (field, value) in [
            (EMAILS, json!([1])),
            (EMAILS, json!({})),
            (IMPORT_IDS, json!(1.5)),
            (USERNAME, json!([])),
            (DELETED, json!("False")),
            (UTC_OFFSET, json!("5,5")),
        ] {
            assert!(strict(field, value.clone()).unwrap_err().reason.starts_with(field.name), "{value}");
        }
        assert!(!strict(PASSWORD, json!(271_828)).unwrap_err().reason.contains("271828"));
    }

    #[test]
    fn ids_keep_every_digit() {
        let raw: Box<RawValue> = serde_json::from_str("[76561198000000001, 123456789012345678901234567890]").unwrap();
        let ids = IMPORT_IDS.read_json(&raw, Typing::Strict).unwrap();
        assert_eq!(ids, Some(json!(["76561198000000001", "123456789012345678901234567890"])));
        for damaged in ["1,52E+03", "7.6561198E+16"] {
            assert_eq!(IMPORT_IDS.read_cell(damaged).unwrap_err().kind, ProblemKind::DamagedValue);
        }
        assert!(IMPORT_IDS.read_cell("1E5").is_ok(), "an id may look like that");
    }

    #[test]
    fn blanks_round_each_value_of_a_cell_are_taken_off() {
        let ids = IMPORT_IDS.read_cell(" emp 1 ; 007;\u{a0}x\u{a0};\t; ").unwrap();
        assert_eq!(ids, Some(json!(["emp 1", "007", "x"])));
        assert_eq!(IMPORT_IDS.read_cell(" ; ;").unwrap(), Some(json!([])));
    }

    #[test]
    fn texts_stand_for_values_of_other_types_only_where_that_is_loose() {
        assert_eq!(json_of(DELETED, &json!("TRUE"), Typing::Loose).unwrap(), Some(json!(true)));
        let address = json!([{ "address": "a@b.c", "verified": true }]);
        assert_eq!(json_of(EMAILS, &address, Typing::Loose).unwrap(), Some(json!(["a@b.c"])));
        assert!(json_of(EMAILS, &address, Typing::Strict).is_err());
        let id = json!({ "$oid": "5f2b" });
        assert_eq!(json_of(IMPORT_IDS, &id, Typing::Loose).unwrap(), Some(json!(["5f2b"])));
    }

    #[test]
    fn a_cell_holds_the_fields_of_a_workspace_as_json() {
        let fields = json!({ "team": "sales", "desk": { "floor": 3, "tags": ["a;b", "=1"] } });
        assert_eq!(CUSTOM_FIELDS.read_cell(&fields.to_string()).unwrap(), Some(fields));
        assert_eq!(CUSTOM_FIELDS.read_cell(" ").unwrap(), None);
        for cell in ["sales", "[1]", "{oops", "7"] {
            let reason = CUSTOM_FIELDS.read_cell(cell).unwrap_err().reason;
            assert!(reason.starts_with("customFields must be an object of JSON"), "{reason}");
        }
    }

    proptest! {
        #[test]
        fn a_cell_never_panics_and_a_list_never_holds_an_empty_text(cell in ".*") {
            for field in FIELDS {
                if let Ok(Some(Value::Array(values))) = field.read_cell(&cell) {
                    prop_assert!(values.iter().all(|value| !value.as_str().unwrap().is_empty()));
                }
            }
        }
    }
}
