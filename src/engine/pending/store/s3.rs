//! Buckets of Amazon's, and of whatever else speaks like them.

use std::env;

use chrono::Utc;
use reqwest::{
    Client, Method, Response, Url,
    header::{AUTHORIZATION, ETAG},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Placed, StoreError,
    over_http::{CONNECT_PATIENCE, PATIENCE, away, bytes_of, checked, content_of},
    signature::{Signer, Unsigned, escaped, hash_of, moment},
};
use crate::{domain::upload::content::Content, repository::S3Settings};

/// `FileUpload_Storage_Type`, and the field of an upload that holds the key of its object.
pub(super) const NAME: &str = "AmazonS3";
pub(super) const FIELD: &str = "AmazonS3";
/// The smallest part that a store takes, but for the last.
const PART_BYTES: usize = 5 * 1024 * 1024;
const ACCESS_KEY_VARIABLE: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY_VARIABLE: &str = "AWS_SECRET_ACCESS_KEY";

/// A bucket.
#[derive(Debug, Clone)]
pub(in crate::engine::pending) struct Bucket {
    client: Client,
    /// Scheme and host, and the path before the key.
    base: Url,
    access_key: String,
    secret_key: SecretString,
    region: String,
    acl: String,
}

/// An object that is being written: whole if it is small, else in parts.
#[derive(Debug)]
pub(in crate::engine::pending) struct BucketWriter {
    bucket: Bucket,
    key: String,
    part: Vec<u8>,
    /// The id of an upload in parts, and the tags of those that are there.
    parts: Option<(String, Vec<String>)>,
    media_type: String,
}

impl Bucket {
    /// The bucket of the workspace.
    ///
    /// # Errors
    /// With a sentence, when the settings name none that can be used.
    pub(super) fn new(settings: &S3Settings) -> Result<Self, String> {
        let from = |given: &str, variable: &str| {
            if given.is_empty() { env::var(variable).unwrap_or_default() } else { given.to_owned() }
        };
        let access_key = from(&settings.access_key, ACCESS_KEY_VARIABLE);
        let secret_key = from(settings.secret_key.expose_secret(), SECRET_KEY_VARIABLE);
        if settings.bucket.is_empty() || access_key.is_empty() || secret_key.is_empty() {
            return Err(
                "The workspace keeps files in AmazonS3, but FileUpload_S3_Bucket or the keys are not set.".to_owned()
            );
        }
        let wrong = || "FileUpload_S3_BucketURL is no address.".to_owned();
        let endpoint = match settings.endpoint.as_str() {
            "" => format!("https://s3.{}.amazonaws.com", settings.region),
            endpoint if endpoint.contains("://") => endpoint.to_owned(),
            endpoint => format!("https://{endpoint}"),
        };
        let mut base = Url::parse(&endpoint).map_err(|_| wrong())?;
        let host = base.host_str().ok_or_else(wrong)?.to_owned();
        if settings.path_style {
            base.set_path(&format!("/{}/", settings.bucket));
        } else {
            base.set_host(Some(&format!("{}.{host}", settings.bucket))).map_err(|_| wrong())?;
            base.set_path("/");
        }
        let client = Client::builder().no_proxy().connect_timeout(CONNECT_PATIENCE).read_timeout(PATIENCE).build();
        Ok(Self {
            client: client.map_err(|error| error.without_url().to_string())?,
            base,
            access_key,
            secret_key: secret_key.into(),
            region: settings.region.clone(),
            acl: settings.acl.clone(),
        })
    }

    pub(super) fn begin(&self, placed: Placed<'_>) -> BucketWriter {
        BucketWriter {
            bucket: self.clone(),
            key: placed.key(),
            part: Vec::new(),
            parts: None,
            media_type: String::new(),
        }
    }

    pub(super) async fn read(&self, placed: Placed<'_>, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let answer = self.send(Method::GET, &placed.key(), &[], Vec::new(), "").await?;
        if answer.status().as_u16() == 404 {
            return Ok(None);
        }
        bytes_of(NAME, checked(NAME, answer)?, most).await
    }

    /// Reads the object to its end.
    pub(super) async fn content(&self, placed: Placed<'_>) -> Result<Option<Content>, StoreError> {
        let answer = self.send(Method::GET, &placed.key(), &[], Vec::new(), "").await?;
        if answer.status().as_u16() == 404 {
            return Ok(None);
        }
        content_of(NAME, checked(NAME, answer)?).await.map(Some)
    }

    /// Removes the object, and the parts of one that was never finished.
    pub(super) async fn remove(&self, placed: Placed<'_>) -> Result<(), StoreError> {
        let key = placed.key();
        let answer = self.send(Method::DELETE, &key, &[], Vec::new(), "").await?;
        if answer.status().as_u16() != 404 {
            checked(NAME, answer)?;
        }
        let listed = self.send(Method::GET, "", &[("prefix", &key), ("uploads", "")], Vec::new(), "").await?;
        // A store without uploads in parts has none to remove.
        let listed = if listed.status().is_success() { text_of(listed).await? } else { String::new() };
        for upload in elements(&listed, "UploadId") {
            let answer = self.send(Method::DELETE, &key, &[("uploadId", upload)], Vec::new(), "").await?;
            if answer.status().as_u16() != 404 {
                checked(NAME, answer)?;
            }
        }
        Ok(())
    }

    /// Sends a signed request. The query stands in the order of its names.
    async fn send(
        &self,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
        body: Vec<u8>,
        media_type: &str,
    ) -> Result<Response, StoreError> {
        let path: Vec<String> = key.split('/').map(escaped).collect();
        let path = format!("{}{}", self.base.path(), path.join("/"));
        let pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        let query = pairs.join("&");
        let now = Utc::now();
        let body_hash = hash_of(&body);
        let host = match (self.base.host_str().unwrap_or_default(), self.base.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let mut headers = vec![("host", host)];
        // An object is made by these two requests.
        let is_making = !media_type.is_empty();
        if is_making && !self.acl.is_empty() {
            headers.push(("x-amz-acl", self.acl.clone()));
        }
        headers.extend([("x-amz-content-sha256", body_hash.clone()), ("x-amz-date", moment(now))]);
        let signer =
            Signer { access_key: &self.access_key, secret_key: self.secret_key.expose_secret(), region: &self.region };
        let unsigned =
            Unsigned { method: method.as_str(), path: &path, query: &query, headers: &headers, body_hash: &body_hash };
        let authorization = signer.authorization(&unsigned, now);
        let mut url = self.base.clone();
        url.set_path(&path);
        url.set_query(Some(&query).filter(|query| !query.is_empty()).map(String::as_str));
        let mut request = self.client.request(method, url).header(AUTHORIZATION, authorization);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, value);
        }
        if is_making {
            request = request.header("content-type", media_type);
        }
        request.body(body).send().await.map_err(|_| away(NAME, "cannot be reached"))
    }
}

impl BucketWriter {
    /// The type of the file, which is known before its first byte.
    pub(super) fn typed(mut self, media_type: &str) -> Self {
        media_type.clone_into(&mut self.media_type);
        self
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.part.extend_from_slice(bytes);
        if self.part.len() >= PART_BYTES { self.send_part().await } else { Ok(()) }
    }

    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        if self.parts.is_none() {
            let body = std::mem::take(&mut self.part);
            checked(NAME, self.bucket.send(Method::PUT, &self.key, &[], body, &self.media_type).await?)?;
            return Ok(());
        }
        if !self.part.is_empty() {
            self.send_part().await?;
        }
        let Some((upload, tags)) = &self.parts else { return Ok(()) };
        let parts = tags
            .iter()
            .zip(1..)
            .map(|(tag, number)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"));
        let body = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.collect::<String>());
        let query = [("uploadId", upload.as_str())];
        let answer = self.bucket.send(Method::POST, &self.key, &query, body.into_bytes(), "").await?;
        // It may say that it failed after it has said that all is well.
        if text_of(checked(NAME, answer)?).await?.contains("<Error>") {
            Err(away(NAME, "did not put the parts together"))
        } else {
            Ok(())
        }
    }

    async fn send_part(&mut self) -> Result<(), StoreError> {
        if self.parts.is_none() {
            let query = [("uploads", "")];
            let begun = self.bucket.send(Method::POST, &self.key, &query, Vec::new(), &self.media_type).await?;
            let begun = text_of(checked(NAME, begun)?).await?;
            let upload =
                elements(&begun, "UploadId").next().ok_or_else(|| away(NAME, "gave no id to an upload in parts"))?;
            self.parts = Some((upload.to_owned(), Vec::new()));
        }
        let Some((upload, tags)) = &mut self.parts else { return Ok(()) };
        let number = (tags.len() + 1).to_string();
        let query = [("partNumber", number.as_str()), ("uploadId", upload.as_str())];
        let body = std::mem::take(&mut self.part);
        let answer = checked(NAME, self.bucket.send(Method::PUT, &self.key, &query, body, "").await?)?;
        let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default();
        tags.push(tag.to_owned());
        Ok(())
    }
}

/// The texts of the elements with this name.
fn elements<'x>(xml: &'x str, name: &str) -> impl Iterator<Item = &'x str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let texts: Vec<&str> = xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0)).collect();
    texts.into_iter()
}

async fn text_of(answer: Response) -> Result<String, StoreError> {
    answer.text().await.map_err(|_| away(NAME, "broke off"))
}
