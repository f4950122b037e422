//! The documents that tell Rocket.Chat of stored files.

use super::{
    attachment::{thumbnail_name, type_group},
    links::upload_path,
    picture::{Picture, Thumbnail},
};
use crate::domain::{
    document::{number, text},
    field_value::{Date, FieldValue, Fields},
    user_id::user_id_for,
};

/// Where the bytes of an upload are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAt {
    /// `FileUpload_Storage_Type`, such as `GridFS`.
    pub storage: &'static str,
    /// The field that holds the key of the object, and the key, where the store is not addressed by the `_id`.
    pub key: Option<(&'static str, String)>,
}

/// The file of a message whose bytes are stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    pub id: String,
    /// What Rocket.Chat stores as `message_id`: the message, and the file's id at its source.
    pub message_id: String,
    pub name: String,
    /// Bytes that are stored.
    pub size: u64,
    pub author: String,
    pub room: String,
    pub media_type: String,
    pub picture: Option<Picture>,
    /// The date of the message, by which lists of files are sorted.
    pub ts: Date,
}

/// The picture of a person whose bytes are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Avatar {
    pub id: String,
    /// The `_id` of the account.
    pub account: String,
    pub username: String,
    pub media_type: String,
    pub size: u64,
    pub at: Date,
}

impl Upload {
    /// The document of `rocketchat_uploads`.
    ///
    /// Source: `apps/meteor/server/ufs/ufs-store.ts`, `packages/models/src/models/BaseUploadModel.ts`.
    #[must_use]
    pub fn document(&self, at: &StoredAt, site_url: &str, now: Date) -> Fields {
        let mut fields = vec![
            ("_id", text(&self.id)),
            ("message_id", text(&self.message_id)),
            ("name", text(&self.name)),
            ("size", number(self.size)),
            ("userId", text(&self.author)),
            ("rid", text(&self.room)),
            ("type", text(&self.media_type)),
        ];
        put_place(&mut fields, at, "Uploads");
        fields.push(("_updatedAt", FieldValue::Date(now)));
        if let Some(picture) = &self.picture {
            fields.push(("identify", identify(picture.format, picture.width, picture.height)));
        }
        put_end(&mut fields, &self.id, &upload_path(&self.id, &self.name), self.ts, site_url);
        fields.push(("typeGroup", text(type_group(&self.media_type))));
        fields.into_iter().collect()
    }

    /// The document of `rocketchat_uploads` for the smaller copy of the picture.
    ///
    /// Source: `apps/meteor/server/lib/media/file-upload/lib/FileUpload.ts` (`uploadImageThumbnail`).
    #[must_use]
    pub fn thumbnail_document(
        &self,
        thumbnail: &Thumbnail,
        size: u64,
        at: &StoredAt,
        site_url: &str,
        now: Date,
    ) -> Fields {
        let name = thumbnail_name(&self.name);
        let mut fields = vec![
            ("_id", text(&thumbnail.id)),
            ("name", text(&name)),
            ("size", number(size)),
            ("type", text(thumbnail.media_type)),
            ("originalFileId", text(&self.id)),
            ("typeGroup", text("thumb")),
            ("rid", text(&self.room)),
            ("userId", text(&self.author)),
        ];
        put_place(&mut fields, at, "Uploads");
        fields.push(("_updatedAt", FieldValue::Date(now)));
        let format = thumbnail.media_type.rsplit('/').next().unwrap_or_default();
        fields.push(("identify", identify(format, thumbnail.width, thumbnail.height)));
        put_end(&mut fields, &thumbnail.id, &upload_path(&thumbnail.id, &name), self.ts, site_url);
        fields.into_iter().collect()
    }
}

impl Avatar {
    /// The document of `rocketchat_avatars`.
    ///
    /// Source: `apps/meteor/server/lib/users/setUserAvatar.ts`, `packages/models/src/models/Avatars.ts`.
    #[must_use]
    pub fn document(&self, at: &StoredAt, site_url: &str) -> Fields {
        let mut fields = vec![
            ("_id", text(&self.id)),
            ("userId", text(&self.account)),
            ("type", text(&self.media_type)),
            ("size", number(self.size)),
        ];
        put_place(&mut fields, at, "Avatars");
        fields.extend([("_updatedAt", FieldValue::Date(self.at)), ("name", text(&self.username))]);
        put_end(&mut fields, &self.id, &format!("/avatar/uid/{}", self.account), self.at, site_url);
        fields.into_iter().collect()
    }

    /// The tag that makes clients load the picture anew.
    #[must_use]
    pub fn etag(&self) -> String {
        user_id_for(&self.id)
    }
}

fn put_place(fields: &mut Vec<(&'static str, FieldValue)>, at: &StoredAt, kind: &str) {
    fields.push(("store", text(&format!("{}:{kind}", at.storage))));
    if let Some((field, key)) = &at.key {
        fields.push((field, FieldValue::Object(Fields::from_iter([("path", text(key))]))));
    }
}

/// What the end of an upload adds. The tag looks random, as Rocket.Chat's does, and follows from the id.
fn put_end(fields: &mut Vec<(&'static str, FieldValue)>, id: &str, path: &str, at: Date, site_url: &str) {
    fields.extend([
        ("complete", FieldValue::Boolean(true)),
        ("etag", text(&user_id_for(id))),
        ("path", text(path)),
        ("progress", FieldValue::Integer(1)),
        ("uploadedAt", FieldValue::Date(at)),
        ("uploading", FieldValue::Boolean(false)),
        ("url", text(&format!("{}{path}", site_url.trim_end_matches('/')))),
    ]);
}

fn identify(format: &str, width: u32, height: u32) -> FieldValue {
    let size = Fields::from_iter([("width", number(width.into())), ("height", number(height.into()))]);
    FieldValue::Object(Fields::from_iter([("format", text(format)), ("size", FieldValue::Object(size))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload() -> Upload {
        Upload {
            id: "6745".to_owned(),
            message_id: "slack-C1-1-file1-file-F1".to_owned(),
            name: "a b.png".to_owned(),
            size: 9120,
            author: "ann".to_owned(),
            room: "r".to_owned(),
            media_type: "image/png".to_owned(),
            picture: Some(Picture { format: "png", width: 640, height: 480, preview: None }),
            ts: Date::from_epoch_millis(5),
        }
    }

    #[test]
    fn an_upload_has_the_fields_of_rocket_chats_own_in_their_order() {
        let at = StoredAt { storage: "GridFS", key: None };
        let document = upload().document(&at, "https://chat.example/", Date::from_epoch_millis(9));
        let names: Vec<&str> = document.iter().map(|(name, _)| name).collect();
        let expected = [
            "_id",
            "message_id",
            "name",
            "size",
            "userId",
            "rid",
            "type",
            "store",
            "_updatedAt",
            "identify",
            "complete",
            "etag",
            "path",
            "progress",
            "uploadedAt",
            "uploading",
            "url",
            "typeGroup",
        ];
        assert_eq!(names, expected);
        assert_eq!(document.get("url"), Some(&text("https://chat.example/file-upload/6745/a%20b.png")));
        assert_eq!(document.get("uploadedAt"), Some(&FieldValue::Date(Date::from_epoch_millis(5))));
    }

    #[test]
    fn the_key_of_an_object_stands_in_the_field_of_its_store() {
        let at = StoredAt { storage: "AmazonS3", key: Some(("AmazonS3", "id/uploads/r/ann/6745".to_owned())) };
        let document = upload().document(&at, "", Date::from_epoch_millis(9));
        assert_eq!(document.get("store"), Some(&text("AmazonS3:Uploads")));
        let place = document.get("AmazonS3").and_then(FieldValue::as_object).unwrap();
        assert_eq!(place.get("path"), Some(&text("id/uploads/r/ann/6745")));
    }
}
