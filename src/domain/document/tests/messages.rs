use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::domain::{
    document::{
        message::{MentionedRoom, Message, MessageError, MessageIds, MessageLookups, Unknown, message},
        thread::Thread,
    },
    field_value::Date,
    staged::StagedMessage,
};

#[derive(Default)]
struct Known {
    people: HashMap<&'static str, Person>,
    threads: HashMap<&'static str, Thread>,
}

impl Known {
    fn new() -> Self {
        let people =
            [("U1", person("ann", Some("ann"))), ("U2", person("bob", Some("bob"))), ("U3", person("new", None))];
        Self { people: people.into(), ..Self::default() }
    }
}

impl MessageLookups for Known {
    fn person(&self, import_id: &str) -> Option<&Person> {
        self.people.get(import_id)
    }

    fn room(&self, import_id_or_name: &str) -> Option<&str> {
        (import_id_or_name == "C1").then_some("room")
    }

    fn mentioned_room(&self, _: &str) -> Option<&MentionedRoom> {
        None
    }

    fn is_imported(&self, message_id: &str) -> bool {
        message_id == "root"
    }

    fn thread(&self, message_id: &str) -> Option<&Thread> {
        self.threads.get(message_id)
    }
}

fn staged(author: &str, msg: &str, more: &[(&str, FieldValue)]) -> Fields {
    let ts = FieldValue::Date(Date::from_epoch_millis(1));
    let fixed = [
        ("_id", text("m1")),
        ("rid", text("C1")),
        ("u", object(&[("_id", text(author))])),
        ("msg", text(msg)),
        ("ts", ts),
    ];
    fixed.into_iter().chain(more.iter().cloned()).collect()
}

fn made(staged: &Fields) -> Result<Message, MessageError> {
    message(StagedMessage::new(staged), MessageIds::Staged, 0, &Known::new(), Date::from_epoch_millis(9))
}

#[test]
fn a_mention_of_somebody_without_a_user_name_leaves_the_message_readable() {
    let staged = staged("U1", "hi @U2, @U3 and @U9", &[("mentions", texts(["U2", "U3", "U9", "all"]))]);
    let message = made(&staged).expect("a message");
    assert_eq!(message.document.get("msg"), Some(&text("hi @bob, @U3 and @U9")));
    assert_eq!(message.unknown, [Unknown::Mention("U3".into()), Unknown::Mention("U9".into())]);
    let Some(FieldValue::List(mentions)) = message.document.get("mentions") else { panic!("no mentions") };
    assert_eq!(mentions.len(), 2);
}

#[test]
fn an_answer_to_a_message_that_is_not_there_is_a_plain_message() {
    let orphan = made(&staged("U1", "", &[("tmid", text("gone"))])).expect("a message");
    assert_eq!((orphan.document.get("tmid"), orphan.unknown), (None, vec![Unknown::ThreadRoot("gone".into())]));
    let answer =
        made(&staged("U1", "", &[("tmid", text("root")), ("tshow", FieldValue::Boolean(true))])).expect("a message");
    assert_eq!(names(&answer.document), "_id,rid,u,msg,ts,tmid,tshow,urls,_updatedAt");
}

#[test]
fn no_field_of_a_message_is_null() {
    let nulls: Vec<_> =
        ["t", "tmid", "tlm", "tcount", "replies", "editedBy", "mentions", "_importFile", "url", "alias"]
            .map(|name| (name, FieldValue::Null))
            .into();
    let file = object(&[("id", text("F1")), ("downloadUrl", FieldValue::Null)]);
    let staged = staged("U1", "x", &nulls).with("_importFile", file).with("_hidden", FieldValue::Boolean(true));
    let message = made(&staged).expect("a message");
    assert_eq!(names(&message.document), "_id,rid,u,msg,ts,_importFile,_hidden,urls,_updatedAt");
    assert_eq!(message.document.get("_importFile"), Some(&object(&[("id", text("F1"))])));
}

#[test]
fn a_message_of_nobody_is_one_of_rocket_cat_and_one_of_an_unknown_person_fails() {
    let nobody = staged("", "beep", &[("alias", text("Deploy"))]);
    let message = made(&nobody).expect("a message");
    assert_eq!((message.author.as_str(), message.document.get("alias")), ("rocket.cat", Some(&text("Deploy"))));
    assert_eq!(made(&staged("U9", "x", &[])), Err(MessageError::UnknownUser));
    assert_eq!(made(&staged("U1", "x", &[("rid", text("C9"))])), Err(MessageError::UnknownRoom));
    assert_eq!(made(&staged("U1", "x", &[("ts", text("soon"))])), Err(MessageError::InvalidTimestamp));
}

#[test]
fn an_author_without_a_user_name_has_one_in_the_message() {
    let message = made(&staged("U3", "x", &[])).expect("a message");
    let author = object(&[("_id", text("new")), ("username", text("new")), ("name", text("NEW"))]);
    assert_eq!(message.document.get("u"), Some(&author));
}

#[test]
fn reactions_of_people_nobody_knows_are_left_out() {
    let reactions = object(&[
        (":tada:", object(&[("users", texts(["U2", "U9"]))])),
        (":heart:", object(&[("users", texts(["U9"]))])),
    ]);
    let message = made(&staged("U1", "x", &[("reactions", reactions)])).expect("a message");
    let expected = object(&[(":tada:", object(&[("name", text(":tada:")), ("usernames", texts(["bob"]))]))]);
    assert_eq!(message.document.get("reactions"), Some(&expected));
}

#[test]
fn the_counters_of_a_thread_are_those_of_its_answers() {
    let mut thread = Thread::new("bob", Date::from_epoch_millis(7));
    thread.add("ann", Date::from_epoch_millis(5));
    thread.add("bob", Date::from_epoch_millis(6));
    let known = Known { threads: [("m1", thread)].into(), ..Known::new() };
    let staged = staged("U1", "root", &[("tcount", FieldValue::Integer(99)), ("replies", texts(["U9"]))]);
    let message = message(StagedMessage::new(&staged), MessageIds::Staged, 0, &known, Date::from_epoch_millis(9))
        .expect("a message");
    assert_eq!(message.document.get("tcount"), Some(&FieldValue::Integer(3)));
    assert_eq!(message.document.get("tlm"), Some(&FieldValue::Date(Date::from_epoch_millis(7))));
    assert_eq!(message.document.get("replies"), Some(&texts(["bob", "ann"])));
}

fn without_id(author: &str, ts: i64, msg: &str) -> Fields {
    let author = object(&[("_id", text(author))]);
    let ts = FieldValue::Date(Date::from_epoch_millis(ts));
    Fields::from_iter([("rid", text("C1")), ("u", author), ("ts", ts), ("msg", text(msg))])
}

proptest! {
    #[test]
    fn messages_without_ids_get_stable_ones_that_tell_equal_messages_apart(
        rows in prop::collection::vec((prop::sample::select(vec!["U1", "U2"]), 0..3_i64, "[ab]{0,2}"), 0..20),
    ) {
        let ids = |rows: &[(&str, i64, String)]| -> Vec<String> {
            let mut seen: HashMap<(String, i64, String), u32> = HashMap::new();
            rows.iter().map(|(author, ts, msg)| {
                let ordinal = seen.entry(((*author).to_owned(), *ts, msg.clone())).or_default();
                *ordinal += 1;
                let staged = without_id(author, *ts, msg);
                MessageIds::Staged.id_of(StagedMessage::new(&staged), "room", author, *ordinal - 1)
            }).collect()
        };
        let all = ids(&rows);
        prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), rows.len());
        // The same rows in another order, and a longer file, meet the same ids.
        let mut reversed = rows.clone();
        reversed.reverse();
        prop_assert_eq!(ids(&reversed).into_iter().collect::<HashSet<_>>(), all.iter().cloned().collect::<HashSet<_>>());
        let longer: Vec<_> = rows.iter().cloned().chain([("U1", 7, "new".to_owned())]).collect();
        prop_assert_eq!(&ids(&longer)[..all.len()], &all[..]);
    }

    #[test]
    fn ids_of_a_records_file_never_meet_those_of_another_room_or_importer(id in "[a-z]{1,3}", other in "[a-z]{1,3}") {
        let staged = |id: &str| without_id("U1", 1, "").with("_id", text(id));
        let of = |importer: &'static str, room: &str, id: &str| {
            MessageIds::OfFile { importer }.id_of(StagedMessage::new(&staged(id)), room, "ann", 0)
        };
        prop_assert_eq!(of("records", "r", &id) == of("records", "r", &other), id == other);
        prop_assert_ne!(of("records", "r", &id), of("records", "q", &id));
        prop_assert_ne!(of("records", "r", &id), of("other", "r", &id));
    }

    #[test]
    fn the_time_of_a_message_is_its_sources_to_the_millisecond(times in prop::collection::vec(any::<i64>(), 0..10)) {
        let made: Vec<_> = times.iter().filter_map(|ts| made(&without_id("U1", *ts, "x")).ok()).collect();
        let stored: Vec<_> = made.iter().map(|message| message.ts.epoch_millis()).collect();
        prop_assert_eq!(stored, times);
    }
}
