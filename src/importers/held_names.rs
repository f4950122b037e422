//! Where programs that add files to Slack's exports put them in an archive.

/// The folder of all files, with a folder for each: `__uploads/<file id>/<name>`.
const UPLOADS: &str = "__uploads";
/// A folder of files, at the root or in a room's folder: `attachments/<file id>-<name>`.
const ATTACHMENTS: &str = "attachments";

/// The id of the file that an entry with this name holds; `None` for other entries.
pub(super) fn file_id(name: &str) -> Option<&str> {
    let (folder, file) = name.rsplit_once('/')?;
    let id = if let Some(id) = folder.strip_prefix(UPLOADS).and_then(|rest| rest.strip_prefix('/')) {
        id
    } else if folder.rsplit('/').next() == Some(ATTACHMENTS) {
        file.split_once('-')?.0
    } else {
        return None;
    };
    Some(id).filter(|id| !id.is_empty() && !id.contains('/'))
}

/// Whether an entry with this name lies where files of messages are put.
pub(super) fn is_among_held_files(name: &str) -> bool {
    let folders = name.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').any(|folder| folder == UPLOADS || folder == ATTACHMENTS)
}

/// Whether this is the path of a file in an archive, as some programs write it in place of the file's address.
#[must_use]
pub fn is_held_path(address: &str) -> bool {
    file_id(address).is_some() && !address.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_lies_below_their_folders_is_among_the_files() {
        for name in
            ["__uploads/F1/a.csv", "Corp/__uploads/F1/a.csv", "general/attachments/a.csv", "attachments/a/b.csv"]
        {
            assert!(is_among_held_files(name), "{name}");
        }
        for name in ["attachments", "general/attachments.csv", "general/2020.csv", "users.csv"] {
            assert!(!is_among_held_files(name), "{name}");
        }
    }

    #[test]
    fn files_are_found_by_the_names_of_their_entries() {
        for (name, id) in [
            ("__uploads/F1/a.png", Some("F1")),
            ("attachments/F1-a-b.png", Some("F1")),
            ("general/attachments/F1-a.png", Some("F1")),
            ("__uploads/a.png", None),
            ("__uploads//a.png", None),
            ("__uploads/F1/x/a.png", None),
            ("attachments/a.png", None),
            ("general/2020-01-02.json", None),
            ("users.json", None),
        ] {
            assert_eq!(file_id(name), id, "{name}");
        }
        assert!(is_held_path("attachments/F1-a.png") && !is_held_path("https://f.example/attachments/F1-a.png"));
    }
}
