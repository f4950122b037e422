//! The keys that this service stores on Rocket.Chat's operations, and their documentation.

use std::{collections::BTreeSet, fs, path::Path};

use regex::Regex;

use crate::source::find_files;

/// How keys are written to `import`, and read from it.
const USES: [&str; 4] =
    [r#""import\.(\w+)"#, r#"\bown(?:_value)?\("(\w+)"\)"#, r#"\bimport\.insert\("(\w+)""#, r#"\bown\.with\("(\w+)""#];

fn keys_in(folder: &str) -> BTreeSet<String> {
    let mut files = Vec::new();
    find_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder), &mut files);
    let uses = USES.map(|pattern| Regex::new(pattern).unwrap());
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    texts.flat_map(|text| uses.iter().flat_map(|one| found(one, &text)).collect::<Vec<_>>()).collect()
}

fn found(pattern: &Regex, text: &str) -> Vec<String> {
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_key_inside_an_operation_s_import_is_documented_and_nothing_else_is() {
    let mut used: BTreeSet<String> = ["domain", "repository"].into_iter().flat_map(keys_in).collect();
    assert!(used.remove("admin"), "the name of the example's user");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/compatibility.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("### Keys inside `operation.import`").unwrap();
    let table = table.split("###").next().unwrap();
    let first_cells = table.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let key = Regex::new(r"`import\.(\w+)`").unwrap();
    let documented: BTreeSet<String> = first_cells.flat_map(|cell| found(&key, cell)).collect();
    assert_eq!(used, documented);
}
