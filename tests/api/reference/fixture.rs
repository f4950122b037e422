//! Reads the files of a case: canonical extended JSON, whose order of fields counts.

use std::{fs, path::PathBuf};

use bson::{Bson, Document};
use serde_json::Value;

pub(super) const CASES: [&str; 8] = [
    "contacts",
    "csv-basic",
    "csv-existing",
    "selection",
    "slack-again",
    "slack-basic",
    "slack-threads",
    "slack-users",
];

fn path(case: &str, file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(case).join(file)
}

fn read(case: &str, file: &str) -> Value {
    let path = path(case, file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The documents of a file.
pub(super) fn documents(case: &str, file: &str) -> Vec<Document> {
    let Value::Array(list) = read(case, file) else { panic!("{case}/{file} is no list") };
    list.into_iter().map(|value| Bson::try_from(value).unwrap().as_document().unwrap().clone()).collect()
}

pub(super) fn case(case: &str) -> Value {
    read(case, "case.json")
}

/// What Rocket.Chat offered. A second choice from the same file was offered the same.
pub(super) fn selection(case: &str) -> Value {
    read(if case == "selection" { "slack-basic" } else { case }, "selection.json")
}

pub(super) fn input(case: &str) -> Vec<u8> {
    let case = if case == "selection" { "slack-basic" } else { case };
    let path = ["input.zip", "input.csv"].map(|file| path(case, file)).into_iter().find(|path| path.exists());
    fs::read(path.unwrap()).unwrap()
}

/// The collections before, by name. Files that break have none of their own.
pub(super) fn seed(case: &str) -> Vec<(String, Vec<Document>)> {
    let case = if case.starts_with("broken-") { "csv-basic" } else { case };
    let files = fs::read_dir(path(case, "seed")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = names.map(|name| (name.trim_end_matches(".json").to_owned(), format!("seed/{name}")));
    names.map(|(name, file)| (name, documents(case, &file))).collect()
}
