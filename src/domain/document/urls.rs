//! Addresses in a text.
//!
//! Source: `apps/meteor/server/lib/messages/parseUrlsInMessage.ts`, `apps/meteor/lib/getMessageUrlRegex.ts`.

use std::borrow::Cow;

use indexmap::IndexSet;

use super::{FieldValue, Fields, text};

const SCHEME_END: &str = "://";
const SHORTEST_SCHEME: usize = 3;
const LONGEST_SCHEME: usize = 9;
const FENCE: &str = "```";

/// The field `urls` of a message: each address once, in order, not those in code.
#[must_use]
pub fn urls_field(message: &str) -> FieldValue {
    let entry = |url: &str| {
        FieldValue::Object(Fields::from_iter([("url", text(url)), ("meta", FieldValue::Object(Fields::default()))]))
    };
    if !message.contains(SCHEME_END) {
        return FieldValue::List(Vec::new());
    }
    let prose = without_code(message);
    let found: IndexSet<&str> = urls(&prose).collect();
    FieldValue::List(found.into_iter().map(entry).collect())
}

/// The text without blocks and spans of code, each replaced by a blank. A block that is not closed reaches to the end.
fn without_code(message: &str) -> Cow<'_, str> {
    if !message.contains('`') {
        return Cow::Borrowed(message);
    }
    let outside_blocks: Vec<&str> = message.split(FENCE).step_by(2).collect();
    let lines = outside_blocks.join(" ");
    let prose: Vec<String> = lines.split('\n').map(without_spans).collect();
    Cow::Owned(prose.join("\n"))
}

fn without_spans(line: &str) -> String {
    let pieces: Vec<&str> = line.split('`').collect();
    // The last of an even number of pieces stands behind a mark that no other closes.
    let unclosed = pieces.len().is_multiple_of(2);
    let last = pieces.len() - 1;
    let prose = pieces.iter().enumerate().filter(|(place, _)| place % 2 == 0 || (unclosed && *place == last));
    prose.map(|(_, piece)| *piece).collect::<Vec<_>>().join(" ")
}

/// The addresses in a text: a scheme of 3 to 9 letters, then user, host, port, path, query and fragment.
fn urls(prose: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(found) = prose[from..].find(SCHEME_END) {
            let scheme_end = from + found;
            let letters =
                prose[from..scheme_end].bytes().rev().take_while(u8::is_ascii_alphabetic).take(LONGEST_SCHEME);
            let start = scheme_end - letters.count();
            let after = scheme_end + SCHEME_END.len();
            from = after;
            if scheme_end - start < SHORTEST_SCHEME {
                continue;
            }
            if let Some(length) = length_behind_scheme(&prose[after..]) {
                from = after + length;
                return Some(&prose[start..from]);
            }
        }
        None
    })
}

/// How many bytes of `rest` belong to the address; `None` without a host.
fn length_behind_scheme(rest: &str) -> Option<usize> {
    let run = |from: usize, belongs: fn(char) -> bool| {
        rest[from..].find(|character| !belongs(character)).map_or(rest.len(), |length| from + length)
    };
    let skip = |from: usize, mark: char| if rest[from..].starts_with(mark) { from + mark.len_utf8() } else { from };

    let user_end = run(0, is_user);
    let host_start = if user_end > 0 { skip(user_end, '@') } else { 0 };
    let host_start = if host_start > user_end && run(host_start, is_host) > host_start { host_start } else { 0 };
    let host_end = run(host_start, is_host);
    if host_end == host_start {
        return None;
    }
    let mut end = run(skip(host_end, ':'), |character| character.is_ascii_digit());
    if rest[end..].starts_with('/') {
        end = run(end + 1, is_path);
    }
    end = run(skip(end, '?'), is_query);
    let fragment_end = run(skip(end, '#'), |character| !character.is_whitespace() && character != ')');
    Some(if fragment_end > end + 1 && rest[end..].starts_with('#') { fragment_end } else { end })
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn is_user(character: char) -> bool {
    is_word(character) || "-;:&=+$,".contains(character)
}

fn is_host(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-' || character == '.'
}

fn is_path(character: char) -> bool {
    is_word(character) || "-+=!:~%/.@,".contains(character)
}

fn is_query(character: char) -> bool {
    is_word(character) || "-+=&!:;%@/.,".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(message: &str) -> Vec<String> {
        let FieldValue::List(list) = urls_field(message) else { panic!("no list") };
        let url = |entry: FieldValue| match entry {
            FieldValue::Object(entry) => entry.get("url").and_then(FieldValue::as_text).map(str::to_owned),
            _ => None,
        };
        list.into_iter().filter_map(url).collect()
    }

    #[test]
    fn addresses_end_where_rocket_chat_ends_them() {
        for (message, expected) in [
            (
                "see https://x.example/a, and (http://y.example/b?c=1#d)",
                vec!["https://x.example/a,", "http://y.example/b?c=1#d"],
            ),
            ("[z](https://z.example) twice https://z.example", vec!["https://z.example"]),
            (
                "http://bare.example/x. And https://y.example:8080/p?q=a,b#h, www.no.example",
                vec!["http://bare.example/x.", "https://y.example:8080/p?q=a,b#h,"],
            ),
            ("ftp://user:secret@host.example/f", vec!["ftp://user:secret@host.example/f"]),
            ("x://no http:// nothing ://", vec![]),
            ("abcdefghijklmn://long.example", vec!["fghijklmn://long.example"]),
            ("http://user@ end", vec!["http://user@"]),
            ("https://ümlaut.example", vec![]),
        ] {
            assert_eq!(found(message), expected, "{message}");
        }
    }

    #[test]
    fn addresses_in_code_are_none() {
        assert!(found("`https://code.example` and\n```\nhttps://block.example\n```\nend").is_empty());
        assert!(found("```\nhttps://not.closed.example").is_empty());
        assert_eq!(found("one ` mark https://x.example"), ["https://x.example"]);
    }
}
