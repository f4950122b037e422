//! The file of the command line: a path, or standard input.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::super::CommandError;

/// Stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Opens the file. What can be read only once, such as a pipe, is copied to a file without a name first.
///
/// # Errors
/// With a sentence for a file that cannot be read, and for a URL.
pub(super) fn open(path: &Path) -> Result<File, CommandError> {
    let unreadable = |error: io::Error| CommandError::File(format!("{}: {error}", path.display()));
    if is_url(path) {
        return Err(CommandError::File(format!(
            "{}: URLs are not fetched; download the file, or pipe it: curl URL | rocketchat-import users -",
            path.display()
        )));
    }
    if is_standard_input(path) {
        return copied(io::stdin().lock()).map_err(unreadable);
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(CommandError::File(format!("{}: this is a folder; give a file in it", path.display())));
    }
    if metadata.is_file() { Ok(file) } else { copied(file).map_err(unreadable) }
}

/// Whether the path stands for standard input.
pub(super) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT
}

fn is_url(path: &Path) -> bool {
    let scheme = path.to_str().and_then(|path| path.split_once("://")).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn copied(mut source: impl io::Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut source, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// The name that shows the format, if there is one.
pub(super) fn name_of(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|name| name != STANDARD_INPUT)
}

/// Makes the file for the lines that are left out, readable for its owner alone: it may hold passwords.
///
/// # Errors
/// When it cannot be made, and when it is the file of users itself.
pub(super) fn create_rejects(path: &PathBuf, users: &Path) -> Result<File, CommandError> {
    let is_same = match (path.canonicalize(), users.canonicalize()) {
        (Ok(path), Ok(users)) => path == users,
        _ => false,
    };
    if is_same {
        return Err(CommandError::Setting(format!("--rejects: {} is the file of users itself", path.display())));
    }
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| CommandError::Setting(format!("--rejects: {}: {error}", path.display())))
}
