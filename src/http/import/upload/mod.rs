//! Files on their way to an import: in one piece as Rocket.Chat takes them, from a URL or the server, and resumable.

mod body;
mod download;
mod intake;
mod metadata;
mod resumable;
mod whole;

pub(in crate::http) use download::download_public_import_file;
pub(super) use download::{__path_download_public_import_file, DownloadBody};
pub(super) use resumable::{__path_add, __path_announce, __path_remove, __path_uploads, UploadEntry};
pub(in crate::http) use resumable::{add, announce, look_at, overridden, remove, rules, uploads};
pub(in crate::http) use whole::upload_import_file;
pub(super) use whole::{__path_upload_import_file, UploadBody};

/// Where resumable uploads are.
pub(in crate::http) const UPLOADS: &str = "/v1/import.upload";
/// Where one of them is.
pub(in crate::http) const UPLOAD: &str = "/v1/import.upload/{id}";
