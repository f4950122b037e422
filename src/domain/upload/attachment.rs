//! The attachment that shows a stored file in its message.

use super::{
    links::attachment_link,
    media_type::{Shown, shown_as},
    picture::{Picture, Thumbnail},
};
use crate::domain::{
    document::{number, text},
    field_value::{FieldValue, Fields},
};

/// The mark of a note about a file that could not be fetched, by which a later success finds and removes it.
const NOTE_MARK: &str = "importNote";
const NOTE_COLOUR: &str = "#F5455C";

/// A stored file, as its message names it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownFile<'a> {
    /// The `_id` of the upload.
    pub id: &'a str,
    pub name: &'a str,
    pub media_type: &'a str,
    pub size: u64,
    pub picture: Option<&'a Picture>,
    pub thumbnail: Option<&'a Thumbnail>,
}

/// What of a message shows its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Showing {
    pub attachment: FieldValue,
    /// `file` of the message: the upload that goes when the message is deleted.
    pub file: FieldValue,
    /// `files`: the upload and its thumbnail.
    pub files: Vec<FieldValue>,
    /// `_importFile.rocketChatUrl`.
    pub link: String,
}

impl ShownFile<'_> {
    /// Makes the attachment as Rocket.Chat does for a file that somebody sends.
    ///
    /// Clients choose how to show a file by the presence of a field, so a value that is not known is left out.
    ///
    /// Source: `apps/meteor/server/meteor-methods/messages/sendFileMessage.ts`.
    #[must_use]
    pub fn showing(&self) -> Showing {
        let link = attachment_link(self.id, self.name);
        let mut fields = vec![("title", text(self.name)), ("type", text("file"))];
        if shown_as(self.media_type) == Shown::File {
            fields.push(("format", text(&format_of(self.name))));
        }
        fields.push(("title_link", text(&link)));
        fields.push(("title_link_download", FieldValue::Boolean(true)));
        match shown_as(self.media_type) {
            Shown::Picture => self.put_picture(&link, &mut fields),
            Shown::Audio => {
                fields.extend([("audio_url", text(&link)), ("audio_type", text(self.media_type))]);
                fields.push(("audio_size", number(self.size)));
            }
            Shown::Video => {
                fields.extend([("video_url", text(&link)), ("video_type", text(self.media_type))]);
                fields.push(("video_size", number(self.size)));
            }
            Shown::File => fields.push(("size", number(self.size))),
        }
        fields.push(("fileId", text(self.id)));
        let file = self.file();
        let mut files = vec![file.clone()];
        files.extend(self.thumbnail.map(|thumbnail| self.thumbnail_file(thumbnail)));
        Showing { attachment: FieldValue::Object(fields.into_iter().collect()), file, files, link }
    }

    fn put_picture(&self, link: &str, fields: &mut Vec<(&'static str, FieldValue)>) {
        match self.thumbnail {
            Some(thumbnail) => {
                fields.push(("image_url", text(&attachment_link(&thumbnail.id, self.name))));
                fields.push(("image_type", text(thumbnail.media_type)));
            }
            None => fields.extend([("image_url", text(link)), ("image_type", text(self.media_type))]),
        }
        fields.push(("image_size", number(self.size)));
        let Some(picture) = self.picture else { return };
        let (width, height) =
            self.thumbnail.map_or((picture.width, picture.height), |thumbnail| (thumbnail.width, thumbnail.height));
        let size = Fields::from_iter([("width", number(width.into())), ("height", number(height.into()))]);
        fields.push(("image_dimensions", FieldValue::Object(size)));
        if let Some(preview) = &picture.preview {
            fields.push(("image_preview", text(preview)));
        }
    }

    fn file(&self) -> FieldValue {
        let format = self.picture.map_or("", |picture| picture.format);
        FieldValue::Object(Fields::from_iter([
            ("_id", text(self.id)),
            ("name", text(self.name)),
            ("type", text(self.media_type)),
            ("size", number(self.size)),
            ("format", text(format)),
            ("typeGroup", text(type_group(self.media_type))),
        ]))
    }

    fn thumbnail_file(&self, thumbnail: &Thumbnail) -> FieldValue {
        FieldValue::Object(Fields::from_iter([
            ("_id", text(&thumbnail.id)),
            ("name", text(&thumbnail_name(self.name))),
            ("type", text(thumbnail.media_type)),
            ("format", text(thumbnail.media_type.rsplit('/').next().unwrap_or_default())),
            ("typeGroup", text("thumb")),
        ]))
    }
}

/// The name that Rocket.Chat gives to the smaller copy of a picture.
#[must_use]
pub fn thumbnail_name(name: &str) -> String {
    format!("thumb-{name}")
}

/// The part of a type by which Rocket.Chat sorts files.
///
/// Source: `packages/models/src/models/BaseUploadModel.ts` (`insertFileInit`).
#[must_use]
pub fn type_group(media_type: &str) -> &str {
    media_type.split('/').next().unwrap_or_default()
}

/// What a message holds in place of a file that could not be fetched.
#[must_use]
pub fn note(name: &str, reason: &str) -> FieldValue {
    FieldValue::Object(Fields::from_iter([
        ("title", text(name)),
        ("text", text(&format!("This file is missing: {reason}"))),
        ("color", text(NOTE_COLOUR)),
        (NOTE_MARK, FieldValue::Boolean(true)),
    ]))
}

/// The attachments of a message but for our notes about files.
#[must_use]
pub fn without_notes(attachments: Option<&FieldValue>) -> Vec<FieldValue> {
    let Some(FieldValue::List(list)) = attachments else { return Vec::new() };
    let is_note =
        |one: &FieldValue| one.as_object().is_some_and(|one| one.get(NOTE_MARK).is_some_and(FieldValue::is_truthy));
    list.iter().filter(|one| !is_note(one)).cloned().collect()
}

/// The ending of a name in capitals.
///
/// Source: `apps/meteor/lib/utils/getFileExtension.ts`.
fn format_of(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((before, ending)) if !before.is_empty() && !ending.is_empty() => ending.to_uppercase(),
        _ => "file".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn showing(name: &str, media_type: &str, picture: Option<&Picture>, thumbnail: Option<&Thumbnail>) -> Showing {
        ShownFile { id: "up", name, media_type, size: 9, picture, thumbnail }.showing()
    }

    fn names(value: &FieldValue) -> Vec<String> {
        value.as_object().unwrap().iter().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn each_kind_of_file_has_the_fields_of_its_own() {
        for (name, media_type, expected) in [
            ("a.mp3", "audio/mpeg", vec!["audio_url", "audio_type", "audio_size"]),
            ("a.mp4", "video/mp4", vec!["video_url", "video_type", "video_size"]),
            ("a.png", "image/png", vec!["image_url", "image_type", "image_size"]),
        ] {
            let shown = showing(name, media_type, None, None);
            let all = [vec!["title", "type", "title_link", "title_link_download"], expected, vec!["fileId"]].concat();
            assert_eq!(names(&shown.attachment), all, "{name}");
        }
        let shown = showing("report.PDF", "application/pdf", None, None);
        assert_eq!(
            names(&shown.attachment),
            ["title", "type", "format", "title_link", "title_link_download", "size", "fileId"]
        );
        assert_eq!(shown.attachment.as_object().unwrap().get("format"), Some(&text("PDF")));
        assert_eq!(shown.link, "/file-upload/up/report.PDF");
    }

    #[test]
    fn a_picture_shows_its_thumbnail_and_leads_to_itself() {
        let picture = Picture { format: "jpeg", width: 4000, height: 3000, preview: Some("abc".to_owned()) };
        let thumbnail = Thumbnail { id: "th".to_owned(), media_type: "image/jpeg", width: 480, height: 360 };
        let shown = showing("a.jpg", "image/jpeg", Some(&picture), Some(&thumbnail));
        let fields = shown.attachment.as_object().unwrap();
        assert_eq!(fields.get("title_link"), Some(&text("/file-upload/up/a.jpg")));
        assert_eq!(fields.get("image_url"), Some(&text("/file-upload/th/a.jpg")));
        assert_eq!(fields.get("image_dimensions").unwrap().as_object().unwrap().get("width"), Some(&number(480)));
        assert_eq!(shown.files.len(), 2);
    }

    #[test]
    fn a_note_is_found_again_and_other_attachments_stay() {
        let other = FieldValue::Object(Fields::from_iter([("text", text("a quote"))]));
        let list = FieldValue::List(vec![note("a.png", "why"), other.clone()]);
        assert_eq!(without_notes(Some(&list)), [other]);
        assert_eq!(without_notes(None), []);
        for (name, format) in [("a.tar.gz", "GZ"), ("README", "file"), (".bashrc", "file"), ("a.", "file")] {
            assert_eq!(format_of(name), format, "{name}");
        }
    }
}
