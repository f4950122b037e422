//! Text of any encoding as UTF-8, a piece at a time.

use std::io::{self, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// The longest UTF-8 sequence, which the decoder needs room for.
const LONGEST_CHARACTER: usize = 4;
const UTF_32_MARKS: [&[u8]; 2] = [b"\xff\xfe\0\0", b"\0\0\xfe\xff"];

/// The encoding that a name of the WHATWG list stands for, such as `windows-1252`, `latin1`, `utf-16le`.
///
/// # Errors
/// With a sentence that names some.
pub(crate) fn encoding_named(name: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(name.trim().as_bytes()).ok_or_else(|| {
        format!(
            "{name} is not known; some that are: utf-8, utf-16le, windows-1252 (Western Europe), windows-1250 (Central \
             Europe), windows-1251 (Cyrillic), shift_jis, gbk, big5, euc-kr, macintosh"
        )
    })
}

/// UTF-8 text out of bytes in another encoding. A mark at the beginning is left out.
pub(super) struct Decoded<R> {
    source: R,
    decoder: encoding_rs::Decoder,
    encoding: &'static Encoding,
    /// Bytes that are read and not yet decoded.
    piece: Box<[u8]>,
    start: usize,
    end: usize,
    is_at_end: bool,
    is_finished: bool,
    /// Comes next.
    fault: Option<io::Error>,
}

impl<R: Read> Decoded<R> {
    /// `head` is the beginning of the source, `given` the encoding that the caller names.
    ///
    /// # Errors
    /// With a sentence, for an encoding that cannot be read.
    pub(super) fn new(source: R, head: &[u8], given: Option<&'static Encoding>) -> Result<Self, String> {
        if UTF_32_MARKS.iter().any(|mark| head.starts_with(mark)) {
            return Err("the file is UTF-32, which cannot be read: save it as UTF-8".to_owned());
        }
        let marked = Encoding::for_bom(head).map(|(encoding, _)| encoding);
        if given.is_none()
            && marked.is_none()
            && let Some(encoding) = utf_16_without_mark(head)
        {
            let name = encoding.name();
            return Err(format!("the file seems to be {name} without a mark: give --encoding {name}"));
        }
        // The mark wins: it is never there by chance.
        let encoding = marked.or(given).unwrap_or(UTF_8);
        Ok(Self {
            source,
            decoder: encoding.new_decoder_with_bom_removal(),
            encoding,
            piece: vec![0; PIECE_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            is_at_end: false,
            is_finished: false,
            fault: None,
        })
    }

    fn fill(&mut self) -> io::Result<()> {
        self.piece.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let length = self.source.read(&mut self.piece[self.end..])?;
        self.end += length;
        self.is_at_end = length == 0;
        Ok(())
    }

    fn malformed(&self, at: usize) -> io::Error {
        if self.is_at_end && self.end == 0 {
            let words = "the file ends in the middle of a character: it is cut off, so export it again";
            return io::Error::new(io::ErrorKind::InvalidData, words);
        }
        let bytes = &self.piece[..self.end];
        let byte = bytes.get(at.saturating_sub(1)).copied().unwrap_or_default();
        let name = self.encoding.name();
        let words = if self.encoding == UTF_8 {
            let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
            detector.feed(bytes, true);
            let seems = detector.guess(None, Utf8Detection::Deny).name();
            format!(
                "byte 0x{byte:02X} is not UTF-8; the file seems to be {seems}: give --encoding {seems}, or save it as UTF-8"
            )
        } else {
            format!("byte 0x{byte:02X} is not {name}: give another --encoding, or save the file as UTF-8")
        };
        io::Error::new(io::ErrorKind::InvalidData, words)
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(fault) = self.fault.take() {
            self.is_finished = true;
            return Err(fault);
        }
        if buffer.is_empty() || self.is_finished {
            return Ok(0);
        }
        if buffer.len() < LONGEST_CHARACTER {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a buffer too small for a character"));
        }
        loop {
            if !self.is_at_end && self.start == self.end {
                self.fill()?;
            }
            let source = &self.piece[self.start..self.end];
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(source, buffer, self.is_at_end);
            self.start += read;
            match result {
                DecoderResult::Malformed(..) => {
                    let fault = self.malformed(self.start);
                    if written == 0 {
                        return Err(fault);
                    }
                    // The text before it comes first, so that its line can be counted.
                    self.fault = Some(fault);
                    return Ok(written);
                }
                DecoderResult::InputEmpty if self.is_at_end => {
                    self.is_finished = true;
                    return Ok(written);
                }
                _ if written > 0 => return Ok(written),
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
            }
        }
    }
}

/// Text in UTF-16 has a zero in every second byte wherever it is Latin, as headers and JSON mostly are.
fn utf_16_without_mark(head: &[u8]) -> Option<&'static Encoding> {
    let head = &head[..head.len().min(64) & !1];
    let zeros = |offset: usize| head.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let most = (head.len() / 2).checked_sub(head.len() / 8).filter(|most| *most >= 4)?;
    match (zeros(0) >= most, zeros(1) >= most) {
        (false, true) => Some(UTF_16LE),
        (true, false) => Some(UTF_16BE),
        _ => None,
    }
}
