//! Values in sentences for people.

/// Longest part of a value in a sentence.
const SHOWN_CHARACTERS: usize = 80;

/// A value for a person: short, and with control characters escaped, since it goes to terminals.
pub(crate) fn shown(value: &str) -> String {
    let mut characters = value.chars();
    let start: String = characters.by_ref().take(SHOWN_CHARACTERS).flat_map(escaped).collect();
    if characters.next().is_some() { format!("{start}…") } else { start }
}

/// Whether the character leaves no trace on a screen: marks without width, and of the direction of writing.
pub(crate) const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn escaped(character: char) -> Vec<char> {
    if character.is_control() || is_invisible(character) {
        character.escape_unicode().collect()
    } else {
        vec![character]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_and_does_nothing_to_a_terminal() {
        assert_eq!(shown("a\u{1b}[2J\u{202e}b"), r"a\u{1b}[2J\u{202e}b");
        assert_eq!(shown(&"é".repeat(SHOWN_CHARACTERS)), "é".repeat(SHOWN_CHARACTERS));
        assert_eq!(shown(&"é".repeat(SHOWN_CHARACTERS + 1)), format!("{}…", "é".repeat(SHOWN_CHARACTERS)));
    }
}
