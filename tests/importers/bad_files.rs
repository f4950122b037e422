//! Files that are damaged, forged, or written in another way: each is refused with one sentence, or its fault is reported
//! with its place while the rest goes on.

use std::{
    fs::File,
    io::{Seek as _, SeekFrom, Write as _},
    sync::Arc,
};

use flate2::{Compression, write::DeflateEncoder};
use rocketchat_import::importers::{Format, Limits, Options, open};
use serde_json::json;

use crate::support::{Packing, Zip, read, refusal};

const MESSAGE: &str = "ann,1479162481336,hello\n";

fn sound() -> Zip {
    Zip::default().entry(b"users.csv", b"ann,a@x.example,Ann\n", Packing::Stored).file("general/m.csv", MESSAGE)
}

fn cut(bytes: &[u8], length: usize) -> Vec<u8> {
    bytes[..length].to_vec()
}

/// The bytes with those at `at` from the first `mark` on replaced.
fn patched(mut bytes: Vec<u8>, mark: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let begin = bytes.windows(mark.len()).position(|window| window == mark).unwrap() + at;
    bytes[begin..begin + new.len()].copy_from_slice(new);
    bytes
}

const DIRECTORY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

#[test]
fn archives_that_cannot_be_read_are_refused_with_the_reason() {
    let zip = sound().bytes();
    let encrypted = Zip::default().with_flags(1).file("users.csv", "x");
    let aes = Zip::default().raw(b"users.csv", 99, b"x", 1, 0);
    let bomb = Zip::default().raw(b"general/m.csv", 8, &[0; 1024], 1 << 30, 0);
    let many = Zip::default().raw(b"general/m.csv", 8, &[0; 4], u32::MAX as usize - 1, 0);
    let after = zip.windows(4).position(|window| window == DIRECTORY).unwrap();
    let end = zip.windows(4).position(|window| window == END).unwrap();
    let in_last_entry =
        format!("The zip archive is torn: it ends after {} bytes, in entry \"general/m.csv\".", after - 1);
    let in_directory = format!("The zip archive is torn: it ends after {} bytes, in its directory.", after + 20);
    let without_beginning = format!("The zip archive is torn: of {end} bytes before its end, 40 are missing.");
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "The file is empty."),
        ("a text", b"hello".to_vec(), "The file is no zip archive."),
        ("a web page", b"<html>login</html>".to_vec(), "The file is no zip archive."),
        ("cut in its first name", cut(&zip, 35), "The zip archive is torn: it ends after 35 bytes."),
        (
            "cut in its first entry",
            cut(&zip, 40),
            "The zip archive is torn: it ends after 40 bytes, in entry \"users.csv\".",
        ),
        ("cut in its last entry", cut(&zip, after - 1), &in_last_entry),
        ("cut in its directory", cut(&zip, after + 20), &in_directory),
        ("without its beginning", zip[40..].to_vec(), &without_beginning),
        (
            "directory overwritten after an entry",
            patched(zip.clone(), b"PK\x01\x02\x14\0\x14\0\0\0\x08", 0, b"xxxx"),
            "The zip archive is torn: its directory is damaged after entry \"users.csv\", number 1.",
        ),
        (
            "directory overwritten",
            patched(zip.clone(), DIRECTORY, 0, b"xxxx"),
            "The zip archive is torn: its directory is damaged.",
        ),
        (
            "one of several volumes",
            patched(zip.clone(), END, 4, &[1, 0]),
            "The zip archive is one of several volumes; join them first.",
        ),
        (
            "an entry beyond the end",
            patched(zip.clone(), DIRECTORY, 42, &[0xff, 0xff, 0, 0]),
            "The archive is torn: entry \"users.csv\" lies beyond its end.",
        ),
        (
            "encrypted",
            encrypted.bytes(),
            "The archive is encrypted (entry \"users.csv\"); export it without a password.",
        ),
        (
            "encrypted with AES",
            aes.bytes(),
            "The archive is encrypted (entry \"users.csv\"); export it without a password.",
        ),
        ("unpacks to too much", bomb.bytes(), "The archive would unpack to 1073741824 bytes"),
        ("unpacks to 4 GiB", many.bytes(), "The archive would unpack to 4294967294 bytes"),
        ("empty archive", Zip::default().bytes(), "None of the archive's 0 entries is users.csv"),
        ("nothing known", Zip::default().file("a.txt", "x").bytes(), "None of the archive's 1 entries is users.csv"),
    ];
    for (what, file, expected) in table {
        let reason = refusal(Format::Csv, &file);
        assert!(reason.starts_with(expected), "{what}: {reason}");
        assert!(!reason.contains('\n'), "{what}");
    }
}

#[test]
fn the_number_of_entries_is_bounded_and_entries_may_not_overlap() {
    let options = |limits| Options { limits, ..Options::default() };
    let few = options(Limits { entries: 1, ..Limits::default() });
    let error = open(Format::Csv, Arc::new(sound().bytes()), &few).unwrap_err();
    assert_eq!(error.to_string(), "The archive has more than 1 entries.");
    let stored =
        b"ann,1479162481336,hello and more than the headers of this archive take, so that they overlap\n".repeat(9);
    let mut zip = Zip::default().entry(b"a/m.csv", &stored, Packing::Stored);
    for name in [b"b/m.csv", b"c/m.csv", b"d/m.csv"] {
        zip = zip.raw(name, 0, b"", 0, 0);
    }
    let mut bytes = zip.bytes();
    let size = u32::try_from(stored.len()).unwrap().to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(DIRECTORY)).collect();
    for place in &places[1..] {
        bytes[place + 20..place + 24].copy_from_slice(&size);
        bytes[place + 24..place + 28].copy_from_slice(&size);
        bytes[place + 42..place + 46].copy_from_slice(&[0; 4]);
    }
    assert_eq!(refusal(Format::Csv, &bytes), "The archive's entries overlap each other.");
}

#[test]
fn a_bad_entry_is_named_and_the_rest_goes_on() {
    let checksum = crc32fast::hash(MESSAGE.as_bytes());
    let packed = deflated(MESSAGE.as_bytes());
    let torn = &packed[..packed.len() / 2];
    let table: Vec<(&str, Zip, &str)> = vec![
        ("cut in its packed bytes", good_and(torn, 8, MESSAGE.len(), checksum), "incomplete deflate stream"),
        ("packed, and with a wrong checksum", good_and(&packed, 8, MESSAGE.len(), 1), "its checksum is wrong"),
        ("wrong checksum", good_and(MESSAGE.as_bytes(), 0, MESSAGE.len(), 1), "its checksum is wrong"),
        ("corrupt", good_and(&[0xff; 20], 8, 100, 0), "corrupt deflate stream"),
        ("ends early", good_and(MESSAGE.as_bytes(), 0, MESSAGE.len() + 5, checksum), "it ends before its size"),
        ("longer than said", good_and(MESSAGE.as_bytes(), 0, 3, checksum), "it unpacks to more than its size"),
        ("another method", good_and(MESSAGE.as_bytes(), 12, 5, checksum), "it is packed by method 12"),
    ];
    for (what, zip, expected) in table {
        let read = read(Format::Csv, &zip.bytes());
        let good = read.messages().iter().filter(|message| message["msg"] == "hello").count();
        assert!(good >= 1, "{what}");
        let reasons = read.reasons();
        assert_eq!(reasons.len(), 1, "{what}: {reasons:?}");
        assert!(reasons[0].starts_with("general/bad.csv") && reasons[0].contains(expected), "{what}: {reasons:?}");
    }
    // A local header that is not where the directory says.
    let bytes = sound().bytes();
    let moved = patched(bytes, b"PK\x03\x04", 0, b"xxxx");
    let read = read(Format::Csv, &moved);
    assert_eq!((read.users().len(), read.messages().len()), (0, 1));
    assert!(read.reasons()[0].starts_with("users.csv: The entry cannot be read"), "{:?}", read.reasons());
}

#[test]
fn whichever_entry_is_torn_is_named_and_the_others_are_read() {
    let lists = |torn: &str| {
        let users = r#"[{"id":"U1","name":"ann"}]"#;
        let channels = r#"[{"id":"C1","name":"a","creator":"U1","members":["U1"]}]"#;
        let day = |ts: &str| format!(r#"[{{"type":"message","user":"U1","text":"hello","ts":"{ts}"}}]"#);
        let files = [
            ("users.json", users.to_owned()),
            ("channels.json", channels.to_owned()),
            ("a/2020-01-02.json", day("1577923200.000100")),
            ("a/2020-01-03.json", day("1578009600.000100")),
        ];
        files.into_iter().fold(Zip::default(), |zip, (name, content)| {
            if name != torn {
                return zip.file(name, content);
            }
            let packed = deflated(content.as_bytes());
            let checksum = crc32fast::hash(content.as_bytes());
            zip.raw(name.as_bytes(), 8, &packed[..packed.len() - 4], content.len(), checksum)
        })
    };
    for (torn, messages) in [("users.json", 2), ("a/2020-01-02.json", 1), ("a/2020-01-03.json", 1)] {
        let read = read(Format::Slack, &lists(torn).bytes());
        let reasons = read.reasons();
        assert_eq!(reasons.len(), 1, "{torn}: {reasons:?}");
        assert!(
            reasons[0].starts_with(&format!("{torn}: It cannot be read: incomplete deflate stream.")),
            "{reasons:?}"
        );
        assert_eq!(read.messages().len(), messages, "{torn}");
    }
    let csv = |name: &str| {
        let content = "ann,1479162481336,hello\n".repeat(50);
        let packed = deflated(content.as_bytes());
        let zip = sound().raw(name.as_bytes(), 8, &packed[..packed.len() - 4], content.len(), 0);
        read(Format::Csv, &zip.bytes())
    };
    for name in ["general/torn.csv", "channels.csv", "contacts.csv"] {
        let read = csv(name);
        assert_eq!(read.reasons().iter().filter(|reason| reason.starts_with(name)).count(), read.reasons().len());
        assert!(
            read.reasons().iter().any(|reason| reason.contains("incomplete deflate stream")),
            "{:?}",
            read.reasons()
        );
        assert!(read.messages().iter().any(|message| message["msg"] == "hello"), "{name}");
    }
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn good_and(packed: &[u8], method: u16, size: usize, checksum: u32) -> Zip {
    Zip::default().file("general/good.csv", MESSAGE).raw(b"general/bad.csv", method, packed, size, checksum)
}

#[test]
fn bytes_in_front_of_an_archive_do_no_harm() {
    let bytes = [b"#!/bin/sh\n".as_slice(), &sound().bytes()].concat();
    assert_eq!(read(Format::Csv, &bytes).messages().len(), 1);
    let with_comment = patched([sound().bytes(), b"a comment".to_vec()].concat(), END, 20, &[9, 0]);
    assert_eq!(read(Format::Csv, &with_comment).messages().len(), 1);
}

#[test]
fn faults_of_csv_files_are_reported_with_their_line() {
    let table: [(&str, &str, &[u8], &str); 12] = [
        (
            "quotation mark never closed",
            "general/m.csv",
            b"ann,1479162481336,hi\nann,1479162481336,\"open\nann,1,x\n",
            "line 2: A quotation mark in this row is never closed.",
        ),
        (
            "row too short",
            "general/m.csv",
            b"ann,1479162481336\n",
            "line 1: The row needs an author, a time and a text.",
        ),
        ("no author", "general/m.csv", b" ,1479162481336,hi\n", "line 1: The row has no author."),
        ("no time", "general/m.csv", b"ann,,hi\n", "line 1: The time is neither"),
        ("time in words", "general/m.csv", b"ann,14 Nov 2016,hi\n", "line 1: The time is neither"),
        ("time out of range", "general/m.csv", b"ann,99999999999999999999999,hi\n", "line 1: The time is neither"),
        ("no recipient", "directmessages/m.csv", b"ann,,1479162481336,hi\n", "line 1: The row has no recipient."),
        (
            "direct row too short",
            "directmessages/m.csv",
            b"ann,bea,1479162481336\n",
            "line 1: The row needs an author, a recipient, a time and a text.",
        ),
        ("user without a name", "users.csv", b"ann,a@x.example\n,b@x.example\n", "line 2: The row has no username."),
        ("channel without a name", "channels.csv", b"\n\n,ann,public,\n", "line 3: The row has no channel name."),
        (
            "channel listed twice",
            "channels.csv",
            b"a,ann,,\nb,ann,,\na,bea,,\n",
            "line 3: The channel is there already: channels.csv, line 1.",
        ),
        (
            "contact with too many fields",
            "contacts.csv",
            b"name,emails\nAnn,a@x.example,x\n",
            "line 2: The row has 3 fields where the header has 2.",
        ),
    ];
    for (what, name, content, expected) in table {
        let read = read(Format::Csv, &Zip::default().file(name, content).file("other/m.csv", MESSAGE).bytes());
        let reasons = read.reasons();
        assert_eq!(reasons.len(), 1, "{what}: {reasons:?}");
        assert!(reasons[0].starts_with(&format!("{name}, {expected}")), "{what}: {reasons:?}");
        assert!(read.messages().iter().any(|message| message["msg"] == "hello"), "{what}: the rest goes on");
    }
}

#[test]
fn faults_of_slack_files_are_reported_with_their_place() {
    let good = r#"{"type":"message","user":"U1","text":"good","ts":"1577923299.000100"}"#;
    let day = |content: &str| ("a/2020-01-02.json", content.to_owned());
    let table: Vec<(&str, (&str, String), &str)> = vec![
        (
            "no time",
            day(&format!(r#"[{{"type":"message","text":"secret"}},{good}]"#)),
            "a/2020-01-02.json, element 1: The message has no time (ts).",
        ),
        (
            "time in words",
            day(&format!(r#"[{{"type":"message","ts":"now"}},{good}]"#)),
            "a/2020-01-02.json, element 1: The message has no time (ts).",
        ),
        ("null", day(&format!("[null,{good}]")), "a/2020-01-02.json, element 1: It is no JSON object."),
        ("a text", day(&format!(r#"["secret",{good}]"#)), "a/2020-01-02.json, element 1: It is no JSON object."),
        (
            "broken element",
            day(&format!(r#"[{{"type":"message" "text":"secret"}},{good}]"#)),
            "a/2020-01-02.json, element 1: Its JSON is broken at line 1, column",
        ),
        (
            "member twice",
            day(&format!(r#"[{{"type":"message","ts":"1","ts":"2"}},{good}]"#)),
            "a/2020-01-02.json, element 1: Its JSON is broken",
        ),
        ("torn", day(&format!(r#"[{good},{{"type":"#)), "a/2020-01-02.json: It ends in the middle of its list."),
        ("empty", ("a/2020-01-01.json", String::new()), "a/2020-01-01.json: It is empty."),
        ("an error page", ("a/2020-01-01.json", "<html>".to_owned()), "a/2020-01-01.json: It holds no JSON list."),
        (
            "object",
            ("a/2020-01-01.json", r#"{"ok":false}"#.to_owned()),
            "a/2020-01-01.json: It holds a JSON object where a list is needed.",
        ),
        (
            "user without an id",
            ("org_users.json", r#"[{"name":"x"}]"#.to_owned()),
            "org_users.json, element 1: The user has no id.",
        ),
        (
            "room without a name",
            ("groups.json", r#"[{"id":"G1","creator":"U1"}]"#.to_owned()),
            "groups.json, element 1: The room has no name.",
        ),
        (
            "room without an id",
            ("groups.json", r#"[{"name":"g"}]"#.to_owned()),
            "groups.json, element 1: The room has no id.",
        ),
        (
            "direct message of nobody",
            ("dms.json", r#"[{"id":"D1","members":[]}]"#.to_owned()),
            "dms.json, element 1: The direct message has no members.",
        ),
    ];
    for (what, (name, content), expected) in table {
        let mut zip = Zip::default()
            .json("users.json", &json!([{ "id": "U1", "name": "ann" }]))
            .json("channels.json", &json!([{ "id": "C1", "name": "a", "creator": "U1", "members": ["U1"] }]))
            .file(name, &content);
        if !content.contains("good") {
            zip = zip.file("a/2020-01-03.json", format!("[{good}]"));
        }
        let read = read(Format::Slack, &zip.bytes());
        let reasons = read.reasons();
        assert_eq!(reasons.len(), 1, "{what}: {reasons:?}");
        assert!(reasons[0].starts_with(expected) && !reasons[0].contains("secret"), "{what}: {reasons:?}");
        assert_eq!(read.message("good")["rid"], "C1", "{what}: the rest goes on");
    }
}

#[test]
fn other_encodings_are_told_and_not_guessed() {
    let utf16: Vec<u8> = "ann,1479162481336,hi\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe".as_slice(), &utf16].concat();
    let csv: [(&str, &[u8], &str); 4] = [
        ("Windows", b"ann,1479162481336,gr\xfc\xdfe\n", "line 1: The row is not UTF-8; save the file as UTF-8."),
        ("half a character", b"ann,1479162481336,\xe2\x82\n", "line 1: The row is not UTF-8; save the file as UTF-8."),
        ("UTF-16 with a mark", &marked, "line 1: The file is UTF-16; save it as UTF-8."),
        ("UTF-16 without a mark", &utf16, "line 1: The file is UTF-16; save it as UTF-8."),
    ];
    for (what, content, expected) in csv {
        let read = read(Format::Csv, &Zip::default().file("general/m.csv", content).bytes());
        assert_eq!(read.reasons(), [format!("general/m.csv, {expected}")], "{what}");
        assert_eq!(read.tally.record_count(), 0, "{what}");
    }
    let json16: Vec<u8> = "[{}]".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let broken = b"[{\"type\":\"message\",\"user\":\"U1\",\"ts\":\"1577923200.000100\",\"text\":\"\xff\"}]";
    let slack: [(&[u8], &str); 2] = [
        (&json16, "a/1.json: It is UTF-16; only UTF-8 can be read."),
        (broken, "a/1.json, element 1: Its JSON is broken"),
    ];
    for (content, expected) in slack {
        let channels = json!([{ "id": "C1", "name": "a" }]);
        let read =
            read(Format::Slack, &Zip::default().json("channels.json", &channels).file("a/1.json", content).bytes());
        assert!(read.reasons()[0].starts_with(expected), "{:?}", read.reasons());
    }
    let marked = read(Format::Csv, &Zip::default().file("users.csv", "\u{feff}ann,a@x.example,Ann\n").bytes());
    assert_eq!(marked.users()[0]["username"], "ann");
}

#[test]
fn an_archive_of_seventy_thousand_entries_that_counts_them_wrong_is_read() {
    // More than 16 bits count: writers without ZIP64 let the number wrap.
    let mut zip = Zip::default();
    for number in 0..70_000 {
        zip = zip.entry(format!("general/{number}.csv").as_bytes(), b"", Packing::Stored);
    }
    let read = read(Format::Csv, &zip.entry(b"general/last.csv", MESSAGE.as_bytes(), Packing::Stored).bytes());
    assert_eq!(read.messages().len(), 1);
}

#[test]
fn an_archive_of_seventy_thousand_entries_with_zip64_is_read() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for number in 0..70_000 {
        zip.start_file(format!("general/{number}.csv"), stored).unwrap();
        if number % 1000 == 0 {
            zip.write_all(format!("ann,{},hello\n", 1_479_162_481_336_u64 + number).as_bytes()).unwrap();
        }
    }
    let bytes = zip.finish().unwrap().into_inner();
    assert!(bytes.windows(4).any(|window| window == b"PK\x06\x06"), "its end has the record of ZIP64");
    let read = read(Format::Csv, &bytes);
    assert_eq!(read.messages().len(), 70);
}

#[test]
fn a_sparse_archive_of_five_gigabytes_is_read_without_reading_what_does_not_matter() {
    const HOLE: u64 = 5 << 30;
    let path = std::env::temp_dir().join(format!("rocketchat-import-sparse-{}.zip", std::process::id()));
    let mut file = File::create(&path).unwrap();
    let name = b"__uploads/F1/big.bin";
    let local = |name: &[u8], zip64: bool| {
        let mut header = b"PK\x03\x04\x2d\0\0\0\0\0\0\0\0\0".to_vec();
        header.extend([0; 4]);
        header.extend(if zip64 { [0xff; 8] } else { [0; 8] });
        header.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        header.extend([0, 0]);
        header.extend(name);
        header
    };
    let users = b"ann,a@x.example,Ann\n";
    file.write_all(&local(name, true)).unwrap();
    let second = file.seek(SeekFrom::Current(i64::try_from(HOLE).unwrap())).unwrap();
    file.write_all(&local(b"users.csv", false)).unwrap();
    file.write_all(users).unwrap();
    let start = file.stream_position().unwrap();
    let header = |name: &[u8], checksum: u32, size: u64, offset: u64| {
        let mut header = b"PK\x01\x02\x2d\0\x2d\0\0\0\0\0\0\0\0\0".to_vec();
        header.extend(checksum.to_le_bytes());
        header.extend([0xff; 8]);
        header.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        header.extend(28_u16.to_le_bytes());
        header.extend([0; 10]);
        header.extend([0xff; 4]);
        header.extend(name);
        header.extend(b"\x01\0\x18\0");
        for number in [size, size, offset] {
            header.extend(number.to_le_bytes());
        }
        header
    };
    file.write_all(&header(name, 0, HOLE, 0)).unwrap();
    file.write_all(&header(b"users.csv", crc32fast::hash(users), users.len() as u64, second)).unwrap();
    let end = file.stream_position().unwrap();
    let mut record = b"PK\x06\x06".to_vec();
    record.extend(44_u64.to_le_bytes());
    record.extend([0x2d, 0, 0x2d, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [2, 2, end - start, start] {
        record.extend(number.to_le_bytes());
    }
    record.extend(b"PK\x06\x07\0\0\0\0");
    record.extend(end.to_le_bytes());
    record.extend(1_u32.to_le_bytes());
    record.extend(b"PK\x05\x06\0\0\0\0");
    record.extend([0xff; 12]);
    record.extend([0, 0]);
    file.write_all(&record).unwrap();
    let began = std::time::Instant::now();
    let reader = open(Format::Csv, Arc::new(File::open(&path).unwrap()), &Options::default());
    std::fs::remove_file(&path).unwrap();
    let elements: Vec<_> = reader.unwrap().map(Result::unwrap).collect();
    assert_eq!(elements.len(), 2, "{elements:?}");
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}
