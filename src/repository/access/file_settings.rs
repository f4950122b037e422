//! The settings that stored files depend on.

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::Settings;
use crate::{domain::field_value::FieldValue, repository::RepositoryError};

const STORAGE_TYPE: &str = "FileUpload_Storage_Type";
const DEFAULT_STORAGE_TYPE: &str = "GridFS";
/// Bytes of the largest file; -1 for any.
const MAX_FILE_SIZE: &str = "FileUpload_MaxFileSize";
const DEFAULT_MAX_FILE_SIZE: i64 = 104_857_600;
const SITE_URL: &str = "Site_Url";
const UNIQUE_ID: &str = "uniqueID";
const THUMBNAILS: &str = "Message_Attachments_Thumbnails_Enabled";
const THUMBNAIL_WIDTH: &str = "Message_Attachments_Thumbnails_Width";
const THUMBNAIL_HEIGHT: &str = "Message_Attachments_Thumbnails_Height";
const DEFAULT_THUMBNAIL: (i64, i64) = (480, 360);
const AVATAR_SIZE: &str = "Accounts_AvatarSize";
const DEFAULT_AVATAR_SIZE: i64 = 200;
/// Beyond this the picture of a person is no avatar any more.
const LARGEST_AVATAR: i64 = 2000;
const AVATAR_PROVIDER: &str = "Accounts_AvatarExternalProviderUrl";
const BUCKET: &str = "FileUpload_S3_Bucket";
const ACL: &str = "FileUpload_S3_Acl";
const ACCESS_KEY: &str = "FileUpload_S3_AWSAccessKeyId";
const SECRET_KEY: &str = "FileUpload_S3_AWSSecretAccessKey";
const REGION: &str = "FileUpload_S3_Region";
const DEFAULT_REGION: &str = "us-east-1";
const ENDPOINT: &str = "FileUpload_S3_BucketURL";
const PATH_STYLE: &str = "FileUpload_S3_ForcePathStyle";
const GOOGLE_BUCKET: &str = "FileUpload_GoogleStorage_Bucket";
const GOOGLE_ACCOUNT: &str = "FileUpload_GoogleStorage_AccessId";
const GOOGLE_KEY: &str = "FileUpload_GoogleStorage_Secret";
const DAV_SERVER: &str = "FileUpload_Webdav_Server_URL";
const DAV_FOLDER: &str = "FileUpload_Webdav_Upload_Folder_Path";
const DAV_USER: &str = "FileUpload_Webdav_Username";
const DAV_PASSWORD: &str = "FileUpload_Webdav_Password";

/// The settings that stores depend on.
const OF_STORES: [&str; 15] = [
    STORAGE_TYPE,
    BUCKET,
    ACL,
    ACCESS_KEY,
    SECRET_KEY,
    REGION,
    ENDPOINT,
    PATH_STYLE,
    GOOGLE_BUCKET,
    GOOGLE_ACCOUNT,
    GOOGLE_KEY,
    DAV_SERVER,
    DAV_FOLDER,
    DAV_USER,
    DAV_PASSWORD,
];

/// How Rocket.Chat keeps files.
///
/// Source: `apps/meteor/server/settings/file-upload.ts`, `apps/meteor/server/settings/accounts.ts`.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// The store of new files.
    pub storage: String,
    /// A hash of every setting that a store depends on: it changes when one of them does.
    pub store_hash: [u8; 32],
    /// Bytes of the largest file; `None` for any.
    pub largest: Option<u64>,
    pub site_url: String,
    /// The beginning of the keys in stores of objects.
    pub unique_id: String,
    /// The box that smaller copies of pictures fit into; `None` if there are none.
    pub thumbnail: Option<(u32, u32)>,
    /// The sides of the picture of a person.
    pub avatar_side: u32,
    /// Whether Rocket.Chat fetches pictures of people from elsewhere and shows none that is stored.
    pub has_avatar_provider: bool,
    pub s3: S3Settings,
    pub google: GoogleSettings,
    pub webdav: WebdavSettings,
}

/// The settings of the store `AmazonS3`.
#[derive(Debug, Clone)]
pub struct S3Settings {
    pub bucket: String,
    pub acl: String,
    pub access_key: String,
    pub secret_key: SecretString,
    pub region: String,
    /// Empty for Amazon's own.
    pub endpoint: String,
    /// Whether the bucket stands in the path instead of the host.
    pub path_style: bool,
}

/// The settings of the store `GoogleCloudStorage`.
#[derive(Debug, Clone)]
pub struct GoogleSettings {
    pub bucket: String,
    /// The address of a service account, as of a mail.
    pub account: String,
    /// The private key of the account, as PEM.
    pub key: SecretString,
}

/// The settings of the store `Webdav`.
#[derive(Debug, Clone)]
pub struct WebdavSettings {
    pub server: String,
    /// Below the address of the server; empty for the address itself.
    pub folder: String,
    pub user: String,
    pub password: SecretString,
}

impl Settings {
    /// Reads how Rocket.Chat keeps files at this moment.
    pub async fn files(&self) -> Result<FileSettings, RepositoryError> {
        let general = [
            MAX_FILE_SIZE,
            SITE_URL,
            UNIQUE_ID,
            THUMBNAILS,
            THUMBNAIL_WIDTH,
            THUMBNAIL_HEIGHT,
            AVATAR_SIZE,
            AVATAR_PROVIDER,
        ];
        let ids: Vec<&str> = general.into_iter().chain(OF_STORES).collect();
        let stored = self.values(&ids).await?;
        let text = |id: &str, default: &str| {
            let stored = stored.get(id).and_then(FieldValue::as_text).map(str::trim).filter(|text| !text.is_empty());
            stored.unwrap_or(default).to_owned()
        };
        let mut store_hash = Sha256::new();
        for id in OF_STORES {
            let value = stored.get(id);
            store_hash.update(text(id, ""));
            // No text has this sign.
            store_hash.update([0xff, u8::from(value.is_some_and(FieldValue::is_truthy))]);
        }
        let number = |id: &str, default: i64| stored.get(id).and_then(FieldValue::as_integer).unwrap_or(default);
        let side = |id: &str, default: i64| u32::try_from(number(id, default)).unwrap_or_default();
        let has_thumbnails = stored.get(THUMBNAILS).is_none_or(FieldValue::is_truthy);
        let thumbnail = (side(THUMBNAIL_WIDTH, DEFAULT_THUMBNAIL.0), side(THUMBNAIL_HEIGHT, DEFAULT_THUMBNAIL.1));
        let avatar_side = number(AVATAR_SIZE, DEFAULT_AVATAR_SIZE);
        let avatar_side = if (1..=LARGEST_AVATAR).contains(&avatar_side) { avatar_side } else { DEFAULT_AVATAR_SIZE };
        Ok(FileSettings {
            store_hash: store_hash.finalize().into(),
            storage: text(STORAGE_TYPE, DEFAULT_STORAGE_TYPE),
            largest: u64::try_from(number(MAX_FILE_SIZE, DEFAULT_MAX_FILE_SIZE)).ok(),
            site_url: text(SITE_URL, ""),
            unique_id: text(UNIQUE_ID, ""),
            thumbnail: Some(thumbnail).filter(|(width, height)| has_thumbnails && *width > 0 && *height > 0),
            avatar_side: u32::try_from(avatar_side).unwrap_or_default(),
            has_avatar_provider: !text(AVATAR_PROVIDER, "").is_empty(),
            s3: S3Settings {
                bucket: text(BUCKET, ""),
                acl: text(ACL, ""),
                access_key: text(ACCESS_KEY, ""),
                secret_key: SecretString::from(text(SECRET_KEY, "")),
                region: text(REGION, DEFAULT_REGION),
                endpoint: text(ENDPOINT, ""),
                path_style: stored.get(PATH_STYLE).is_some_and(FieldValue::is_truthy),
            },
            google: GoogleSettings {
                bucket: text(GOOGLE_BUCKET, ""),
                account: text(GOOGLE_ACCOUNT, ""),
                key: SecretString::from(text(GOOGLE_KEY, "")),
            },
            webdav: WebdavSettings {
                server: text(DAV_SERVER, ""),
                folder: text(DAV_FOLDER, ""),
                user: text(DAV_USER, ""),
                password: SecretString::from(text(DAV_PASSWORD, "")),
            },
        })
    }
}
