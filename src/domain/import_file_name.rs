//! The name under which an operation keeps its file.

use super::field_value::Date;

/// Characters of a file's own name that are kept: more than any export has.
const LONGEST_NAME: usize = 200;
/// Stands where nothing is left of a name.
const NO_NAME: &str = "file";

/// Returns the `file` of an operation: the moment in UTC, the user and the file's own name. The month counts from 0 and
/// nothing is padded.
///
/// Rocket.Chat's history shows what follows the user's id, so that part is never left out. Of the file's own name only what
/// follows the last slash counts.
///
/// Source: `apps/meteor/server/meteor-methods/import/uploadImportFile.ts`;
/// `apps/meteor/client/views/admin/import/ImportOperationSummary.tsx`.
#[must_use]
pub fn import_file_name(moment: Date, user_id: &str, name: &str) -> String {
    format!("{}_{user_id}_{}", moment.utc_digits(), base_name(name))
}

/// Returns what follows the last slash of a path of any system, without control characters.
#[must_use]
pub fn base_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default();
    let kept: String = last.chars().filter(|character| !character.is_control()).take(LONGEST_NAME).collect();
    if kept.trim_matches(['.', ' ']).is_empty() { NO_NAME.to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_rocket_chats() {
        // 2026-11-25T16:04:17.774Z
        let moment = Date::from_epoch_millis(1_795_622_657_774);
        assert_eq!(import_file_name(moment, "adminId", "input.zip"), "2026102516417_adminId_input.zip");
    }

    #[test]
    fn nothing_of_a_path_is_kept() {
        for (name, kept) in [
            ("a/../../../x", "x"),
            ("C:\\exports\\Slack export.zip", "Slack export.zip"),
            ("..", "file"),
            ("", "file"),
            ("a\nb", "ab"),
            ("folder/", "folder"),
        ] {
            assert_eq!(base_name(name), kept, "{name:?}");
        }
    }
}
