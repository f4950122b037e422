//! Pictures: their sizes, their previews, and smaller copies of them.
//!
//! A file from elsewhere may claim any size. The sizes are read first, and nothing larger than the limits is decoded.

use std::io::Cursor;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::{
    DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits, RgbaImage,
    codecs::jpeg::JpegEncoder,
    imageops::{FilterType, overlay},
    metadata::Orientation,
};

use crate::domain::upload::picture::Picture;

/// A picture with more dots is not decoded; its size alone is read.
const MOST_DOTS: u64 = 24_000_000;
/// Bytes that a decoder may take.
const MOST_DECODER_BYTES: u64 = 100 * 1024 * 1024;
/// The sides of the box that a preview fills.
///
/// Source: `apps/meteor/server/lib/media/file-upload/lib/FileUpload.ts` (`resizeImagePreview`).
const PREVIEW_SIDE: u32 = 32;
const PREVIEW_BLUR: f32 = 1.0;
const JPEG_QUALITY: u8 = 80;

/// Bytes of a picture that was made here.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) bytes: Vec<u8>,
    pub(super) media_type: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A picture and its smaller copy.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) picture: Picture,
    pub(super) thumbnail: Option<Made>,
}

/// Reads a picture; `None` if it cannot be read. The smaller copy fits into the box `thumbnail`, unless the picture does.
pub(super) fn examine(bytes: &[u8], thumbnail: Option<(u32, u32)>) -> Option<Examined> {
    let Opened { format, orientation, width, height, image } = open(bytes)?;
    let (shown_width, shown_height) = if turns(orientation) { (height, width) } else { (width, height) };
    let mut picture = Picture { format: name_of(format), width: shown_width, height: shown_height, preview: None };
    let Some(image) = image else { return Some(Examined { picture, thumbnail: None }) };
    let keeps_alpha = image.color().has_alpha();
    let small = |(width, height): (u32, u32)| {
        // Scaled before it is turned: turning copies.
        let mut small = image.thumbnail(
            if turns(orientation) { height } else { width },
            if turns(orientation) { width } else { height },
        );
        small.apply_orientation(orientation);
        small
    };
    let wanted = thumbnail.filter(|(width, height)| shown_width > *width || shown_height > *height);
    let thumbnail = wanted.map(small).and_then(|small| encoded(&small, keeps_alpha));
    let preview = small((PREVIEW_SIDE, PREVIEW_SIDE)).blur(PREVIEW_BLUR);
    picture.preview = encoded(&preview, false).map(|preview| BASE64_STANDARD.encode(preview.bytes));
    Some(Examined { picture, thumbnail })
}

/// Makes the picture of a person: a square of this side. One without transparency is cut to fill it, another one is put
/// into its middle. `None` if the bytes cannot be read.
///
/// Source: `apps/meteor/server/lib/media/file-upload/lib/FileUpload.ts` (`avatarsOnValidate`).
pub(super) fn avatar(bytes: &[u8], side: u32) -> Option<Made> {
    let Opened { orientation, image, .. } = open(bytes)?;
    let image = image?;
    if !image.color().has_alpha() {
        let mut square = image.resize_to_fill(side, side, FilterType::Triangle);
        square.apply_orientation(orientation);
        return encoded(&square, false);
    }
    let mut fitted = image.resize(side, side, FilterType::Triangle);
    fitted.apply_orientation(orientation);
    let mut square = RgbaImage::new(side, side);
    let (left, top) = ((side - fitted.width()) / 2, (side - fitted.height()) / 2);
    overlay(&mut square, &fitted.to_rgba8(), left.into(), top.into());
    encoded(&DynamicImage::ImageRgba8(square), true)
}

struct Opened {
    format: ImageFormat,
    orientation: Orientation,
    width: u32,
    height: u32,
    /// `None` for one that is too large, or broken.
    image: Option<DynamicImage>,
}

fn open(bytes: &[u8]) -> Option<Opened> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let format = reader.format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let is_decoded = u64::from(width) * u64::from(height) <= MOST_DOTS && decoder.total_bytes() <= MOST_DECODER_BYTES;
    let image = if is_decoded { DynamicImage::from_decoder(decoder).ok() } else { None };
    Some(Opened { format, orientation, width, height, image: image.filter(|image| image.width() > 0) })
}

/// Whether width and height change places.
const fn turns(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    )
}

/// The word that Rocket.Chat's image library has for the format.
const fn name_of(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "png",
        ImageFormat::Jpeg => "jpeg",
        ImageFormat::Gif => "gif",
        ImageFormat::WebP => "webp",
        _ => "",
    }
}

fn encoded(image: &DynamicImage, keeps_alpha: bool) -> Option<Made> {
    let (width, height) = (image.width(), image.height());
    let mut bytes = Vec::new();
    let media_type = if keeps_alpha {
        image.to_rgba8().write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).ok()?;
        "image/png"
    } else {
        image.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)).ok()?;
        "image/jpeg"
    };
    Some(Made { bytes, media_type, width, height })
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba};

    use super::*;

    /// A picture that is red above and blue below.
    fn two_colours(width: u32, height: u32) -> DynamicImage {
        let colour = |y: u32| if y < height / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) };
        DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |_, y| colour(y)))
    }

    fn jpeg(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Jpeg).unwrap();
        bytes
    }

    /// The JPEG with a note in its head that a camera was held on its side.
    fn on_its_side(jpeg: &[u8]) -> Vec<u8> {
        let tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let length = u16::try_from(tiff.len() + 8).unwrap().to_be_bytes();
        [&jpeg[..2], b"\xff\xe1", &length, b"Exif\0\0", tiff, &jpeg[2..]].concat()
    }

    #[test]
    fn a_picture_is_measured_upright_and_its_copies_are_turned() {
        let bytes = on_its_side(&jpeg(&two_colours(1200, 800)));
        let Examined { picture, thumbnail } = examine(&bytes, Some((480, 360))).unwrap();
        assert_eq!((picture.format, picture.width, picture.height), ("jpeg", 800, 1200));
        let thumbnail = thumbnail.unwrap();
        assert_eq!((thumbnail.width, thumbnail.height, thumbnail.media_type), (240, 360, "image/jpeg"));
        let shown = image::load_from_memory(&thumbnail.bytes).unwrap().to_rgb8();
        // Turned to the right, what was above is on the right.
        assert!(shown.get_pixel(200, 180)[0] > 200 && shown.get_pixel(40, 180)[2] > 200);
        let preview = BASE64_STANDARD.decode(picture.preview.unwrap()).unwrap();
        let preview = image::load_from_memory(&preview).unwrap();
        assert_eq!((preview.width(), preview.height()), (21, 32));
    }

    #[test]
    fn a_small_picture_needs_no_smaller_copy_and_a_broken_one_is_none() {
        let bytes = jpeg(&two_colours(100, 80));
        assert!(examine(&bytes, Some((480, 360))).unwrap().thumbnail.is_none());
        assert!(examine(b"<html>", Some((480, 360))).is_none());
        let torn = examine(&bytes[..bytes.len() / 2], None);
        assert!(torn.is_none_or(|torn| torn.picture.width == 100));
    }

    #[test]
    fn a_picture_that_is_too_large_is_measured_alone() {
        let mut bytes = Vec::new();
        let large = DynamicImage::new_luma8(6001, 4001);
        large.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        let Examined { picture, thumbnail } = examine(&bytes, Some((480, 360))).unwrap();
        assert_eq!((picture.width, picture.height), (6001, 4001));
        assert!(picture.preview.is_none() && thumbnail.is_none());
    }

    #[test]
    fn people_get_squares() {
        let cut = avatar(&jpeg(&two_colours(300, 100)), 200).unwrap();
        assert_eq!((cut.width, cut.height, cut.media_type), (200, 200, "image/jpeg"));
        let clear = DynamicImage::ImageRgba8(RgbaImage::from_pixel(10, 40, Rgba([9, 9, 9, 255])));
        let mut bytes = Vec::new();
        clear.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        let fitted = avatar(&bytes, 200).unwrap();
        assert_eq!((fitted.width, fitted.height, fitted.media_type), (200, 200, "image/png"));
        let shown = image::load_from_memory(&fitted.bytes).unwrap().to_rgba8();
        assert_eq!((shown.get_pixel(5, 100)[3], shown.get_pixel(100, 100)[3]), (0, 255));
    }
}
