//! Names in a message's text in place of the ids that its source writes there.

/// The text with each `mark` + id that is followed by no further letter or digit replaced by `mark` + name.
///
/// Rocket.Chat replaces the text of an id wherever it begins, so that a mention of `U12` spoils one of `U123`.
///
/// Source: `apps/meteor/server/lib/import/classes/converters/MessageConverter.ts`.
pub(super) fn with_names<'a>(text: &'a str, mark: char, name_of: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(mark) {
        let after = &rest[at + mark.len_utf8()..];
        out.push_str(&rest[..at]);
        out.push(mark);
        rest = after;
        // The longest id first: ids of CSV files hold dots and dashes, but a full stop may also end a sentence.
        let end = after.find(|character: char| !is_id(character)).unwrap_or(after.len());
        let ends = after[..end].char_indices().rev().map(|(place, character)| place + character.len_utf8());
        let at_boundary = |end: &usize| !after[*end..].starts_with(|next: char| next.is_alphanumeric());
        let named = ends.filter(at_boundary).take(MAX_BOUNDARIES).find_map(|end| Some((end, name_of(&after[..end])?)));
        if let Some((end, name)) = named {
            out.push_str(name);
            rest = &after[end..];
        }
    }
    out.push_str(rest);
    out
}

/// How many ends of one id are tried; ids hold few marks, and a text made of marks alone must not cost its square.
const MAX_BOUNDARIES: usize = 16;

fn is_id(character: char) -> bool {
    character.is_alphanumeric() || "-_.@:".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> String {
        with_names(text, '@', |id| match id {
            "U12" => Some("ivy"),
            "U123" => Some("joe"),
            "cat.lee" => Some("kit"),
            _ => None,
        })
    }

    #[test]
    fn an_id_that_begins_another_leaves_it_alone() {
        assert_eq!(named("@U12 @U123, (@U12) @U1234 a@U12.b"), "@ivy @joe, (@ivy) @U1234 a@ivy.b");
    }

    #[test]
    fn a_full_stop_behind_an_id_stays() {
        assert_eq!(named("ask @U12. Or @cat.lee."), "ask @ivy. Or @kit.");
        assert_eq!(named("@@@U12-@"), "@@@ivy-@");
    }
}
