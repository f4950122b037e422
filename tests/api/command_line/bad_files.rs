//! Files with something wrong in them: reported line by line, and nothing of them is sent.

use std::collections::HashSet;

use serde_json::Value;

use super::{File, call, summary, workbooks};
use crate::harness::{run, served};

/// A file that is refused: its name and text, more flags, and the line, the kind and a part of the first problem.
struct Wrong {
    name: &'static str,
    text: Vec<u8>,
    flags: &'static [&'static str],
    line: u64,
    kind: &'static str,
    reason: &'static str,
}

fn wrong(
    name: &'static str,
    text: impl AsRef<[u8]>,
    flags: &'static [&'static str],
    (line, kind, reason): (u64, &'static str, &'static str),
) -> Wrong {
    Wrong { name, text: text.as_ref().to_vec(), flags, line, kind, reason }
}

const HEADER: &str = "username,emails,importIds,deleted,utcOffset\n";

fn csv(rows: &str) -> String {
    format!("{HEADER}{rows}")
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Each is refused, with the line, a kind, and a sentence that no other file of the table gets.
async fn all_are_refused(files: Vec<Wrong>) {
    let mut sentences = HashSet::new();
    for wrong in files {
        let file = File::new(wrong.name, &wrong.text);
        let arguments = [&["users", file.path(), "--dry-run", "--json"], wrong.flags].concat();
        let finished = run(&arguments, &[]).await;
        let shown = String::from_utf8_lossy(&wrong.text[..wrong.text.len().min(200)]).into_owned();
        assert_eq!(finished.code, Some(2), "{shown}: {finished:?}");
        let summary = summary(&finished);
        let problem = &summary["problems"][0];
        assert_eq!(problem["line"], wrong.line, "{shown}: {problem}");
        assert_eq!(problem["kind"], wrong.kind, "{shown}: {problem}");
        let reason = problem["reason"].as_str().unwrap();
        assert!(reason.contains(wrong.reason), "{shown}: {reason}");
        assert!(sentences.insert(wrong.reason), "two files of the table are refused alike: {reason}");
        assert!(finished.errors.contains(&format!("line {}: ", wrong.line)), "{finished:?}");
        assert!(finished.errors.contains("nothing was sent"), "{finished:?}");
    }
}

#[tokio::test]
async fn fifteen_wrong_csv_files_are_refused_with_line_kind_and_reason() {
    let row = "ann,a@corp.example,1,,\n";
    all_are_refused(vec![
        wrong("a.csv", "", &[], (1, "other-file", "the file is empty")),
        wrong("a.csv", "first thing,second\nx,y\n", &[], (1, "header", "no name of the first row is known")),
        wrong("a.csv", "a,ann@corp.example,b,c\n", &[], (1, "header", "there is no header")),
        wrong("a.csv", "username,emials\nx,y\n", &[], (1, "unknown-column", "\"emials\", did you mean \"emails\"")),
        wrong("a.csv", "email,e-mail\nx,y\n", &[], (1, "header", "both stand for emails")),
        wrong("a.csv", csv("ann,,1,,\n"), &[], (2, "missing", "emails missing of the user \"ann\"")),
        wrong("a.csv", csv("ann,a@corp.example,1,WAHR,\n"), &[], (2, "value", "deleted must be one of true")),
        wrong("a.csv", csv("ann,a@corp.example,1,,\"5,5\"\n"), &[], (2, "value", "utcOffset must be a number")),
        wrong("a.csv", csv("ann,a@corp.example,1\n"), &[], (2, "cells", "has 3 cells where the header has 5")),
        wrong("a.csv", csv("ann,a@corp.example,1,,,Lee\n"), &[], (2, "cells", "has 6 cells where the header has 5")),
        wrong("a.csv", csv(&format!("{row}bob,a@corp.example,2,,\n")), &[], (3, "twice", "that of line 2 too")),
        wrong(
            "a.csv",
            csv("ann,a@corp.example,\"1,52E+03\",,\n"),
            &[],
            (2, "damaged-value", "a spreadsheet has dropped"),
        ),
        wrong(
            "a.csv",
            csv("\"ann\"x,a@corp.example,1,,\n"),
            &[],
            (2, "syntax", "goes on behind its closing quotation"),
        ),
        wrong("a.csv", csv(&format!("{row}\"bob,b@corp.example,2,,\n")), &[], (3, "syntax", "is never closed")),
        wrong("a.csv", csv(&format!("{row}{HEADER}")), &[], (3, "joined", "the header once more")),
        wrong(
            "a.csv",
            csv(&format!("{row}importIds,username,emails,,\n")),
            &[],
            (3, "joined", "another header in the middle"),
        ),
        wrong("a.csv", csv(&format!("{row}\u{feff}bob,b@corp.example,2,,\n")), &[], (3, "joined", "a byte order mark")),
        wrong(
            "a.csv",
            csv(&format!("{row}bob,b@corp.example,2,,\u{feff}{HEADER}cid,c@corp.example,3,,\n")),
            &[],
            (3, "joined", "the header once more: two files"),
        ),
        wrong(
            "a.csv",
            csv(&format!("{row}bob,b@corp.example,2,,5\u{feff}emails,importIds\nc@corp.example,3\n")),
            &[],
            (3, "joined", "another header in the middle: two files"),
        ),
        wrong("a.csv", "username,,emails\nann,x,a@corp.example\n", &[], (2, "cells", "its column has no name")),
        wrong("a.csv", csv(row), &["--map", "Mail=emails"], (1, "option", "--map names the column \"mail\"")),
        wrong("a.csv", csv(row), &["--sheet", "users"], (1, "option", "--sheet is for workbooks")),
    ])
    .await;
}

#[tokio::test]
async fn ten_wrong_json_files_are_refused_with_line_kind_and_reason() {
    let user = "{\"emails\":[\"a@corp.example\"],\"importIds\":[\"1\"]}";
    all_are_refused(vec![
        wrong("a.json", "[\n{\"emails\": [\"a\"]", &[], (2, "syntax", "the file ends within what begins on line 2")),
        wrong("a.json", format!("[{user},]"), &[], (1, "syntax", "a comma with nothing behind it")),
        wrong("a.json", format!("[{user}\n{user}]"), &[], (2, "syntax", "a comma is missing between two users")),
        wrong("a.json", "12", &[], (1, "syntax", "neither an array nor an object")),
        wrong("a.json", "[7]", &[], (1, "syntax", "a user must be an object")),
        wrong("a.json", "[\n{\"emails\" [1]}]", &[], (2, "syntax", "not valid JSON: expected `:`")),
        wrong("a.json", "[{\"emials\":[\"a@corp.example\"]}]", &[], (1, "missing", "emails and importIds missing")),
        wrong("a.json", "[{\"emails\":[7],\"importIds\":[1]}]", &[], (1, "value", "a list of texts, but holds 7")),
        wrong(
            "a.jsonl",
            "{\"emails\":\"a@b.example\",\"importId\":1,\"deleted\":\"False\"}",
            &[],
            (1, "value", "deleted must be true or false"),
        ),
        wrong("a.jsonl", "{\"emails\":[\" \"],\"importId\":1}", &[], (1, "missing", "emails missing: give")),
        wrong(
            "a.jsonl",
            "{\"email\":\"a@b.example\",\"emails\":[\"a@b.example\"],\"importId\":1.5}",
            &[],
            (1, "value", "importIds must be a text or a whole number"),
        ),
        wrong("a.jsonl", "{\"importId\":1,\"importId\":2}", &[], (1, "syntax", "\"importId\" is there twice")),
        wrong("a.jsonl", format!("{user}\n\u{feff}{user}"), &[], (2, "joined", "two files seem to be joined here")),
        wrong("a.jsonl", "{\"type\":\"version\",\"version\":1}", &[], (1, "other-file", "--from mattermost")),
        wrong("a.jsonl", "{\"_id\":\"GENERAL\",\"t\":\"c\",\"msgs\":1}", &[], (1, "other-file", "these are rooms")),
        wrong(
            "a.jsonl",
            "{\"email\":\"a@b.example\",\"user_id\":\"auth0|1\",\"email_verified\":true}",
            &[],
            (1, "other-file", "an Auth0 export"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn ten_texts_in_a_wrong_encoding_and_files_of_another_kind_are_refused_with_the_way_out() {
    let text = "username,emails,importIds\nann,a@corp.example,1\nJosé,j@corp.example,2\n";
    let latin: Vec<u8> = text.chars().map(|character| character as u8).collect();
    let russian =
        [b"name,emails,importIds\n\xc0\xed\xed\xe0 \xcf\xe5\xf2\xf0\xee\xe2\xe0,".as_slice(), b"a@corp.example,1\n"]
            .concat();
    let japanese = b"name,emails,importIds\n\x93\x8c\x8b\x9e\x93s\x82\xcc\x8eR\x93c\x82\xb3\x82\xf1,a@corp.example,1\n";
    let utf_16_be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf_32: Vec<u8> =
        std::iter::once('\u{feff}').chain(text.chars()).flat_map(|sign| (sign as u32).to_le_bytes()).collect();
    let mut cut = text.as_bytes().to_vec();
    cut.truncate(text.find('é').unwrap() + 1);
    all_are_refused(vec![
        wrong("a.csv", &latin, &[], (3, "encoding", "seems to be windows-1252: give --encoding windows-1252")),
        wrong("a.csv", russian, &[], (2, "encoding", "seems to be windows-1251")),
        wrong("a.csv", japanese, &[], (2, "encoding", "seems to be Shift_JIS")),
        wrong("a.csv", utf_16(text), &[], (1, "encoding", "seems to be UTF-16LE without a mark")),
        wrong("a.csv", utf_16_be, &[], (1, "encoding", "seems to be UTF-16BE without a mark")),
        wrong("a.csv", utf_32, &[], (1, "encoding", "is UTF-32")),
        wrong("a.csv", latin, &["--encoding", "shift_jis"], (3, "encoding", "is not Shift_JIS: give another")),
        wrong("a.csv", cut, &[], (3, "encoding", "ends in the middle of a character")),
        wrong("a.csv", b"\x1f\x8b\x08\0", &[], (1, "other-file", "compressed with gzip")),
        wrong("a.csv", "<!DOCTYPE html><title>Log in", &[], (1, "other-file", "a web page")),
        wrong("a.csv", "%PDF-1.7", &[], (1, "other-file", "this is a PDF")),
        wrong("a.vcf", "BEGIN:VCARD\n", &[], (1, "other-file", "vCards")),
    ])
    .await;
    let file = File::new("a.csv", text);
    let finished = run(&["users", file.path(), "--dry-run", "--encoding", "klingon"], &[]).await;
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.errors.contains("--encoding: klingon is not known; some that are: utf-8"), "{finished:?}");
}

#[tokio::test]
async fn ten_wrong_workbooks_are_refused_with_row_kind_and_reason() {
    let sheet = |rows: &[&[&str]]| workbooks::xlsx(&[("users", rows)]);
    let header: &[&str] = &["username", "emails", "importIds"];
    let good: &[&str] = &["ann", "a@corp.example", "1"];
    let mut cut = sheet(&[header, good]);
    cut.truncate(cut.len() / 2);
    let long_id = workbooks::xlsx_with_number(header, "ann", "a@corp.example", 76_561_198_000_000_001.0);
    all_are_refused(vec![
        wrong("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", &[], (1, "other-file", "an old Excel workbook (.xls)")),
        wrong("a.xlsx", cut, &[], (1, "unreadable", "the workbook is damaged")),
        wrong(
            "a.xlsx",
            workbooks::zip(&[("word/document.xml", b"x"), ("[Content_Types].xml", b"x")]),
            &[],
            (1, "other-file", ".docx"),
        ),
        wrong(
            "a.xlsx",
            workbooks::zip(&[("[Content_Types].xml", b"x")]),
            &[],
            (1, "unreadable", "the workbook cannot be read"),
        ),
        wrong("a.zip", workbooks::zip(&[("channels.json", b"[]")]), &[], (1, "other-file", "a Slack export")),
        wrong("a.zip", workbooks::zip(&[("users.csv", b"x")]), &[], (1, "other-file", "an archive with a users.csv")),
        wrong("a.xlsx", workbooks::bomb(), &[], (1, "too-large", "more than 256 MiB when unpacked")),
        wrong("a.ods", workbooks::ods_of_repeated_cells(), &[], (1, "too-large", "more than 1000000 cells")),
        wrong(
            "a.xlsx",
            sheet(&[header, good]),
            &["--sheet", "Staff"],
            (1, "option", "has no sheet \"Staff\": it has \"users\""),
        ),
        wrong("a.xlsx", sheet(&[header, good]), &["--format", "csv"], (1, "other-file", "leave --format away")),
        wrong("a.csv", "username\n", &["--format", "xlsx"], (1, "other-file", "this is no workbook")),
        wrong("a.xlsx", sheet(&[]), &[], (1, "other-file", "the sheet is empty")),
        wrong("a.xlsx", long_id, &[], (2, "damaged-value", "a spreadsheet has dropped")),
        wrong(
            "a.xlsx",
            sheet(&[header, good, &["bob"]]),
            &[],
            (3, "missing", "emails and importIds missing of the user \"bob\""),
        ),
        wrong(
            "a.xlsx",
            sheet(&[&["Staff of 2026"], header, good]),
            &[],
            (1, "header", "no name of the first row is known"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn bad_lines_of_every_format_are_reported_by_number_and_nothing_is_staged() {
    let (workspace, service) = served().await;
    let csv = "username,emails,importIds,deleted\nann,a@b.c,1,false\nbob,,2,false\ncid,c@b.c,3,maybe\ndan,d@b.c,4\nann,a@b.c,5,no\n";
    let csv_lines: &[&str] = &[
        "line 3: emails missing of the user \"bob\": give the user an address (import id 2)",
        "line 4: deleted must be one of true, yes, 1, false, no and 0, not \"maybe\" (import id 3)",
        "line 5: the row has 3 cells where the header has 4",
        "line 6: username \"ann\" is that of line 2 too: keep one of the two (import id 5)",
        "line 6: e-mail \"a@b.c\" is that of line 2 too: keep one of the two (import id 5)",
    ];
    let json = "[\n{\"emails\":[\"a@b.c\"],\"importIds\":[\"1\"]},\n{\"emails\":\"b@b.c\"},\n{\"emials\":[\"c@b.c\"],\"importIds\":[\"3\"]}\n]";
    let lines = "{\"emails\":[\"a@b.c\"],\"importIds\":[\"1\"]}\n\n{\"emails\":[\"b@b.c\",\n{\"emails\":[7],\"importIds\":[\"3\"]}\n";
    for (name, text, expected, bad_lines) in [
        ("users.csv", csv, csv_lines, 4),
        (
            "users.json",
            json,
            &[
                "line 3: importIds missing",
                "line 4: emails missing",
                "line 4: unknown column \"emials\", did you mean \"emails\"?",
            ],
            2,
        ),
        ("users.jsonl", lines, &["line 3: not valid JSON", "line 4: emails must be a list of texts, but holds 7"], 2),
        (
            "header.csv",
            "username,emial\nann,a@b.c\n",
            &["line 1: unknown column \"emial\", did you mean \"email\"?"],
            1,
        ),
    ] {
        let file = File::new(name, text);
        let finished = call(&service.address, &["users", file.path(), "--run", "--json"]).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        let found: Vec<&str> = finished.errors.lines().collect();
        assert_eq!(found.len(), expected.len() + 1, "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} is not {expected}");
        }
        assert_eq!(summary(&finished)["badLines"], bad_lines, "{finished:?}");
        assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));
    }
}

#[tokio::test]
async fn of_very_many_bad_lines_a_hundred_are_listed_and_the_others_counted() {
    let file = File::new("users.csv", format!("email,importId,name\n{}", ",,x\n".repeat(250)));
    let finished = run(&["users", file.path(), "--dry-run"], &[]).await;
    assert_eq!(finished.code, Some(2));
    assert_eq!(finished.errors.matches("emails and importIds missing").count(), 100, "{finished:?}");
    assert!(finished.errors.contains("line 101: ") && finished.errors.contains("and 150 more"), "{finished:?}");
}

#[tokio::test]
async fn files_that_cannot_be_used_at_all_end_with_2() {
    let empty = File::new("users.csv", "email,importId\n");
    let folder = tempfile::tempdir().unwrap();
    for (path, words) in [
        (empty.path(), "there are no users in it"),
        ("/no/such/users.csv", "No such file"),
        (folder.path().to_str().unwrap(), "this is a folder"),
        ("https://corp.example/users.csv", "URLs are not fetched"),
    ] {
        let finished = run(&["users", path, "--dry-run"], &[]).await;
        assert_eq!((finished.code, finished.errors.lines().count()), (Some(2), 1), "{finished:?}");
        assert!(finished.errors.contains(path) && finished.errors.contains(words), "{finished:?}");
    }
}

#[tokio::test]
async fn a_password_is_in_no_problem() {
    let secret = "s3cret-271828";
    for (name, text) in [
        ("a.jsonl", format!("{{\"emails\":[],\"importId\":1,\"password\":[\"{secret}\"]}}")),
        ("a.csv", format!("email,importId,password\na@b.example,,{secret}\n")),
    ] {
        let file = File::new(name, text);
        let finished = run(&["users", file.path(), "--dry-run", "--json"], &[]).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(!finished.errors.contains(secret) && !finished.output.contains(secret), "{finished:?}");
        let _: Value = summary(&finished);
    }
}
