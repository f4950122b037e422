//! Names of entries: their encoding, their form, and which of them are no content.

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::directory::Header;

/// The upper half of code page 437, in which names are written whose UTF-8 flag is not set.
///
/// Source: PKWARE's APPNOTE.TXT, appendix D.
const CODE_PAGE_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Folders and files that operating systems leave in archives.
const SYSTEM_FILES: [&str; 3] = [".ds_store", "thumbs.db", "desktop.ini"];
const MAC_FOLDER: &str = "__macosx";
/// Before the name of a file that holds another file's attributes.
const MAC_ATTRIBUTES: &str = "._";

/// The name as text. Many writers put UTF-8 there without saying so.
pub(super) fn decoded(header: &Header) -> String {
    match std::str::from_utf8(&header.name) {
        Ok(name) => name.to_owned(),
        Err(_) => header.name.iter().map(|byte| code_page_437(*byte)).collect(),
    }
}

fn code_page_437(byte: u8) -> char {
    if byte.is_ascii() {
        return char::from(byte);
    }
    CODE_PAGE_437.chars().nth(usize::from(byte - 0x80)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The name with `/` between folders, without `./` in front, composed.
///
/// # Errors
/// With the reason, when the name points out of the archive.
pub(super) fn cleaned(name: &str) -> Result<String, &'static str> {
    let mut name = name.replace('\\', "/");
    while let Some(rest) = name.strip_prefix("./") {
        name = rest.to_owned();
    }
    if name.is_empty() || name.contains(|character: char| character.is_control()) {
        return Err("The entry's name is empty or holds control characters.");
    }
    let drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    if name.starts_with('/') || (drive && name.as_bytes().get(2) == Some(&b'/')) {
        return Err("The entry's name is an absolute path.");
    }
    if name.split('/').any(|part| part == "..") {
        return Err("The entry's name leads out of the archive.");
    }
    Ok(composed(&name))
}

/// The composed form, in which names from all systems meet.
pub(in crate::importers) fn composed(text: &str) -> String {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes { text.to_owned() } else { text.nfc().collect() }
}

/// Whether the name is one of what operating systems leave behind.
pub(super) fn is_system_file(name: &str) -> bool {
    let mut parts = name.split('/').rev();
    let last = parts.next().unwrap_or_default();
    last.starts_with(MAC_ATTRIBUTES)
        || SYSTEM_FILES.contains(&last.to_ascii_lowercase().as_str())
        || name.split('/').any(|part| part.eq_ignore_ascii_case(MAC_FOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_code_page_437_is_a_character() {
        assert_eq!(CODE_PAGE_437.chars().count(), 128);
        let header = |name: &[u8]| Header { name: name.to_vec(), ..Header::default() };
        assert_eq!(decoded(&header(b"caf\x82.csv")), "café.csv");
        assert_eq!(decoded(&header("café.csv".as_bytes())), "café.csv");
    }

    #[test]
    fn composed_and_decomposed_names_meet() {
        assert_eq!(cleaned("u\u{308}ber/m.csv"), Ok("über/m.csv".to_owned()));
    }

    #[test]
    fn names_that_lead_out_of_the_archive_are_refused() {
        for name in ["../evil.csv", "a/../../evil.csv", "/etc/passwd", "C:\\x.csv", "\\\\host\\x", "a\0b", ""] {
            assert!(cleaned(name).is_err(), "{name:?}");
        }
        assert_eq!(cleaned(".\\general\\m.csv"), Ok("general/m.csv".to_owned()));
        assert_eq!(cleaned("a..b/..c"), Ok("a..b/..c".to_owned()));
    }

    #[test]
    fn what_operating_systems_leave_behind_is_known() {
        for name in ["__MACOSX/x/._m.csv", "x/.DS_Store", "Thumbs.db", "a/b/desktop.ini", "a/._users.csv"] {
            assert!(is_system_file(name), "{name}");
        }
        assert!(!is_system_file("general/m.csv"));
    }
}
