//! Cells that a spreadsheet program would take for formulas.
//!
//! Which character separates cells is up to the program that opens a file: where it is `;`, as in many countries, quotation marks
//! that were set for `,` do not count, and what follows a `;`, a tab or a line break inside a cell begins a cell of its own. So a
//! formula is looked for behind each of them. `csv.js` of the web page follows the same rule; `spreadsheet_cells.json` is what both
//! are tested with.

use std::borrow::Cow;

/// What begins a formula; the last four are what programs for East Asian scripts write for the first.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
/// What tells a spreadsheet program that a cell is text.
const TEXT_MARK: char = '\'';

/// The text with a mark in front of everything that would begin a formula. [`original`] takes the marks off again.
#[cfg_attr(not(test), allow(dead_code, reason = "for the program's own writers of CSV"))]
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    let starts: Vec<usize> = formula_starts(text).map(|(at, _)| at).collect();
    if starts.is_empty() {
        return text.into();
    }
    let mut written = String::with_capacity(text.len() + starts.len());
    let mut done = 0;
    for start in starts {
        written.push_str(&text[done..start]);
        written.push(TEXT_MARK);
        done = start;
    }
    written.push_str(&text[done..]);
    written.into()
}

/// The text as it was before [`harmless`] marked it.
#[must_use]
pub fn original(text: &str) -> Cow<'_, str> {
    let marks: Vec<usize> = formula_starts(text).filter(|(_, is_marked)| *is_marked).map(|(at, _)| at).collect();
    if marks.is_empty() {
        return text.into();
    }
    let mut read = String::with_capacity(text.len());
    let mut done = 0;
    for mark in marks {
        read.push_str(&text[done..mark]);
        done = mark + TEXT_MARK.len_utf8();
    }
    read.push_str(&text[done..]);
    read.into()
}

/// Where formulas begin, with their marks, and whether they have one.
fn formula_starts(text: &str) -> impl Iterator<Item = (usize, bool)> + '_ {
    let mut begins_cell = true;
    text.char_indices().filter_map(move |(at, character)| {
        let is_start = begins_cell && text[at..].trim_start_matches(TEXT_MARK).starts_with(FORMULA_STARTS);
        begins_cell = match character {
            ';' | '\t' | '\r' | '\n' => true,
            ' ' | '"' => begins_cell,
            _ => false,
        };
        is_start.then_some((at, character == TEXT_MARK))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_harmless_whatever_separates_cells_and_is_read_back_as_it_was() {
        let cells: Vec<(String, String)> = serde_json::from_str(include_str!("spreadsheet_cells.json")).unwrap();
        assert!(cells.len() > 15);
        for (text, written) in cells {
            assert_eq!(harmless(&text), written, "{text:?}");
            assert_eq!(original(&written), text, "{written:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_text_is_read_back_as_it_was(text in "[a;\t\r\n \"'=+@-]{0,20}") {
            let written = harmless(&text);
            proptest::prop_assert_eq!(original(&written).into_owned(), text.clone());
            for separator in [';', '\t', '\r', '\n'] {
                for cell in written.split(separator) {
                    let shown = cell.trim_start_matches([' ', '"']);
                    proptest::prop_assert!(!shown.starts_with(FORMULA_STARTS), "{:?} of {:?}", cell, text);
                }
            }
        }
    }
}
