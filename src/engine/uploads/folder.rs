//! Files of the server, which are read where they are.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::task::spawn_blocking;

use super::{Arrived, UploadRefusal, Uploads};
use crate::domain::file_source::FileSource;

impl Uploads {
    /// Begins the import with a file of the server. Returns the operation.
    ///
    /// # Errors
    /// When there is no such file below the folder that is meant for them.
    pub(crate) async fn begin_with_path(&self, path: &str, file: &Arrived<'_>) -> Result<String, UploadRefusal> {
        let folder = self.settings().folder.clone().ok_or_else(|| {
            UploadRefusal::Path(
                "Files of the server are not read: set IMPORT_FOLDER to a folder that holds them".to_owned(),
            )
        })?;
        let wanted = path.to_owned();
        let found = spawn_blocking(move || file_below(&folder, Path::new(&wanted))).await;
        let found = found.unwrap_or(Err(PathProblem::Unreadable))?;
        self.begin(FileSource::Folder(found), file).await
    }
}

/// A problem of a path.
#[derive(Debug, PartialEq, Eq)]
enum PathProblem {
    Missing(String),
    /// It leads out of the folder, or nobody may know whether it does.
    Outside,
    NoFile,
    Unreadable,
}

impl From<PathProblem> for UploadRefusal {
    fn from(problem: PathProblem) -> Self {
        match problem {
            PathProblem::Missing(path) => Self::NoSuchPath(path),
            PathProblem::Outside => Self::Path("The file is not below IMPORT_FOLDER".to_owned()),
            PathProblem::NoFile => Self::Path("It is a folder: give the path of a file".to_owned()),
            PathProblem::Unreadable => Self::Path("The file cannot be read by this service".to_owned()),
        }
    }
}

/// Returns the file that the path leads to, links resolved. A path without a beginning counts from the folder.
fn file_below(folder: &Path, path: &Path) -> Result<PathBuf, PathProblem> {
    let folder = folder.canonicalize().map_err(|_| PathProblem::Unreadable)?;
    let found = folder.join(path).canonicalize().map_err(|error| match error.kind() {
        // Nothing is said of what there is elsewhere.
        io::ErrorKind::NotFound if is_plainly_below(&folder, path) => {
            PathProblem::Missing(path.to_string_lossy().into_owned())
        }
        _ => PathProblem::Outside,
    })?;
    if !found.starts_with(&folder) || found.to_str().is_none() {
        return Err(PathProblem::Outside);
    }
    if !found.is_file() {
        return Err(PathProblem::NoFile);
    }
    std::fs::File::open(&found).map_err(|_| PathProblem::Unreadable)?;
    Ok(found)
}

/// Whether the path is below the folder by its words alone.
fn is_plainly_below(folder: &Path, path: &Path) -> bool {
    let has_steps_up = path.components().any(|part| part == std::path::Component::ParentDir);
    !has_steps_up && folder.join(path).starts_with(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_files_below_the_folder_are_found_wherever_links_lead() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("imports");
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        std::fs::write(folder.join("inner/a.zip"), b"a").unwrap();
        std::fs::write(place.path().join("secret"), b"s").unwrap();
        symlink(place.path().join("secret"), folder.join("link")).unwrap();
        symlink(folder.join("inner/a.zip"), folder.join("inside")).unwrap();
        let found = folder.canonicalize().unwrap().join("inner/a.zip");
        let absolute = folder.join("inner/a.zip");
        for path in ["inner/a.zip", "inside", absolute.to_str().unwrap()] {
            assert_eq!(file_below(&folder, Path::new(path)).as_ref(), Ok(&found), "{path}");
        }
        for (path, problem) in [
            ("link", PathProblem::Outside),
            ("../secret", PathProblem::Outside),
            ("../nothing", PathProblem::Outside),
            ("/etc/passwd", PathProblem::Outside),
            ("inner", PathProblem::NoFile),
            ("none.zip", PathProblem::Missing("none.zip".to_owned())),
        ] {
            assert_eq!(file_below(&folder, Path::new(path)), Err(problem), "{path}");
        }
    }
}
