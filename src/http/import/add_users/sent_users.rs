//! The users of a body, taken out of it one by one.
//!
//! As values, all of them together take twenty times the body. So each is checked and let go of before anything is done, and
//! read once more when it is its turn to be staged.

use std::{collections::BTreeMap, ops::Range};

use actix_web::web::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    super::super::{
        error::ApiError,
        refused_users::{RefusedUser, RefusedUsers},
    },
    super::body_faults::{additional, not_json, unfit},
    reasons::{no_list, no_object, no_users, reason_of},
    schema::read_user,
};
use crate::domain::field_value::Fields;

const USERS: &str = "users";
/// What some editors and shells put before what they write.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Users that were found to be what the endpoint takes.
#[derive(Debug)]
pub(super) struct SentUsers {
    body: Bytes,
    /// Where each stands in the body.
    places: Vec<Range<usize>>,
}

impl SentUsers {
    /// Checks every user of a body, and shows it to `look`.
    ///
    /// # Errors
    /// With the first thing that is wrong, and where; also with the other users who are wrong.
    pub(super) fn read(body: Bytes, look: impl FnMut(&Fields)) -> Result<Self, ApiError> {
        let places = read_all(&body, look)?;
        Ok(Self { body, places })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Each user in the order of the body, read anew.
    pub(super) fn iter(&self) -> impl Iterator<Item = Fields> {
        let users = self.places.iter().filter_map(|place| serde_json::from_slice(&self.body[place.clone()]).ok());
        // None of them is left out: all were read before.
        users.filter_map(|user| read_user(user, "").ok())
    }
}

/// The users of a body, all at once.
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::http) fn users_in(body: &[u8]) -> Result<Vec<Fields>, ApiError> {
    let users = SentUsers::read(Bytes::copy_from_slice(body), |_| ())?;
    Ok(users.iter().collect())
}

fn read_all(body: &[u8], mut look: impl FnMut(&Fields)) -> Result<Vec<Range<usize>>, ApiError> {
    let content = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if content.is_empty() {
        return Err(no_users());
    }
    let content: &RawValue = parse(content)?;
    if !content.get().starts_with('{') {
        return Err(no_object(content));
    }
    let mut fields: BTreeMap<String, &RawValue> = parse(content.get().as_bytes())?;
    let Some(users) = fields.remove(USERS) else {
        return Err(no_users());
    };
    if !fields.is_empty() {
        return Err(additional(fields.keys().map(String::as_str), "users alone"));
    }
    if !users.get().starts_with('[') {
        return Err(no_list(users, &format!("/{USERS}")));
    }
    let users: Vec<&RawValue> = parse(users.get().as_bytes())?;
    let (mut places, mut faults) = (Vec::new(), Faults::default());
    for (position, user) in users.into_iter().enumerate() {
        let path = format!("/{USERS}/{position}");
        match parse_user(user, &path).and_then(|value| read_user(value, &path)) {
            // Nobody of this body is staged any more.
            Ok(_) if faults.first.is_some() => {}
            Ok(fields) => {
                look(&fields);
                let begin = user.get().as_ptr().addr() - body.as_ptr().addr();
                places.push(begin..begin + user.get().len());
            }
            Err(fault) => faults.add(fault, position, &path, user)?,
        }
    }
    match faults.first {
        None => Ok(places),
        Some((problem, path)) => Err(ApiError::InvalidUser { problem, path, users: faults.users }),
    }
}

/// The users of a body who are not what the endpoint takes.
#[derive(Default)]
struct Faults {
    /// The first problem in Rocket.Chat's words, and its place in the body.
    first: Option<(String, String)>,
    users: RefusedUsers,
}

impl Faults {
    /// Adds the fault of the user at this place.
    ///
    /// # Errors
    /// With the fault itself where it is the first and belongs to no field: the body is no JSON.
    fn add(&mut self, fault: ApiError, index: usize, path: &str, user: &RawValue) -> Result<(), ApiError> {
        let ApiError::InvalidBody { problem, path: Some(at) } = fault else { return Err(fault) };
        let parsed = || serde_json::from_str::<Value>(user.get());
        if let (None, Err(error)) = (&self.first, parsed()) {
            let (line, column) = (error.line(), error.column());
            let reason = format!("the JSON of user {index} breaks at its line {line}, column {column}: send it mended");
            return Err(unfit(&problem, &at, reason));
        }
        self.users.blame_with(|| {
            let Ok(user) = parsed() else { return RefusedUser::new(index, None, problem.clone()) };
            let import_id = match user.pointer("/importIds/0") {
                Some(Value::String(id)) => Some(id.clone()),
                Some(Value::Number(id)) => Some(id.to_string()),
                _ => None,
            };
            let reason = reason_of(&problem, at.strip_prefix(path).unwrap_or_default(), &user);
            RefusedUser::new(index, import_id.as_deref(), reason)
        });
        self.first.get_or_insert((problem, at));
        Ok(())
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(text).map_err(|error| not_json(&error))
}

fn parse_user(user: &RawValue, path: &str) -> Result<Value, ApiError> {
    serde_json::from_str(user.get()).map_err(|error| ApiError::InvalidBody {
        problem: format!("the body is not valid JSON: {error} of this user"),
        path: Some(path.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_again_is_what_was_seen_first() {
        let body = "\u{feff} {\"users\" : [ {\"emails\":[1],\"importIds\":[]}, {\"importIds\":[\"é\"],\"emails\":[null]}\n] } ";
        let mut seen = Vec::new();
        let users = SentUsers::read(Bytes::from(body), |user| seen.push(user.clone())).unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!(users.iter().collect::<Vec<_>>(), seen);
        assert_eq!(users.iter().count(), 2, "as often as they are wanted");
    }

    #[test]
    fn a_user_keeps_its_fields_in_the_order_they_were_sent() {
        let body = br#"{"users":[{"zeta":1,"importIds":["1"],"alpha":2,"emails":["a@b.c"]}]}"#;
        let users = users_in(body).unwrap();
        let names: Vec<&str> = users[0].iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["zeta", "importIds", "alpha", "emails"]);
    }
}
