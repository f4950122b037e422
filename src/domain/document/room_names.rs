//! Names of rooms by the workspace's settings.
//!
//! Source: `apps/meteor/server/lib/rooms/getValidRoomName.ts`, `validateName.ts`.

use std::borrow::Cow;

use regex::Regex;

/// The default of the setting `UTF8_Channel_Names_Validation`.
pub const DEFAULT_PATTERN: &str = "[0-9a-zA-Z-_.]+";

/// The settings that names of rooms depend on.
#[derive(Debug, Clone)]
pub struct RoomNames {
    /// `UI_Allow_room_names_with_special_chars`: a room also shows the name as it was given.
    special_characters: bool,
    /// `UTF8_Channel_Names_Validation`, for a whole name. `None` allows every name.
    pattern: Option<Regex>,
    /// `Accounts_SystemBlockedUsernameList`, in lower case.
    reserved: Vec<String>,
}

/// The two names of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomName {
    /// The name in addresses and mentions, unique in the workspace.
    pub name: String,
    /// The name to show.
    pub fname: String,
}

impl RoomNames {
    /// The rules of a workspace. A pattern that is no regular expression here counts as Rocket.Chat's default.
    #[must_use]
    pub fn new(special_characters: bool, pattern: &str, reserved: impl IntoIterator<Item = String>) -> Self {
        let whole = |pattern: &str| Regex::new(&format!("^(?:{pattern})$"));
        let pattern = whole(pattern).or_else(|_| whole(DEFAULT_PATTERN)).ok();
        let reserved = reserved.into_iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
        Self { special_characters, pattern, reserved: reserved.collect() }
    }

    /// The names for a room that its source calls `given`.
    ///
    /// `attempt` counts from 0; each attempt gives another name, for one that is taken. The first attempt already has a
    /// number if the workspace reserves the name. A name that the workspace does not allow becomes one that it allows,
    /// and the room still shows the given one: to refuse it would lose the room with all its messages.
    #[must_use]
    pub fn name(&self, given: &str, attempt: u32) -> RoomName {
        let given = given.trim();
        let base = if self.special_characters || !self.allows(given) { slug(given) } else { Cow::Borrowed(given) };
        let base = if self.allows(&base) { base } else { Cow::Borrowed("imported-room") };
        let number = attempt + u32::from(self.reserved.contains(&base.to_lowercase()));
        if number == 0 {
            return RoomName { name: base.into_owned(), fname: given.to_owned() };
        }
        let name = format!("{base}-{number}");
        // Without special characters the shown name is the name, so that two rooms can be told apart.
        let fname = if self.special_characters || *base != *given { given.to_owned() } else { name.clone() };
        RoomName { name, fname }
    }

    /// The names under which a room that its source calls `given` may be there already.
    #[must_use]
    pub fn existing_names(given: &str) -> Vec<String> {
        let given = given.trim();
        let slug = slug(given).into_owned();
        if slug == given { vec![slug] } else { vec![given.to_owned(), slug] }
    }

    fn allows(&self, name: &str) -> bool {
        !name.is_empty() && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(name))
    }
}

/// The text in Latin letters, digits, dots and underscores, its other parts joined by dashes; the letter case stays.
#[must_use]
pub fn slug(name: &str) -> Cow<'_, str> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._".contains(character);
    let is_slug = |name: &str| {
        !name.starts_with('-')
            && !name.ends_with('-')
            && !name.contains("--")
            && name.chars().all(|c| is_plain(c) || c == '-')
    };
    if is_slug(name) {
        return Cow::Borrowed(name);
    }
    let latin = super::username::latin(name);
    let words: Vec<&str> = latin.split(|character| !is_plain(character)).filter(|word| !word.is_empty()).collect();
    Cow::Owned(words.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(special_characters: bool) -> RoomNames {
        RoomNames::new(special_characters, DEFAULT_PATTERN, ["admin".to_owned(), "system".to_owned()])
    }

    #[test]
    fn an_allowed_name_stays_as_it_is() {
        let name = rules(false).name("mpdm-ann--bob-1", 0);
        assert_eq!((name.name.as_str(), name.fname.as_str()), ("mpdm-ann--bob-1", "mpdm-ann--bob-1"));
        assert_eq!(rules(false).name("dev", 2), RoomName { name: "dev-2".into(), fname: "dev-2".into() });
    }

    #[test]
    fn a_name_that_is_not_allowed_becomes_one_that_is_and_the_room_shows_the_given_one() {
        for special in [true, false] {
            let name = rules(special).name("Café & Küche", 0);
            assert_eq!(name, RoomName { name: "Cafe-and-Kueche".into(), fname: "Café & Küche".into() });
        }
        assert_eq!(
            rules(false).name("Team Room", 1),
            RoomName { name: "Team-Room-1".into(), fname: "Team Room".into() }
        );
        assert_eq!(rules(false).name("!!!", 0).name, "imported-room");
    }

    #[test]
    fn a_reserved_name_gets_a_number() {
        assert_eq!(rules(false).name("Admin", 0).name, "Admin-1");
        assert_eq!(rules(false).name("admin", 1).name, "admin-2");
    }

    #[test]
    fn a_pattern_that_cannot_be_read_counts_as_the_default() {
        let rules = RoomNames::new(false, "(?<=a)b", []);
        assert_eq!(rules.name("Team Room", 0).name, "Team-Room");
        assert_eq!(rules.name("general", 0).name, "general");
    }
}
