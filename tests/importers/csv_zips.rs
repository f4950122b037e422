//! CSV zips as people bring them.

use std::collections::HashSet;

use rocketchat_import::importers::{Format, Note};
use serde_json::{Value, json};

use crate::support::{Read, Zip, millis, read, refusal};

const USERS: &str = "ann,ann@x.example,Ann Lee\nbea,bea@x.example,Bea\n";
const CHANNELS: &str = "general,ann,public,ann;bea\n";
const MESSAGES: &str = "ann,1479162481336,hello\n";

fn csv(zip: Zip) -> Read {
    read(Format::Csv, &zip.bytes())
}

fn texts(read: &Read) -> Vec<String> {
    read.messages().iter().map(|message| message["msg"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_zip_with_a_folder_round_everything_or_made_on_a_mac_is_read_like_a_flat_one() {
    let flat =
        csv(Zip::default().file("users.csv", USERS).file("channels.csv", CHANNELS).file("general/m.csv", MESSAGES));
    let variants = [
        ["import/users.csv", "import/channels.csv", "import/general/m.csv"],
        ["Users.CSV", "./channels.csv", "general\\m.csv"],
        ["import\\Users.csv", "import\\CHANNELS.csv", "import\\general\\m.CSV"],
    ];
    for [users, channels, messages] in variants {
        let zip = Zip::default()
            .file("__MACOSX/._users.csv", "junk")
            .file("import/.DS_Store", "junk")
            .file("Thumbs.db", "junk")
            .file("desktop.ini", "junk")
            .file("import/", "")
            .file(users, USERS)
            .file(channels, CHANNELS)
            .file(messages, MESSAGES);
        let read = csv(zip);
        assert_eq!(read.users(), flat.users(), "{users}");
        assert_eq!(read.channels(), flat.channels(), "{users}");
        assert_eq!(read.messages(), flat.messages(), "{users}");
        assert_eq!(read.passed_over(), [("system file", 4)]);
    }
}

#[test]
fn a_folder_round_messages_alone_is_stepped_into_and_a_room_is_not() {
    let table: [(&str, &[&str], &[&str]); 12] = [
        ("a room", &["general/2024-01-01.csv"], &["general"]),
        ("a folder round a room", &["export/general/2024-01-01.csv"], &["general"]),
        ("a folder round two rooms", &["export/general/1.csv", "export/dev/1.csv"], &["general", "dev"]),
        ("other files in it", &["export/readme.txt", "export/general/1.csv"], &["general"]),
        ("Windows's separators", &["Export\\general\\1.csv"], &["general"]),
        ("junk beside it", &["__MACOSX/export/._1.csv", "export/.DS_Store", "export/general/1.CSV"], &["general"]),
        ("days in folders of years", &["export/general/2024/1.csv"], &["general"]),
        ("two rooms, one with folders", &["general/1.csv", "dev/2024/1.csv"], &["general", "dev"]),
        ("a room with a folder in it", &["general/1.csv", "general/old/1.csv"], &["general", "general"]),
        ("two folders of rooms", &["one/general/1.csv", "two/general/1.csv"], &["one", "two"]),
        ("files of messages in a room", &["general/1.csv", "general/attachments/a.csv"], &["general", "general"]),
        ("files of messages alone", &["general/attachments/a.csv"], &["general"]),
    ];
    for (what, names, rooms) in table {
        let zip = names.iter().fold(Zip::default(), |zip, name| zip.file(name, MESSAGES));
        let read = csv(zip);
        let found: Vec<Value> = read.messages().iter().map(|message| message["rid"].clone()).collect();
        assert_eq!(found, rooms, "{what}: {:?}", read.reasons());
    }
    let direct = csv(Zip::default().file("directmessages/2024/m.csv", "ann,bea,1479162481336,hi\n"));
    assert_eq!(
        direct.channels()[0]["importIds"],
        json!(["ann/bea"]),
        "the folder of direct messages is none round them"
    );
    let below = csv(Zip::default().file("export/directmessages/m.csv", "ann,bea,1479162481336,hi\n"));
    assert_eq!(below.channels(), direct.channels());
    assert_eq!(below.messages(), direct.messages());
}

#[test]
fn only_channels_or_only_messages_or_empty_users_are_enough() {
    assert_eq!(csv(Zip::default().file("channels.csv", CHANNELS)).channels().len(), 1);
    let messages = csv(Zip::default().file("general/m.csv", MESSAGES));
    assert_eq!(messages.messages()[0]["rid"], "general", "the name finds a room that exists");
    assert!(messages.channels().is_empty());
    let empty = csv(Zip::default().file("users.csv", "").file("general/m.csv", MESSAGES));
    assert_eq!((empty.users().len(), empty.messages().len()), (0, 1));
    assert_eq!(csv(Zip::default().file("users.csv", "")).tally.record_count(), 0);
}

#[test]
fn creators_and_members_that_are_not_in_the_zip_stay_named() {
    let read = csv(Zip::default().file("channels.csv", "\"ops\",\"ann\",\"private\",\"bea\""));
    let channel = &read.channels()[0];
    assert_eq!(
        (&channel["u"], &channel["users"], &channel["t"]),
        (&json!({ "_id": "ann" }), &json!(["bea"]), &json!("p"))
    );
    let without = csv(Zip::default().file("channels.csv", "ops,,public,"));
    assert!(without.channels()[0].get("u").is_none());
}

#[test]
fn text_is_exact_and_times_are_recognised_or_told() {
    let b = "\"ann\",\"1479162481336\",\"line 1\nline \"\"2\"\", with comma\"\n\"ann\",\"1479162481\",\"seconds\"\n\
             \"ann\",\"2016-11-14T22:28:01Z\",\"iso\"\n\"ann\",\"\",\"none\"\n\"ann\",\"1479162481336\",\"same millisecond\"\n";
    let read = csv(Zip::default().file("general/b.csv", b).file("general/a.csv", "ann,1479162490000,later\n"));
    assert_eq!(texts(&read), ["line 1\nline \"2\", with comma", "seconds", "iso", "same millisecond", "later"]);
    let times: Vec<i64> = read.messages().iter().map(|message| millis(&message["ts"])).collect();
    assert_eq!(
        times,
        [1_479_162_481_336, 1_479_162_481_000, 1_479_162_481_001, 1_479_162_481_337, 1_479_162_490_000],
        "ties stand in the order of the file"
    );
    assert_eq!(read.notes(Note::TimeRecognised), 2);
    assert_eq!(read.reasons().len(), 1);
    assert!(read.reasons()[0].starts_with("general/b.csv, line 5: The time is neither"), "{:?}", read.reasons());
}

#[test]
fn a_message_has_one_id_however_often_it_is_read_and_twins_have_two() {
    let zip =
        || Zip::default().file("general/m.csv", "ann,1479162481336,hi\nann,1479162481336,hi\nbea,1479162481336,hi\n");
    let ids = |read: &Read| read.messages().iter().map(|message| message["_id"].clone()).collect::<Vec<Value>>();
    let first = ids(&csv(zip()));
    assert_eq!(first.iter().map(Value::to_string).collect::<HashSet<_>>().len(), 3);
    assert_eq!(first, ids(&csv(zip())));
    assert_eq!(first, ids(&csv(zip().file("channels.csv", CHANNELS))));
}

#[test]
fn every_message_finds_its_room_whatever_the_order_of_entries() {
    let read = csv(Zip::default()
        .file("general/m.csv", MESSAGES)
        .file("users.csv", USERS)
        .file("channels.csv", "General,ann,public,ann\n"));
    assert_eq!(read.messages()[0]["rid"], read.channels()[0]["importIds"][0]);
    // Two names that differ by letter case alone: each folder finds its own.
    let both =
        csv(Zip::default().file("channels.csv", "General,ann,,\ngeneral,ann,,\n").file("general/m.csv", MESSAGES));
    assert_eq!(both.messages()[0]["rid"], both.channels()[1]["importIds"][0]);
    let decomposed = csv(Zip::default().file("channels.csv", "b\u{fc}ro,ann,,\n").file("bu\u{308}ro/m.csv", MESSAGES));
    assert_eq!(decomposed.messages()[0]["rid"], decomposed.channels()[0]["importIds"][0]);
}

#[test]
fn names_that_lead_out_of_the_archive_are_refused_and_the_rest_goes_on() {
    let zip = Zip::default()
        .file("../evil.csv", "x")
        .file("/etc/passwd", "x")
        .file("C:/x.csv", "x")
        .file("general/m.csv", MESSAGES);
    let read = csv(zip);
    assert_eq!(read.messages().len(), 1);
    assert_eq!(
        read.reasons(),
        [
            "../evil.csv: The entry's name leads out of the archive.",
            "/etc/passwd: The entry's name is an absolute path.",
            "C:/x.csv: The entry's name is an absolute path.",
        ]
    );
}

#[test]
fn a_zip_without_any_known_file_says_which_names_were_looked_for() {
    let reason = refusal(Format::Csv, &Zip::default().file("readme.txt", "x").bytes());
    assert!(reason.contains("users.csv") && reason.contains("channels.csv"), "{reason}");
}

#[test]
fn contacts_may_stand_in_the_zip_too() {
    let read = csv(Zip::default().file("contacts.csv", "name,emails\nAnn,a@x.example;b@x.example\n"));
    assert_eq!(
        read.data(rocketchat_import::domain::record_type::RecordType::Contact)[0]["emails"],
        json!(["a@x.example", "b@x.example"])
    );
}

#[test]
fn direct_messages_make_a_room_a_pair() {
    let rows =
        "bob,ann,1600000100000,hey\nann,bob,1600000101000,ho\nann,,1600000102000,nobody\nann,ann,1600000103000,self\n";
    let read = csv(Zip::default().file("DirectMessages/m.csv", rows));
    let rooms: Vec<Value> = read.channels().iter().map(|room| room["importIds"][0].clone()).collect();
    assert_eq!(rooms, ["ann/bob", "ann/ann"]);
    assert_eq!(read.messages().len(), 3);
    assert_eq!(read.reasons(), ["DirectMessages/m.csv, line 3: The row has no recipient."]);
}

#[test]
fn a_row_that_names_the_columns_is_no_record() {
    let zip = Zip::default()
        .file("users.csv", "username,email,name\nann,a@x.example,Ann\n")
        .file("channels.csv", "name,creator,type,members\ngeneral,ann,public,ann\n")
        .file("general/m.csv", "username,ts,text\nann,1479162481336,hi\n")
        .file("directmessages/m.csv", "from,to,ts,text\nann,bea,1479162481336,hi\n");
    let read = csv(zip);
    assert_eq!((read.users().len(), read.channels().len(), read.messages().len()), (1, 2, 2));
    assert_eq!(read.tally.passed_over.values().sum::<u64>(), 4);
    assert!(read.problems().is_empty(), "{:?}", read.reasons());
}
