//! What a tus client says of a file: the header `Upload-Metadata`.

use actix_web::web::Query;
use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{http::error::ApiError, repository::UploadPurpose};

/// Hex digits of a SHA-256.
const SHA256_DIGITS: usize = 64;
const NO_METADATA: &str = "Upload-Metadata must be pairs of a key and a Base64 text, with commas between them";
const NO_PURPOSE: &str = "Upload-Metadata must hold importerKey, or in its place the purpose `check`";
const NO_SHA256: &str = "sha256 in Upload-Metadata must be 64 hex digits";

/// The metadata that this service knows. Others stay with the upload and mean nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) importer: Option<String>,
    pub(super) is_for_check: bool,
    pub(super) sha256: Option<String>,
    pub(super) replaces: bool,
}

impl Metadata {
    /// Reads the header, and the query: a client that cannot send metadata of its own says it there.
    pub(super) fn read(header: &str, query: &str) -> Result<Self, ApiError> {
        let mut metadata = Self::default();
        for pair in header.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let value = BASE64_STANDARD.decode(value.trim()).map_err(|_| ApiError::InvalidHeader(NO_METADATA))?;
            let value = String::from_utf8(value).map_err(|_| ApiError::InvalidHeader(NO_METADATA))?;
            metadata.take(key, value);
        }
        let query = Query::<Vec<(String, String)>>::from_query(query);
        for (key, value) in query.map_err(|_| ApiError::InvalidQuery("Invalid query parameters"))?.into_inner() {
            metadata.take(&key, value);
        }
        let is_hash =
            |hash: &String| hash.len() == SHA256_DIGITS && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
        if metadata.sha256.as_ref().is_some_and(|hash| !is_hash(hash)) {
            return Err(ApiError::InvalidHeader(NO_SHA256));
        }
        Ok(metadata)
    }

    /// The purpose of the upload: an importer reads it, or a check.
    pub(super) fn purpose(&self) -> Result<UploadPurpose, ApiError> {
        match (&self.importer, self.is_for_check) {
            (Some(importer), false) => {
                Ok(UploadPurpose::Import { importer: importer.clone(), replaces: self.replaces })
            }
            (None, true) => Ok(UploadPurpose::Check),
            (Some(_), true) | (None, false) => Err(ApiError::InvalidHeader(NO_PURPOSE)),
        }
    }

    fn take(&mut self, key: &str, value: String) {
        match key {
            "filename" | "name" | "fileName" => self.file_name = Some(value),
            "filetype" | "type" | "contentType" => self.content_type = Some(value),
            "importerKey" | "importer" => self.importer = Some(value),
            "purpose" => self.is_for_check = value == "check",
            "sha256" => self.sha256 = Some(value),
            "replace" => self.replaces = value == "true",
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_read_from_the_header_and_the_query() {
        let read = Metadata::read("filename ZXhwb3J0LnppcA==,importerKey c2xhY2s=,is_x", "replace=true").unwrap();
        assert_eq!((read.file_name.as_deref(), read.importer.as_deref()), (Some("export.zip"), Some("slack")));
        assert!(read.replaces);
        assert_eq!(read.purpose().unwrap(), UploadPurpose::Import { importer: "slack".to_owned(), replaces: true });
        assert_eq!(Metadata::read("purpose Y2hlY2s=", "").unwrap().purpose().unwrap(), UploadPurpose::Check);
        for query in ["", "purpose=other", "purpose=check&importerKey=csv"] {
            assert!(Metadata::read("", query).unwrap().purpose().is_err(), "{query}");
        }
        assert!(Metadata::read("filename ***", "").is_err());
        assert!(Metadata::read("sha256 YQ==", "").is_err());
    }
}
