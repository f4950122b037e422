//! The order of the rooms of `src/`: which may use which, that no files use each other in a circle, and how long a file
//! may be. No database and no program is needed: `cargo test --test architecture`.

#![allow(clippy::unwrap_used, clippy::panic)]

mod operation_keys;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::{Arrow, Tree};

/// The rooms, and the rooms that each may use. A room that is a single file has the file's name.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "service",
            "engine",
            "http",
            "webhook",
            "client",
            "mongo_process",
            "repository",
            "user_file",
            "importers",
            "logging",
            "domain",
        ],
    ),
    ("service", &["http", "webhook", "metrics", "engine", "live", "repository", "domain"]),
    ("fuzzing", &["http", "repository", "user_file", "importers", "domain"]),
    ("http", &["metrics", "engine", "live", "user_file", "importers", "repository", "wire", "request_id", "domain"]),
    ("webhook", &["repository", "wire", "domain"]),
    ("metrics", &["engine", "live", "repository", "domain"]),
    ("engine", &["importers", "repository", "domain"]),
    ("live", &["repository", "wire", "domain"]),
    // The other side of the API, and a MongoDB for `demo` and the tests: both for `cli` alone.
    ("client", &["domain"]),
    ("mongo_process", &["repository"]),
    // The readers of files.
    ("user_file", &["importers", "domain"]),
    ("importers", &["domain"]),
    ("repository", &["domain"]),
    ("wire", &["domain"]),
    ("logging", &["request_id"]),
    ("request_id", &[]),
    ("domain", &[]),
];

/// Arrows that break the order and are to go. Nothing may be added.
const BREAKS: &[(&str, &str)] = &[];

/// Lines of code in a file, without blank lines, comments and tests.
const LONGEST_FILE: usize = 400;

fn room(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

#[test]
fn every_room_uses_only_rooms_below_it() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let known: BTreeSet<(&str, &str)> = BREAKS.iter().copied().collect();
    let arrows = Tree::read().arrows();
    assert!(arrows.len() > 100, "hardly any arrows were found: {arrows:?}");
    let breaks: BTreeSet<(&str, &str)> = arrows
        .iter()
        .map(|Arrow { from, to }| (from.as_str(), to.as_str()))
        .filter(|(from, to)| room(from) != room(to) && room(from) != "lib")
        .filter(|(from, to)| !allowed.get(room(from)).is_some_and(|rooms| rooms.contains(&room(to))))
        .collect();
    let wrong = breaks.difference(&known);
    let wrong: Vec<_> =
        wrong.map(|(from, to)| format!("{from} uses {to}: `{}` may not use `{}`", room(from), room(to))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let gone: Vec<_> = known.difference(&breaks).collect();
    assert!(gone.is_empty(), "these are no longer there, so take them off the list: {gone:?}");
}

#[test]
fn every_room_is_below_those_that_use_it() {
    let place = |room: &str| ROOMS.iter().position(|(name, _)| *name == room);
    for (at, (room, uses)) in ROOMS.iter().enumerate() {
        for used in *uses {
            assert!(place(used).is_some_and(|place| place > at), "`{room}` stands above `{used}`");
        }
    }
}

#[test]
fn nothing_in_a_folder_uses_another_in_a_circle() {
    let circles = circles(&Tree::read().arrows_between_siblings());
    let circles: Vec<_> =
        circles.iter().map(|circle| circle.iter().cloned().collect::<Vec<_>>().join(" <-> ")).collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn no_file_is_too_long_to_be_read() {
    let tree = Tree::read();
    let long: Vec<_> = tree.lines_of_code().filter(|(_, lines)| *lines > LONGEST_FILE).collect();
    assert!(long.is_empty(), "more than {LONGEST_FILE} lines of code: {long:?}");
}

/// The groups of files of which each uses every other, by way of others or not.
fn circles(arrows: &BTreeSet<Arrow>) -> BTreeSet<BTreeSet<String>> {
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Arrow { from, to } in arrows {
        uses.entry(from).or_default().insert(to);
    }
    let reached_from = |start: &str| {
        let mut reached = BTreeSet::new();
        let mut ahead = vec![start];
        while let Some(file) = ahead.pop() {
            for next in uses.get(file).into_iter().flatten().copied() {
                if reached.insert(next) {
                    ahead.push(next);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = uses.keys().map(|file| (*file, reached_from(file))).collect();
    let circle = |file: &str| {
        let others = reached[file].iter().filter(|other| reached.get(**other).is_some_and(|back| back.contains(file)));
        others.map(|other| (*other).to_owned()).collect::<BTreeSet<_>>()
    };
    uses.keys().map(|file| circle(file)).filter(|circle| !circle.is_empty()).collect()
}

#[test]
fn a_circle_is_found_by_way_of_other_files() {
    let arrow = |(from, to): (&str, &str)| Arrow { from: from.to_owned(), to: to.to_owned() };
    let arrows = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e")].map(arrow);
    let expected = BTreeSet::from(["a", "b", "c"].map(str::to_owned));
    assert_eq!(circles(&BTreeSet::from(arrows)), BTreeSet::from([expected]));
}
