//! User names for people who bring none, and display names for those who only bring a user name.
//!
//! Source: `apps/meteor/server/lib/users/getUsernameSuggestion.ts`, `UserConverter.ts`.

use deunicode::deunicode;

/// The mention of everybody in a room, which is nobody's name.
const EVERYBODY: &str = "all";
/// Used if the workspace's setting `Accounts_DefaultUsernamePrefixSuggestion` is empty.
const DEFAULT_PREFIX: &str = "user";

/// User names for a person, the best first, without end. The first that nobody has is the person's.
///
/// `prefix` is the setting `Accounts_DefaultUsernamePrefixSuggestion`.
pub fn suggestions(name: &str, prefix: &str) -> impl Iterator<Item = String> + use<> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let first_letter = |word: &str| word.chars().next().map(String::from).unwrap_or_default();
    let mut candidates = vec![safe(name)];
    if let [first, .., last] = words.as_slice() {
        candidates.push(safe(&format!("{}{last}", first_letter(first))));
        candidates.push(safe(&format!("{first}{}", first_letter(last))));
    }
    candidates.retain(|candidate| !candidate.is_empty() && candidate != EVERYBODY);
    let prefix = if prefix.trim().is_empty() { DEFAULT_PREFIX } else { prefix.trim() };
    let base = candidates.first().cloned().unwrap_or_else(|| prefix.to_owned());
    candidates.into_iter().chain(numbered(&base))
}

/// The name with each number from 1: what a name becomes that somebody else has.
pub fn numbered(base: &str) -> impl Iterator<Item = String> + use<> {
    let base = base.to_owned();
    (1_u64..).map(move |number| format!("{base}-{number}"))
}

/// A display name made of a user name: its marks become blanks, its words begin with a capital.
#[must_use]
pub fn name_from(username: &str) -> String {
    let mut begins_word = true;
    let letter = |character: char| {
        let is_part = character.is_ascii_alphanumeric() || character == '_';
        let shown = if !is_part {
            ' '
        } else if begins_word {
            character.to_ascii_uppercase()
        } else {
            character
        };
        begins_word = !is_part;
        shown
    };
    username.chars().map(letter).collect::<String>().trim().to_owned()
}

/// The name in lower-case Latin letters, digits, dots, dashes and underscores.
fn safe(name: &str) -> String {
    let latin = latin(name).to_lowercase();
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    latin.split(|character| !is_part(character)).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(".")
}

/// The text in Latin letters. German letters become two, apostrophes go, an ampersand is a word.
pub(super) fn latin(text: &str) -> String {
    let mut spelt = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            'ä' => spelt.push_str("ae"),
            'ö' => spelt.push_str("oe"),
            'ü' => spelt.push_str("ue"),
            'Ä' => spelt.push_str("Ae"),
            'Ö' => spelt.push_str("Oe"),
            'Ü' => spelt.push_str("Ue"),
            '&' => spelt.push_str(" and "),
            '\'' | '’' => {}
            other => spelt.push(other),
        }
    }
    deunicode(&spelt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(name: &str) -> String {
        suggestions(name, "user").next().unwrap_or_default()
    }

    #[test]
    fn names_are_suggested_as_in_rocket_chat() {
        for (name, expected) in [
            ("José Ñandú", "jose.nandu"),
            ("müller & söhne", "mueller.and.soehne"),
            ("O'Brien", "obrien"),
            ("Иван Петров", "ivan.petrov"),
            ("李小龙", "li.xiao.long"),
            ("!!!", "user-1"),
            ("all", "user-1"),
        ] {
            assert_eq!(first(name), expected, "{name}");
        }
    }

    #[test]
    fn a_taken_name_leads_to_the_next() {
        let names: Vec<_> = suggestions("Ann Mary Lee", "user").take(5).collect();
        assert_eq!(names, ["ann.mary.lee", "alee", "annl", "ann.mary.lee-1", "ann.mary.lee-2"]);
    }

    #[test]
    fn a_user_name_makes_a_display_name() {
        for (username, expected) in [("gus", "Gus"), ("ann.lee-smith", "Ann Lee Smith"), ("a_b", "A_b"), ("...", "")] {
            assert_eq!(name_from(username), expected);
        }
    }
}
