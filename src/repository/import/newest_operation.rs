//! The newest operation, kept up by the changes that a change stream tells of.
//!
//! The stream tells of an update what it changed, and that is applied here to the document as it was before. The whole
//! document that the database can send along is no help: it is read later, when further changes may have been made, and
//! steps that an operation only passed through would never be seen.

use std::sync::Arc;

use bson::{Bson, Document, RawDocumentBuf};
use mongodb::change_stream::event::{ChangeStreamEvent, OperationType, UpdateDescription};

use crate::{
    domain::operation::Operation,
    repository::{RepositoryError, import::operations},
};

/// What a change means for the newest operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::repository) enum Effect {
    /// Nothing.
    None,
    /// It is another one now, or has changed.
    Changed,
    /// Only the database itself knows.
    Unclear,
}

/// The newest operation as it was at some moment.
#[derive(Debug, Default)]
pub(in crate::repository) struct NewestOperation {
    operation: Option<Arc<Operation>>,
    /// The same as it is stored; `None` also for a document whose text is not UTF-8, which cannot be kept up.
    document: Option<Document>,
}

impl NewestOperation {
    /// # Errors
    /// When the document is not valid BSON.
    pub(in crate::repository) fn read(stored: Option<&RawDocumentBuf>) -> Result<Self, RepositoryError> {
        let Some(stored) = stored else { return Ok(Self::default()) };
        Ok(Self { operation: Some(Arc::new(operations::read(stored)?)), document: Document::try_from(stored).ok() })
    }

    pub(in crate::repository) fn operation(&self) -> Option<&Arc<Operation>> {
        self.operation.as_ref()
    }

    /// Makes the change that comes next.
    pub(in crate::repository) fn apply(&mut self, event: ChangeStreamEvent<RawDocumentBuf>) -> Effect {
        if self.operation.is_some() && self.document.is_none() {
            return Effect::Unclear;
        }
        let is_newest = |document: &Document| {
            let changed = event.document_key.as_ref().and_then(|key| key.get("_id"));
            document.get("_id") == changed
        };
        let is_about_newest = self.document.as_ref().is_some_and(is_newest);
        match (event.operation_type, event.full_document, event.update_description) {
            (OperationType::Insert | OperationType::Replace, Some(stored), _) => self.stored(&stored, is_about_newest),
            (OperationType::Update, _, Some(update)) => self.updated(&update, is_about_newest),
            (OperationType::Delete, ..) if !is_about_newest => Effect::None,
            _ => Effect::Unclear,
        }
    }

    fn stored(&mut self, stored: &RawDocumentBuf, is_about_newest: bool) -> Effect {
        let Ok(successor) = Self::read(Some(stored)) else { return Effect::Unclear };
        let made = |newest: &Self| newest.document.as_ref().and_then(|document| document.get("ts").cloned());
        let is_newest = match (made(self), made(&successor)) {
            _ if self.document.is_none() => true,
            (before, now) if is_about_newest => {
                if before != now {
                    return Effect::Unclear;
                }
                true
            }
            (Some(Bson::DateTime(before)), Some(Bson::DateTime(now))) if before != now => before < now,
            // How the database orders these is its own affair.
            _ => return Effect::Unclear,
        };
        if !is_newest {
            return Effect::None;
        }
        *self = successor;
        Effect::Changed
    }

    fn updated(&mut self, update: &UpdateDescription, is_about_newest: bool) -> Effect {
        let is_made_anew =
            update.updated_fields.contains_key("ts") || update.removed_fields.iter().any(|name| name == "ts");
        if is_made_anew {
            return Effect::Unclear;
        }
        let (true, Some(document)) = (is_about_newest, &mut self.document) else { return Effect::None };
        if change(document, update).is_none() {
            return Effect::Unclear;
        }
        let read = RawDocumentBuf::try_from(&*document).ok().and_then(|stored| operations::read(&stored).ok());
        let Some(operation) = read else { return Effect::Unclear };
        self.operation = Some(Arc::new(operation));
        Effect::Changed
    }
}

/// Does to `document` what the update did. `None` if it cannot have been this document.
fn change(document: &mut Document, update: &UpdateDescription) -> Option<()> {
    for truncated in update.truncated_arrays.iter().flatten() {
        match place(document, &truncated.field)? {
            Place::In(parent, name) => {
                parent.get_array_mut(name).ok()?.truncate(usize::try_from(truncated.new_size).ok()?);
            }
            Place::At(..) => return None,
        }
    }
    for path in &update.removed_fields {
        match place(document, path)? {
            Place::In(parent, name) => drop(parent.remove(name)),
            Place::At(..) => return None,
        }
    }
    for (path, value) in &update.updated_fields {
        match place(document, path)? {
            Place::In(parent, name) => drop(parent.insert(name, value.clone())),
            Place::At(list, position) if position < list.len() => list[position] = value.clone(),
            Place::At(list, position) if position == list.len() => list.push(value.clone()),
            Place::At(..) => return None,
        }
    }
    Some(())
}

/// Where a value is.
enum Place<'a> {
    /// The field of that name in a document.
    In(&'a mut Document, &'a str),
    /// That position of a list.
    At(&'a mut Vec<Bson>, usize),
}

/// The place that the dotted `path` means.
fn place<'a>(document: &'a mut Document, path: &'a str) -> Option<Place<'a>> {
    let Some((first, rest)) = path.split_once('.').filter(|_| !document.contains_key(path)) else {
        return Some(Place::In(document, path));
    };
    place_in(document.get_mut(first)?, rest)
}

fn place_in<'a>(value: &'a mut Bson, path: &'a str) -> Option<Place<'a>> {
    match value {
        Bson::Document(document) => place(document, path),
        Bson::Array(list) => match path.split_once('.') {
            None => Some(Place::At(list, path.parse().ok()?)),
            Some((position, rest)) => place_in(list.get_mut(position.parse::<usize>().ok()?)?, rest),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, doc};
    use serde::Deserialize;

    use super::*;

    /// An event as the database words it.
    fn event(kind: &str, id: &str, more: Document) -> ChangeStreamEvent<RawDocumentBuf> {
        let mut event = doc! {
            "_id": { "_data": "00" },
            "operationType": kind,
            "ns": { "db": "rocketchat", "coll": "rocketchat_import" },
            "documentKey": { "_id": id },
        };
        event.extend(more);
        ChangeStreamEvent::deserialize(bson::Deserializer::new(Bson::Document(event))).unwrap()
    }

    fn update(id: &str, updated: Document, removed: &[&str]) -> ChangeStreamEvent<RawDocumentBuf> {
        event("update", id, doc! { "updateDescription": { "updatedFields": updated, "removedFields": removed } })
    }

    fn made_at(id: &str, millis: i64) -> Document {
        doc! { "_id": id, "ts": DateTime::from_millis(millis), "status": "importer_new", "_updatedAt": 0 }
    }

    fn newest(document: &Document) -> NewestOperation {
        NewestOperation::read(Some(&RawDocumentBuf::try_from(document).unwrap())).unwrap()
    }

    #[test]
    fn an_update_leaves_the_document_as_the_database_has_it() {
        let mut newest = newest(&made_at("one", 5));
        let staged = doc! { "status": "ready", "count": { "total": 2, "users": 2 }, "list": [1, { "a": 1 }, 3] };
        assert_eq!(newest.apply(update("one", staged, &[])), Effect::Changed);
        let changed = doc! { "count.completed": 1, "list.1.a": 2, "list.3": 4 };
        assert_eq!(newest.apply(update("one", changed, &["count.users"])), Effect::Changed);
        let mut expected = made_at("one", 5);
        expected.insert("status", "ready");
        expected.insert("count", doc! { "total": 2, "completed": 1 });
        expected.insert("list", vec![Bson::Int32(1), doc! { "a": 2 }.into(), 3.into(), 4.into()]);
        assert_eq!(newest.document.as_ref(), Some(&expected));
        let names: Vec<&String> = newest.document.as_ref().unwrap().keys().collect();
        assert_eq!(names, ["_id", "ts", "status", "_updatedAt", "count", "list"]);
        assert_eq!(newest.operation().unwrap().count("completed"), 1);
    }

    #[test]
    fn an_update_that_does_not_fit_is_not_guessed_at() {
        for update in [
            update("one", doc! { "count.completed": 1 }, &[]),
            update("one", doc! { "status.deep": 1 }, &[]),
            update("one", doc! { "ts": 1 }, &[]),
            update("other", doc! {}, &["ts"]),
            event("delete", "one", doc! {}),
            event("insert", "other", doc! { "fullDocument": { "_id": "other", "ts": 7 } }),
            event("insert", "other", doc! { "fullDocument": made_at("other", 5) }),
        ] {
            assert_eq!(newest(&made_at("one", 5)).apply(update), Effect::Unclear);
        }
    }

    #[test]
    fn the_operation_that_was_made_last_is_the_newest() {
        let mut newest = NewestOperation::default();
        let inserted = |id, millis| event("insert", id, doc! { "fullDocument": made_at(id, millis) });
        for (event, effect, expected) in [
            (inserted("two", 2), Effect::Changed, "two"),
            (inserted("one", 1), Effect::None, "two"),
            (update("one", doc! { "status": "x" }, &[]), Effect::None, "two"),
            (event("delete", "one", doc! {}), Effect::None, "two"),
            (inserted("three", 3), Effect::Changed, "three"),
        ] {
            assert_eq!(newest.apply(event), effect);
            assert_eq!(newest.operation().unwrap().id(), Some(expected));
        }
    }
}
