//! Facts about a picture that its message holds.

/// A picture that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The word that Rocket.Chat's image library has for the format, such as `jpeg`.
    pub format: &'static str,
    /// As it is shown, turned upright.
    pub width: u32,
    pub height: u32,
    /// A tiny JPEG in Base64, shown while the picture loads.
    pub preview: Option<String>,
}

/// A smaller copy of a picture, stored as an upload of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    pub id: String,
    pub media_type: &'static str,
    pub width: u32,
    pub height: u32,
}
