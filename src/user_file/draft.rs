//! One user, put together of the values of a record.

use serde_json::{Value, json, value::RawValue};

use super::{
    fields::{DELETED, Field, NAME, ROLES, SERVICES, TYPE, Typing, User, boolean},
    findings::Findings,
    problem::{Fault, Kind, quoted, trimmed},
    target::{Effect, Secret, Target},
};

/// Active Directory's flag of an account that is disabled.
const ACCOUNT_DISABLED: u64 = 2;
/// Length of a bcrypt text.
const BCRYPT_LENGTH: usize = 60;
const BCRYPT_START: &str = "$2b$10$";
/// A user that is being put together.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) user: User,
    fallbacks: Vec<(Field, Value)>,
    name_parts: [Option<String>; 2],
    pub(super) faults: Vec<Fault>,
}

impl Draft {
    pub(super) fn take_cell(&mut self, target: Target, cell: &str, findings: &mut Findings) {
        let text = trimmed(cell);
        match target {
            Target::Field(field) => self.found(field, field.read_cell(cell)),
            Target::Fallback(field) => self.found_fallback(field, field.read_cell(cell)),
            Target::Ignore | Target::Nested => {}
            _ if text.is_empty() => {}
            target => self.take_text(target, text, findings),
        }
    }

    pub(super) fn take_json(&mut self, target: Target, raw: &RawValue, typing: Typing, findings: &mut Findings) {
        match target {
            Target::Field(field) => self.found(field, field.read_json(raw, typing)),
            Target::Fallback(field) => self.found_fallback(field, field.read_json(raw, typing)),
            Target::Ignore | Target::Nested => {}
            Target::Secret(secret) => {
                if !matches!(raw.get(), "null" | "\"\"" | "[]" | "{}") {
                    findings.dropped(secret);
                }
            }
            target => match serde_json::from_str(raw.get()) {
                Ok(Value::Null) | Err(_) => {}
                Ok(Value::String(text)) if trimmed(&text).is_empty() => {}
                Ok(Value::String(text)) => self.take_text(target, trimmed(&text), findings),
                Ok(value @ (Value::Bool(_) | Value::Number(_))) => self.take_text(target, &value.to_string(), findings),
                // The first of several values that a directory may hold.
                Ok(Value::Array(values)) => {
                    if let Some(text) = values.first().and_then(Value::as_str) {
                        self.take_text(target, trimmed(text), findings);
                    }
                }
                Ok(Value::Object(_)) => {
                    self.faults.push(Fault::new(Kind::Value, "an object stands where a text belongs"));
                }
            },
        }
    }

    /// Takes a text that is not empty for a target that is no field.
    fn take_text(&mut self, target: Target, text: &str, findings: &mut Findings) {
        match target {
            Target::NamePart(part) => self.name_parts[part] = Some(text.to_owned()),
            Target::Active => match boolean(text) {
                Some(active) => self.put(DELETED, Value::Bool(!active)),
                None => self.faults.push(Fault::new(
                    Kind::Value,
                    format!("active must be one of true, yes, 1, false, no and 0, not {}", quoted(text)),
                )),
            },
            Target::DeletedAt => self.put(DELETED, Value::Bool(text != "0")),
            Target::AccountControl => {
                if let Ok(flags) = text.parse::<u64>() {
                    self.put(DELETED, Value::Bool(flags & ACCOUNT_DISABLED != 0));
                }
            }
            Target::Words(words) => {
                if let Some((_, effect)) = words.iter().find(|(word, _)| *word == text.to_lowercase()) {
                    self.apply(*effect);
                } else {
                    let known = words.iter().map(|(word, _)| *word).filter(|word| !word.is_empty());
                    let known = known.collect::<Vec<_>>().join(", ");
                    let reason = format!("the status {} is not known: it is one of {known}", quoted(text));
                    self.faults.push(Fault::new(Kind::Value, reason));
                }
            }
            Target::WordList(words) => {
                for text in text.split_whitespace() {
                    if let Some((_, effect)) = words.iter().find(|(word, _)| *word == text) {
                        self.apply(*effect);
                    }
                }
            }
            Target::Bcrypt if is_bcrypt(text) => {
                self.user.insert(SERVICES.to_owned(), json!({ "password": { "bcrypt": text } }));
            }
            Target::Bcrypt => findings.dropped(Secret::OtherHash),
            Target::Secret(secret) => findings.dropped(secret),
            Target::Field(_) | Target::Fallback(_) | Target::Nested | Target::Ignore => {}
        }
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Role(role) => self.put(ROLES, json!([role])),
            Effect::Bot => self.put(TYPE, json!("bot")),
            Effect::Deleted => self.put(DELETED, json!(true)),
        }
    }

    fn found(&mut self, field: Field, value: Result<Option<Value>, Fault>) {
        match value {
            Ok(None) => {}
            Ok(Some(value)) => self.put(field, value),
            Err(fault) => self.faults.push(fault),
        }
    }

    fn found_fallback(&mut self, field: Field, value: Result<Option<Value>, Fault>) {
        match value {
            Ok(None) => {}
            Ok(Some(value)) => self.fallbacks.push((field, value)),
            Err(fault) => self.faults.push(fault),
        }
    }

    /// Lists of several columns are one; otherwise the first value stays.
    fn put(&mut self, field: Field, value: Value) {
        match (self.user.get_mut(field.name), value) {
            (None, value) => drop(self.user.insert(field.name.to_owned(), value)),
            (Some(Value::Array(there)), Value::Array(more)) => {
                for value in more {
                    if !there.contains(&value) {
                        there.push(value);
                    }
                }
            }
            (Some(_), _) => {}
        }
    }

    pub(super) fn fill(&mut self) {
        let parts: Vec<&str> = self.name_parts.iter().flatten().map(String::as_str).collect();
        if !parts.is_empty() && !self.user.contains_key(NAME.name) {
            let name = parts.join(" ");
            self.user.insert(NAME.name.to_owned(), Value::from(name));
        }
        for (field, value) in std::mem::take(&mut self.fallbacks) {
            if !self.user.contains_key(field.name) {
                self.put(field, value);
            }
        }
    }
}

/// Whether the text is a hash as Rocket.Chat stores it.
fn is_bcrypt(text: &str) -> bool {
    let rest = text.strip_prefix(BCRYPT_START);
    text.len() == BCRYPT_LENGTH
        && rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/')))
}
