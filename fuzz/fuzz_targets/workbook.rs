//! A workbook of users: any bytes as an archive, or as the sheet within a good one.
#![no_main]

use std::io::{Cursor, Write as _};

use libfuzzer_sys::fuzz_target;
use rocketchat_import::fuzzing::{FileKind, users_in_body, users_in_file};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const MANIFEST: &[u8] = b"<manifest:manifest xmlns:manifest=\"m\"></manifest:manifest>";
const WORKBOOK: &[u8] = b"<workbook xmlns:r=\"r\"><sheets><sheet name=\"a\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>";
const RELATIONS: &[u8] = b"<Relationships><Relationship Id=\"rId1\" \
    Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" \
    Target=\"worksheets/sheet1.xml\"/></Relationships>";
const TYPES: &[u8] = b"<Types></Types>";

fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in parts {
        archive.start_file(*name, stored).expect("a new part");
        archive.write_all(bytes).expect("memory");
    }
    archive.finish().expect("memory").into_inner()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((how, part)) = bytes.split_first() else { return };
    let (kind, file) = match how % 3 {
        0 => (FileKind::Any, part.to_vec()),
        1 => {
            let parts: [(&str, &[u8]); 3] = [
                ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
                ("META-INF/manifest.xml", MANIFEST),
                ("content.xml", part),
            ];
            (FileKind::Ods, archive(&parts))
        }
        _ => {
            let parts: [(&str, &[u8]); 4] = [
                ("[Content_Types].xml", TYPES),
                ("xl/workbook.xml", WORKBOOK),
                ("xl/_rels/workbook.xml.rels", RELATIONS),
                ("xl/worksheets/sheet1.xml", part),
            ];
            (FileKind::Xlsx, archive(&parts))
        }
    };
    let (found, _) = users_in_file(&file, kind, how & 0x80 != 0);
    for user in found.iter().filter_map(|user| user.user.as_ref()) {
        let body = serde_json::json!({ "users": [user] }).to_string();
        assert_eq!(users_in_body(body.as_bytes()).expect("the API takes what a file may hold").len(), 1);
    }
});
