//! Values by their names, in an order: the map behind the fields of a document.
//!
//! An import reads and makes many documents of a dozen fields. Beside the database, most of what it did was to allocate: for
//! each document a table of hashes, and for each field its name. Here a short name needs no memory of its own, and a document
//! of usual size no table.

use std::collections::HashMap;

use compact_str::CompactString;

/// Names that are searched one after the other. With more, a table says where each is.
const SEARCHED_IN_TURN: usize = 24;

/// Values by their names. A name that is put again keeps its first place and gets the new value. Two are equal if they have
/// equal values for the same names.
#[derive(Debug, Clone)]
pub(super) struct NamedValues<V> {
    values: Vec<(CompactString, V)>,
    /// The place of each name, if there are many.
    #[allow(clippy::box_collection, reason = "every value of a document has room for this, and hardly one needs it")]
    places: Option<Box<HashMap<CompactString, usize>>>,
}

impl<V> NamedValues<V> {
    pub(super) fn get(&self, name: &str) -> Option<&V> {
        self.values.get(self.place(name)?).map(|(_, value)| value)
    }

    pub(super) fn put(&mut self, name: CompactString, value: V) {
        if let Some((_, known)) = self.place(&name).and_then(|place| self.values.get_mut(place)) {
            *known = value;
            return;
        }
        if let Some(places) = &mut self.places {
            places.insert(name.clone(), self.values.len());
        }
        self.values.push((name, value));
        if self.places.is_none() && self.values.len() > SEARCHED_IN_TURN {
            let names = self.values.iter().map(|(name, _)| name.clone());
            self.places = Some(Box::new(names.zip(0..).collect()));
        }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &V)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    fn place(&self, name: &str) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(name).copied(),
            None => self.values.iter().position(|(known, _)| known == name),
        }
    }
}

impl<V> Default for NamedValues<V> {
    fn default() -> Self {
        Self { values: Vec::new(), places: None }
    }
}

impl<V> FromIterator<(CompactString, V)> for NamedValues<V> {
    fn from_iter<I: IntoIterator<Item = (CompactString, V)>>(values: I) -> Self {
        let values = values.into_iter();
        let mut named = Self { values: Vec::with_capacity(values.size_hint().0), places: None };
        for (name, value) in values {
            named.put(name, value);
        }
        named
    }
}

impl<V: PartialEq> PartialEq for NamedValues<V> {
    fn eq(&self, other: &Self) -> bool {
        self.values.len() == other.values.len()
            && self.iter().all(|(name, value)| other.get(name).is_some_and(|theirs| theirs == value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(names: impl Iterator<Item = String>) -> NamedValues<usize> {
        names.zip(0..).map(|(name, number)| (name.into(), number)).collect()
    }

    #[test]
    fn many_values_are_found_and_replaced_like_few() {
        for count in [SEARCHED_IN_TURN - 1, SEARCHED_IN_TURN, SEARCHED_IN_TURN + 1, 10 * SEARCHED_IN_TURN] {
            let names = || (0..count).map(|number| format!("name {number}"));
            // Each name twice: the second value stands in the first place.
            let twice = numbered(names().chain(names()));
            assert!(twice.iter().map(|(name, _)| name.to_owned()).eq(names()), "{count}");
            assert!(names().zip(count..).all(|(name, second)| twice.get(&name) == Some(&second)), "{count}");
            assert_eq!(twice.get("name"), None);
        }
    }

    #[test]
    fn the_order_makes_no_difference_between_equals() {
        let names = || (0..2 * SEARCHED_IN_TURN).map(|number| number.to_string());
        let one = numbered(names());
        let mut other: NamedValues<usize> = one.values.iter().rev().cloned().collect();
        assert_eq!(one, other);
        other.put("0".into(), 1);
        assert_ne!(one, other);
        other.put("0".into(), 0);
        assert_eq!(one, other);
        other.put("another".into(), 0);
        assert_ne!(one, other);
    }
}
