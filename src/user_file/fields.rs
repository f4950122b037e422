//! The fields of a user as `import.addUsers` takes them, and how a file's values become them.

use serde_json::{Map, Number, Value};

/// A user as it is sent.
pub(crate) type User = Map<String, Value>;

pub(super) const EMAILS: &str = "emails";
pub(super) const IMPORT_IDS: &str = "importIds";
pub(super) const USERNAME: &str = "username";

/// Between the values of one cell.
const LIST_SEPARATOR: char = ';';
/// How alike two names have to be for one to be offered for the other, from 0 to 1.
const LIKENESS: f64 = 0.75;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Texts,
    Number,
    Boolean,
}

/// A field of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

const FIELDS: [Field; 12] = [
    Field { name: USERNAME, kind: Kind::Text },
    Field { name: EMAILS, kind: Kind::Texts },
    Field { name: IMPORT_IDS, kind: Kind::Texts },
    Field { name: "name", kind: Kind::Text },
    Field { name: "roles", kind: Kind::Texts },
    Field { name: "password", kind: Kind::Text },
    Field { name: "type", kind: Kind::Text },
    Field { name: "deleted", kind: Kind::Boolean },
    Field { name: "utcOffset", kind: Kind::Number },
    Field { name: "bio", kind: Kind::Text },
    Field { name: "statusText", kind: Kind::Text },
    Field { name: "avatarUrl", kind: Kind::Text },
];

/// Names of the singular, for files that hold one of each.
const ALIASES: [(&str, &str); 2] = [("email", EMAILS), ("importId", IMPORT_IDS)];

impl Field {
    /// The field a column or key of this name stands for.
    ///
    /// # Errors
    /// When there is none, with the name that may be meant.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let meant = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, field)| field);
        FIELDS.into_iter().find(|field| field.name == meant).ok_or_else(|| match similar_to(name) {
            Some(similar) => format!("unknown column {name:?}, did you mean {similar:?}?"),
            None => format!("unknown column {name:?}"),
        })
    }

    /// The value of a CSV cell that is not empty.
    ///
    /// # Errors
    /// With what is wrong about it.
    pub(super) fn read_cell(self, cell: &str) -> Result<Value, String> {
        Ok(match self.kind {
            Kind::Text => Value::from(cell),
            Kind::Texts => {
                let values = cell.split(LIST_SEPARATOR).map(str::trim).filter(|value| !value.is_empty());
                values.map(Value::from).collect()
            }
            Kind::Number => {
                let number = cell.trim().parse().ok().and_then(Number::from_f64);
                Value::Number(number.ok_or_else(|| format!("{} must be a number, not {cell:?}", self.name))?)
            }
            Kind::Boolean => match cell.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Value::Bool(true),
                "false" | "no" | "0" => Value::Bool(false),
                _ => return Err(format!("{} must be true or false, not {cell:?}", self.name)),
            },
        })
    }

    /// A JSON value, checked. `null` stands for nothing; a single value may stand for a list of one.
    ///
    /// # Errors
    /// With what is wrong about it.
    pub(super) fn check(self, value: Value) -> Result<Value, String> {
        let wrong = |expected: &str, value: &Value| Err(format!("{} must be {expected}, not {value}", self.name));
        match (self.kind, value) {
            (_, Value::Null) => Ok(Value::Null),
            (Kind::Text, value @ Value::String(_))
            | (Kind::Number, value @ Value::Number(_))
            | (Kind::Boolean, value @ Value::Bool(_)) => Ok(value),
            (Kind::Texts, Value::Array(values)) => {
                values.into_iter().map(|value| self.check_element(value)).collect::<Result<Value, _>>()
            }
            (Kind::Texts, value @ (Value::String(_) | Value::Number(_))) => {
                Ok(Value::from(vec![self.check_element(value)?]))
            }
            // It may be the value of a password's neighbour, but is never shown if it is the password's.
            (Kind::Text, _) if self.name == "password" => Err("password must be a text".to_owned()),
            (Kind::Text, value) => wrong("a text", &value),
            (Kind::Number, value) => wrong("a number", &value),
            (Kind::Boolean, value) => wrong("true or false", &value),
            (Kind::Texts, value) => wrong("a list of texts", &value),
        }
    }

    fn check_element(self, value: Value) -> Result<Value, String> {
        match value {
            Value::String(_) => Ok(value),
            // Ids are numbers in many a directory.
            Value::Number(number) if self.name == IMPORT_IDS && !number.is_f64() => Ok(Value::from(number.to_string())),
            value => Err(format!("{} must be a list of texts, but holds {value}", self.name)),
        }
    }
}

fn similar_to(name: &str) -> Option<&'static str> {
    let folded = name.trim().to_lowercase();
    let names = FIELDS.iter().map(|field| field.name).chain(ALIASES.iter().map(|(alias, _)| *alias));
    let rated = names.map(|known| (strsim::jaro_winkler(&folded, &known.to_lowercase()), known));
    rated.filter(|(likeness, _)| *likeness >= LIKENESS).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// The texts of a list field that are not empty.
pub(super) fn texts_of<'a>(user: &'a User, field: &str) -> impl Iterator<Item = &'a str> {
    let values = user.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mistyped_name_is_answered_with_the_one_that_is_meant() {
        for (mistyped, meant) in
            [("emials", "emails"), ("Username", "username"), ("import_id", "importId"), ("utcofset", "utcOffset")]
        {
            assert!(Field::named(mistyped).unwrap_err().contains(&format!("did you mean {meant:?}?")), "{mistyped}");
        }
        assert_eq!(Field::named("qqq").unwrap_err(), r#"unknown column "qqq""#);
        assert_eq!(Field::named("email").unwrap().name, EMAILS);
    }

    #[test]
    fn json_values_are_checked() {
        let check = |name: &str, value: Value| Field::named(name).unwrap().check(value);
        assert_eq!(check("emails", json!("a@b.c")), Ok(json!(["a@b.c"])));
        assert_eq!(check("importIds", json!([12, "x"])), Ok(json!(["12", "x"])));
        for (name, value) in [
            ("emails", json!([1])),
            ("emails", json!({})),
            ("username", json!(12)),
            ("deleted", json!("yes")),
            ("utcOffset", json!("1")),
        ] {
            assert!(check(name, value.clone()).unwrap_err().starts_with(name), "{name}: {value}");
        }
        assert!(!check("password", json!(271_828)).unwrap_err().contains("271828"));
    }

    proptest! {
        #[test]
        fn a_cell_never_panics_and_a_list_never_holds_an_empty_text(cell in ".*") {
            for field in FIELDS {
                if let Ok(Value::Array(values)) = field.read_cell(&cell) {
                    prop_assert!(values.iter().all(|value| !value.as_str().unwrap().is_empty()));
                }
            }
        }
    }
}
