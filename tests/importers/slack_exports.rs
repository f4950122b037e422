//! Slack exports as people bring them.

use std::{collections::HashSet, sync::Arc};

use rocketchat_import::{
    domain::record_type::RecordType,
    importers::{Element, Format, Note, Options, open},
};
use serde_json::{Value, json};

use crate::support::{Read, Zip, millis, read, refusal};

fn users() -> Value {
    json!([
        { "id": "U01", "name": "ann", "real_name": "Ann Lee", "profile": { "email": "ann@corp.example" } },
        { "id": "U02", "name": "bea", "deleted": true, "profile": { "email": "bea@corp.example" } },
    ])
}

fn channels() -> Value {
    json!([{ "id": "C01", "name": "general", "created": 1_500_000_000, "creator": "U01", "is_general": true,
             "members": ["U01", "U02"] }])
}

fn lists() -> Zip {
    Zip::default().json("users.json", &users()).json("channels.json", &channels())
}

/// The export with these messages on one day.
fn export(messages: &Value) -> Read {
    read(Format::Slack, &lists().json("general/2020-01-02.json", messages).bytes())
}

fn said(ts: &str, text: &str) -> Value {
    json!({ "type": "message", "user": "U01", "text": text, "ts": ts })
}

#[test]
fn an_export_zipped_again_with_a_folder_round_it_is_stepped_into() {
    let top = "Corp Slack export Jan 1 2020";
    let zip = Zip::default()
        .file(&format!("{top}/"), "")
        .json(&format!("{top}/users.json"), &users())
        .json(&format!("{top}/channels.json"), &channels())
        .json(&format!("{top}/general/2020-01-02.json"), &json!([said("1577923200.000100", "hi")]))
        .file("__MACOSX/._users.json", "x");
    let read = read(Format::Slack, &zip.bytes());
    assert_eq!((read.users().len(), read.channels().len(), read.messages().len()), (2, 1, 1));
    assert_eq!(read.passed_over(), [("system file", 1)]);
}

#[test]
fn days_without_a_list_of_rooms_are_refused_with_the_names_that_are_missing() {
    let day = json!([said("1577923200.000100", "hi")]);
    for name in ["general/2020-01-02.json", "Corp export/general/2020-01-02.json"] {
        let reason = refusal(Format::Slack, &Zip::default().json(name, &day).bytes());
        assert!(reason.contains("channels.json") && reason.contains("dms.json"), "{name}: {reason}");
    }
    let listed = Zip::default().json("Corp export/channels.json", &channels());
    let read = read(Format::Slack, &listed.json("Corp export/general/2020-01-02.json", &day).bytes());
    assert_eq!(read.message("hi")["rid"], "C01");
}

#[test]
fn people_come_from_whatever_list_there_is() {
    let day = json!([said("1577923200.000100", "hi")]);
    let with = |file: &str, list: &Value| {
        let zip = Zip::default().json(file, list).json("channels.json", &channels());
        read(Format::Slack, &zip.json("general/2020-01-02.json", &day).bytes())
    };
    assert_eq!(with("org_users.json", &users()).users()[0]["emails"], json!(["ann@corp.example"]));
    assert_eq!(with("users.json", &json!({ "ok": true, "members": users() })).users().len(), 2);
    for nobody in [with("users.json", &json!([])), with("other.json", &json!([]))] {
        assert_eq!(nobody.users().len(), 1, "the author alone");
        assert_eq!(nobody.users()[0]["importIds"], json!(["U01"]));
        assert_eq!(nobody.users()[0]["deleted"], json!(true));
    }
    let without_profile = with("users.json", &json!([{ "id": "U01", "name": "ann" }, { "id": "U02", "name": "bea" }]));
    assert_eq!(without_profile.users().len(), 2);
    assert!(without_profile.problems().is_empty());
}

#[test]
fn people_of_both_lists_are_there_once() {
    let zip = lists().json("org_users.json", &json!([users()[0], { "id": "U03", "name": "carl" }]));
    let read = read(Format::Slack, &zip.bytes());
    let ids: Vec<Value> = read.users().iter().map(|user| user["importIds"][0].clone()).collect();
    assert_eq!(ids, ["U01", "U02", "U03"]);
    assert_eq!(read.passed_over(), [("user", 1)]);
}

#[test]
fn people_of_other_companies_become_placeholders_and_no_message_is_lost() {
    let zip = lists().json("dms.json", &json!([{ "id": "D1", "members": ["U01", "W8EXT"] }])).json(
        "general/2020-01-02.json",
        &json!([
            { "type": "message", "user": "W9EXT", "text": "hi", "ts": "1577923200.000100",
              "user_profile": { "real_name": "Ext Person", "name": "ext" } },
            { "type": "message", "user": "W9EXT", "text": "again", "ts": "1577923201.000100" },
        ]),
    );
    let read = read(Format::Slack, &zip.bytes());
    assert_eq!(read.messages().len(), 2);
    let placeholders = &read.users()[2..];
    assert_eq!(placeholders[0]["importIds"], json!(["W8EXT"]));
    assert_eq!(
        placeholders[1],
        json!({ "emails": [], "importIds": ["W9EXT"], "username": "ext", "name": "Ext Person", "deleted": true,
                "type": "user", "_placeholder": true })
    );
    assert_eq!(read.notes(Note::Placeholder), 2);
}

#[test]
fn threads_are_what_is_really_there() {
    let answer = |ts: &str, user: &str| json!({ "type": "message", "user": user, "text": ts, "ts": ts, "thread_ts": "1577923200.000100" });
    let mut root = said("1577923200.000100", "root");
    root["thread_ts"] = json!("1577923200.000100");
    root["reply_count"] = json!(7);
    let broadcast = json!({ "type": "message", "subtype": "thread_broadcast", "user": "U02", "text": "shown", "ts": "1578009601.000300",
                            "thread_ts": "1577923200.000100", "root": { "text": "root" } });
    let mut orphan = answer("1578009602.000100", "U02");
    orphan["thread_ts"] = json!("1500000000.000100");
    // Days in the order of no calendar.
    let zip = lists()
        .json("general/2020-02-01.json", &json!([answer("1580515200.000200", "U02")]))
        .json("general/2020-01-03.json", &json!([answer("1578009600.000200", "U01"), broadcast, orphan]))
        .json("general/2020-01-02.json", &json!([root]));
    let read = read(Format::Slack, &zip.bytes());
    let root = read.message("root");
    assert_eq!(root["tcount"], json!(3));
    assert_eq!(root["replies"], json!(["U01", "U02"]));
    assert_eq!(millis(&root["tlm"]), 1_580_515_200_000);
    let broadcast = read.message("shown");
    assert_eq!((&broadcast["tmid"], &broadcast["tshow"]), (&root["_id"], &json!(true)));
    let orphan = read.message("1578009602");
    assert!(orphan.get("tmid").is_none(), "{orphan}");
    assert_eq!(read.notes(Note::AnswerWithoutRoot), 1);
    assert_eq!(read.messages()[0]["msg"], "root", "days come in the order of the calendar");
}

#[test]
fn files_that_are_no_longer_there_cost_no_text() {
    let read = export(
        &json!([{ "type": "message", "user": "U01", "ts": "1577923200.000100", "text": "see this", "files": [
        { "id": "F1", "mode": "tombstone" },
        { "id": "F2", "mode": "hidden_by_limit" },
        { "id": "F3", "mode": "external", "title": "Plan", "url_private": "https://drive.example/x" },
        { "id": "F4", "name": "a.png", "size": 9, "mode": "hosted", "url_private_download": "https://files.slack.example/F4?t=xoxe-1" },
        { "id": "F5", "mode": "quip", "title": "Notes", "permalink": "https://corp.slack.example/docs/F5" },
    ] }]),
    );
    let text = read.message("see this");
    assert_eq!(
        text["msg"],
        "see this\n_A file that was deleted in Slack_\n_A file beyond Slack's limit of history_\n\
         [Plan](https://drive.example/x)\n[Notes](https://corp.slack.example/docs/F5)"
    );
    let pending = &read.messages()[0];
    assert_eq!(pending["_id"], "slack-C01-1577923200-000100-file4");
    assert_eq!(pending["_hidden"], json!(true));
    assert_eq!(pending["_importFile"]["downloadUrl"], "https://files.slack.example/F4?t=xoxe-1");
    assert_eq!(millis(&pending["ts"]), millis(&text["ts"]) + 1);
    assert_eq!(read.notes(Note::FileGone), 2);
}

#[test]
fn no_empty_message_stands_beside_a_file_unless_something_hangs_on_it() {
    let file = json!([{ "id": "F4", "name": "a.png", "url_private_download": "https://files.example/F4" }]);
    let bare = json!({ "type": "message", "user": "U01", "ts": "1577923200.000100", "text": "", "files": file });
    let mut root = bare.clone();
    root["ts"] = json!("1577923300.000100");
    let answer = json!({ "type": "message", "user": "U02", "ts": "1577923301.000100", "text": "nice", "thread_ts": "1577923300.000100" });
    let read = export(&json!([bare, root, answer]));
    let ids: Vec<Value> = read.messages().iter().map(|message| message["_id"].clone()).collect();
    assert_eq!(
        ids,
        [
            "slack-C01-1577923200-000100-file1",
            "slack-C01-1577923300-000100-file1",
            "slack-C01-1577923300-000100",
            "slack-C01-1577923301-000100"
        ]
    );
    assert_eq!(read.message("nice")["tmid"], ids[2]);
    assert_eq!(read.passed_over(), [("message", 1)]);
}

#[test]
fn no_record_holds_a_null() {
    fn holds_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(values) => values.iter().any(holds_null),
            Value::Object(members) => members.iter().any(|(name, value)| name != "original" && holds_null(value)),
            _ => false,
        }
    }
    let read = export(&json!([
        said("1577923200.000100", "plain"),
        { "type": "message", "user": null, "bot_id": null, "text": null, "ts": "1577923201.000100", "thread_ts": null, "attachments": null },
        { "type": "message", "user": "U01", "text": "x", "ts": "1577923202.000100", "files": [{ "id": null, "name": null, "url_private": "https://f.example/x" }],
          "attachments": [{ "text": null, "title": "t", "color": null }] },
    ]));
    let all = read.users().into_iter().chain(read.channels()).chain(read.messages());
    let with_null: Vec<Value> = all.filter(holds_null).collect();
    assert!(with_null.is_empty(), "{with_null:#?}");
    assert_eq!(read.messages().len(), 4);
}

#[test]
fn long_texts_and_texts_that_are_only_blocks_are_kept() {
    let blocks = json!([
        { "type": "rich_text", "elements": [
            { "type": "rich_text_section", "elements": [
                { "type": "text", "text": "hello " }, { "type": "user", "user_id": "U02" },
                { "type": "text", "text": " be bold", "style": { "bold": true } },
                { "type": "emoji", "name": "wave", "skin_tone": 3 },
                { "type": "link", "url": "https://x.example", "text": "x" } ] },
            { "type": "rich_text_list", "style": "ordered", "elements": [
                { "type": "rich_text_section", "elements": [{ "type": "text", "text": "one" }] },
                { "type": "rich_text_section", "elements": [{ "type": "channel", "channel_id": "C01" }] } ] },
            { "type": "rich_text_quote", "elements": [{ "type": "text", "text": "a\nb" }] },
            { "type": "rich_text_preformatted", "elements": [{ "type": "text", "text": "let x;" }] } ] },
        { "type": "section", "text": { "type": "mrkdwn", "text": "<@U01> &amp; co" } },
        { "type": "divider" },
    ]);
    let long = "x".repeat(60_000);
    let read = export(&json!([
        said("1577923200.000100", &long),
        { "type": "message", "user": "U01", "text": null, "blocks": blocks, "ts": "1577923201.000100" },
    ]));
    assert_eq!(read.message("xxx")["msg"], json!(long));
    let message = read.message("hello");
    assert_eq!(
        message["msg"],
        "hello @U02 *be bold*:wave_tone2:[x](https://x.example)\n1. one\n2. #general\n> a\n> b\n```\nlet x;\n```\n@U01 & co"
    );
    assert_eq!(message["mentions"], json!(["U02", "U01"]));
    assert_eq!(message["channels"], json!(["C01"]));
}

#[test]
fn group_talks_keep_their_histories_and_notes_to_oneself_work() {
    let talk = |id: &str, name: &str, members: Value| json!({ "id": id, "name": name, "created": 1_577_923_200, "creator": "U01", "members": members });
    let nine: Vec<String> = (1..=9).map(|number| format!("U0{number}")).collect();
    let zip = lists()
        .json(
            "mpims.json",
            &json!([
                talk("G1", "mpdm-ann--bea--cid-1", json!(["U01", "U02", "U03"])),
                talk("G2", "mpdm-ann--bea--cid-2", json!(["U03", "U02", "U01"])),
                talk("G3", "mpdm-nine-1", json!(nine)),
                { "id": "G4", "name": "mpdm-none-1" },
            ]),
        )
        .json(
            "dms.json",
            &json!([{ "id": "D1", "members": ["U01"] }, { "id": "D2", "members": ["U01", "U01"] }, { "id": "D3" }]),
        )
        .json("mpdm-ann--bea--cid-1/2020-01-02.json", &json!([said("1577923200.000100", "in one")]))
        .json("mpdm-ann--bea--cid-2/2020-01-02.json", &json!([said("1577923200.000100", "in two")]))
        .json("D1/2020-01-02.json", &json!([said("1577923200.000100", "note to self")]));
    let read = read(Format::Slack, &zip.bytes());
    let kinds: Vec<(Value, Value)> =
        read.channels().iter().map(|room| (room["importIds"][0].clone(), room["t"].clone())).collect();
    let expected = [("C01", "c"), ("G1", "d"), ("G2", "d"), ("G3", "p"), ("G4", "p"), ("D1", "d"), ("D2", "d")];
    assert_eq!(kinds, expected.map(|(id, kind)| (json!(id), json!(kind))));
    assert_eq!(read.message("in one")["rid"], "G1");
    assert_eq!(read.message("in two")["rid"], "G2");
    assert_eq!(read.message("note")["rid"], "D1");
    assert_eq!(read.reasons(), ["dms.json, element 3: The direct message has no members."]);
}

#[test]
fn what_lies_beside_the_messages_is_passed_over_and_counted_once() {
    let zip = lists()
        .json("integration_logs.json", &json!([{ "service_id": "1" }, { "service_id": "2" }]))
        .json("canvases.json", &json!([{ "id": "F1" }]))
        .json("content_flags.json", &json!([{}]))
        .json("huddle_transcripts.json", &json!([{}]))
        .json("lists.json", &json!([{}]))
        .json("foo.json", &json!([{}]))
        .json(
            "FC:F01ABC:notes/2020-01-02.json",
            &json!([said("1577923200.000100", "a"), said("1577923201.000100", "b")]),
        )
        .json("general/canvas_in_the_conversation.json", &json!([{}]))
        .file("__uploads/F1/a.png", "x")
        .file("empty/", "")
        .json("general/2020-01-02.json", &json!([]))
        .json("general/2020-01-03.json", &json!({}));
    let read = read(Format::Slack, &zip.bytes());
    assert_eq!(
        read.passed_over(),
        [
            ("canvas", 1),
            ("canvas", 1),
            ("integration log", 2),
            ("content flag", 1),
            ("huddle transcript", 1),
            ("list", 1),
            ("unknown file", 1),
            ("message", 2),
            ("file", 1),
        ]
    );
    assert_eq!(read.reasons(), ["general/2020-01-03.json: It holds a JSON object where a list is needed."]);
}

fn canvas(id: &str, more: &Value) -> Value {
    let mut canvas = json!({
        "id": id, "created": 1_577_923_200, "name": id, "title": format!("Notes {id}"), "mimetype": "application/vnd.slack-docs",
        "filetype": "quip", "mode": "quip", "user": "U02", "size": 99,
        "url_private": format!("https://files.slack.example/files-pri/T1-{id}/canvas?t=xoxe-1"),
        "permalink": format!("https://corp.slack.example/docs/T1/{id}"),
    });
    canvas.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    canvas
}

#[test]
fn canvases_become_links_in_the_rooms_that_they_belong_to() {
    let zip = || {
        lists()
            .json("dms.json", &json!([{ "id": "D1", "members": ["U01", "U02"] }]))
            .json("general/2020-01-02.json", &json!([said("1577923300.000100", "after them")]))
            .json(
                "general/canvas_in_the_conversation.json",
                &json!([canvas("F1", &json!({})), canvas("F2", &json!({ "user": "W9EXT" }))]),
            )
            .json(
                "canvases.json",
                &json!([
                    canvas("F1", &json!({ "channels": ["C01"] })),
                    canvas("F3", &json!({ "channels": ["C01", "C99"], "ims": ["D1"], "user": "W8EXT" })),
                    canvas(
                        "F4",
                        &json!({ "channels": ["C99"], "permalink": "https://corp.slack.example/docs/T1/F4?x=1#a" })
                    ),
                    canvas("F5", &json!({ "channels": ["C01"], "permalink": null, "url_private": null })),
                    canvas("F6", &json!({ "channels": ["C01"], "created": null })),
                    7,
                ]),
            )
    };
    let read = read(Format::Slack, &zip().bytes());
    let links: Vec<(String, String)> = read
        .messages()
        .iter()
        .filter(|message| message["msg"] != "after them")
        .map(|message| (message["rid"].as_str().unwrap().to_owned(), message["msg"].as_str().unwrap().to_owned()))
        .collect();
    let link =
        |room: &str, id: &str| (room.to_owned(), format!("[Notes {id}](https://corp.slack.example/docs/T1/{id})"));
    assert_eq!(links, [link("C01", "F1"), link("C01", "F2"), link("C01", "F1"), link("C01", "F3"), link("D1", "F3")]);
    let first = read.message("[Notes F1]");
    assert_eq!((&first["u"]["_id"], millis(&first["ts"]) / 1000), (&json!("U02"), 1_577_923_200));
    let ids: Vec<Value> = read.messages().iter().map(|message| message["_id"].clone()).collect();
    let distinct: HashSet<String> = ids.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), 5, "a canvas that is listed twice is one message: {ids:?}");
    let strangers: Vec<Value> = read.users()[2..].iter().map(|user| user["importIds"][0].clone()).collect();
    assert_eq!(strangers, ["W9EXT", "W8EXT"], "their authors stand in");
    assert_eq!(read.passed_over(), [("canvas", 1), ("canvas", 1), ("canvas", 1)]);
    let reasons = read.elements.iter().filter_map(|element| match element {
        Element::PassedOver(passed) => Some(passed.reason.as_str()),
        _ => None,
    });
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        [
            "It was shared in no room of the export: https://corp.slack.example/docs/T1/F4",
            "It has no address or no time.",
            "It has no address or no time.",
        ]
    );
    assert_eq!(read.reasons(), ["canvases.json, element 6: It is no JSON object."]);
    let again = crate::support::read(Format::Slack, &zip().bytes());
    assert_eq!(again.messages(), read.messages());
}

#[test]
fn documents_among_the_files_of_a_message_become_links() {
    for mode in ["canvas", "quip", "docs", "list", "space"] {
        let file = canvas("F1", &json!({ "mode": mode }));
        let read = export(&json!([
            { "type": "message", "user": "U01", "ts": "1577923200.000100", "text": "see", "files": [file] },
            { "type": "message", "user": "U01", "ts": "1577923201.000100", "text": "", "files": [file] },
        ]));
        let texts: Vec<Value> = read.messages().iter().map(|message| message["msg"].clone()).collect();
        let link = "[Notes F1](https://corp.slack.example/docs/T1/F1)";
        assert_eq!(texts, [format!("see\n{link}"), link.to_owned()], "{mode}");
        assert!(read.messages().iter().all(|message| message.get("_importFile").is_none()), "{mode}");
    }
}

#[test]
fn messages_of_one_second_keep_their_order_whatever_their_order_in_the_file() {
    let at = |number: u32| format!("1577923200.{:06}", number * 7 + 100_000);
    let mut numbers: Vec<u32> = (0..500).collect();
    // A fixed shuffle: 7 and 500 share no factor.
    numbers.sort_by_key(|number| number * 7 % 500);
    let messages = |numbers: &[u32]| -> Value {
        numbers.iter().map(|number| said(&at(*number), &format!("no {number}"))).collect()
    };
    let order = |read: &Read| {
        let mut sorted = read.messages();
        sorted.sort_by_key(|message| millis(&message["ts"]));
        let times: HashSet<i64> = sorted.iter().map(|message| millis(&message["ts"])).collect();
        assert_eq!(times.len(), sorted.len(), "no two share a millisecond");
        sorted.iter().map(|message| message["msg"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = export(&messages(&numbers));
    let expected: Vec<String> = (0..500).map(|number| format!("no {number}")).collect();
    assert_eq!(order(&first), expected);
    numbers.extend(500..510);
    let longer = export(&messages(&numbers));
    assert_eq!(order(&longer)[..500], expected);
    let times = |read: &Read| read.messages()[..500].iter().map(|message| millis(&message["ts"])).collect::<Vec<_>>();
    assert_eq!(times(&first), times(&longer), "what is later changes nothing before it");
}

#[test]
fn bots_reactions_edits_pins_and_unknown_subtypes_are_kept() {
    let read = export(&json!([
        { "type": "message", "subtype": "bot_message", "bot_id": "B1", "username": "Deployer", "text": "done", "ts": "1577923200.000100" },
        { "type": "message", "user": "U01", "text": "pinned", "ts": "1577923201.000100", "pinned_to": ["C01"],
          "pinned_info": { "pinned_by": "U02", "pinned_ts": 1_577_923_300 }, "edited": { "user": "U02", "ts": "1577923250.500000" },
          "reactions": [{ "name": "thumbsup::skin-tone-3", "users": ["U01"] }, { "name": "memo", "users": ["U02", "U01", "U02"] }] },
        { "type": "message", "subtype": "channel_archive", "user": "U01", "text": "archived the channel", "ts": "1577923202.000100" },
        { "type": "message", "subtype": "huddle_thread", "user": "U01", "text": "", "ts": "1577923203.000100" },
        { "type": "message", "subtype": "file_comment", "comment": { "user": "U02", "comment": "a comment" }, "text": "", "ts": "1577923204.000100" },
        { "type": "message", "subtype": "pinned_item", "user": "U01", "text": "pinned a message", "ts": "1577923205.000100", "attachments": [{ "text": "that" }] },
        { "type": "event", "ts": "1577923206.000100" },
        said("1577923201.000100", "there twice"),
    ]));
    let bot = read.message("done");
    assert_eq!(
        (&bot["u"]["_id"], &bot["alias"], &bot["bot"]),
        (&json!("rocket.cat"), &json!("Deployer"), &json!(true))
    );
    let pinned = read.message("pinned");
    assert_eq!(
        (&pinned["pinned"], &pinned["pinnedBy"], millis(&pinned["pinnedAt"])),
        (&json!(true), &json!("U02"), 1_577_923_300_000)
    );
    assert_eq!((millis(&pinned["editedAt"]), &pinned["editedBy"]), (1_577_923_250_500, &json!("U02")));
    assert_eq!(
        pinned["reactions"],
        json!({ ":thumbsup_tone2:": { "name": ":thumbsup_tone2:", "users": ["U01"] }, ":pencil:": { "name": ":pencil:", "users": ["U02", "U01"] } })
    );
    assert!(read.message("archived the channel").get("t").is_none());
    assert_eq!(read.message("a comment")["u"]["_id"], "U02");
    let item = read.messages().into_iter().find(|message| message["t"] == "message_pinned").unwrap();
    assert_eq!(item["attachments"][0]["text"], "that");
    assert_eq!(read.notes(Note::UnknownSubtype), 2);
    assert_eq!(read.passed_over(), [("message", 1), ("message", 1), ("message", 1)]);
    assert_eq!(read.tally.element_count(), 2 + 1 + 8, "everything is accounted for");
}

#[test]
fn folder_names_meet_in_whatever_form_they_are_written() {
    let channels = json!([{ "id": "C02", "name": "gr\u{fc}\u{df}e", "creator": "U01", "members": [] }]);
    let day = json!([said("1577923200.000100", "hallo")]).to_string();
    for folder in ["gr\u{fc}\u{df}e".as_bytes(), "gru\u{308}\u{df}e".as_bytes(), b"gr\x81\xe1e"] {
        let zip = Zip::default().json("users.json", &users()).json("channels.json", &channels);
        let name = [folder, b"/2020-01-02.json"].concat();
        let read = read(Format::Slack, &zip.entry(&name, day.as_bytes(), crate::support::Packing::Deflated).bytes());
        assert_eq!(read.message("hallo")["rid"], "C02", "{folder:?}");
    }
}

#[test]
fn reading_goes_on_from_every_position_as_if_it_had_not_stopped() {
    let zip = lists()
        .json("random.txt", &json!(1))
        .json("dms.json", &json!([{ "id": "D1", "members": ["U01", "W8EXT"] }]))
        .json("D1/2020-01-02.json", &json!([said("1577923200.000100", "x"), said("1577923200.000100", "x"), 7]))
        .json("general/2020-01-02.json", &json!([said("1577923200.000200", "b"), said("1577923200.000100", "a")]))
        .bytes();
    let file = Arc::new(zip);
    let mut reader = open(Format::Slack, file.clone(), &Options::default()).unwrap();
    let mut positions = vec![reader.position()];
    let mut elements: Vec<Element> = Vec::new();
    while let Some(element) = reader.next() {
        elements.push(element.unwrap());
        positions.push(reader.position());
    }
    assert!(positions.is_sorted());
    assert_eq!(elements.len(), 3 + 2 + 3 + 2 + 1);
    for (done, position) in positions.into_iter().enumerate() {
        let mut resumed = open(Format::Slack, file.clone(), &Options::default()).unwrap();
        resumed.resume(position);
        let rest: Vec<Element> = resumed.map(Result::unwrap).collect();
        assert_eq!(rest, elements[done..], "{position:?}");
    }
}

#[test]
fn the_same_message_has_one_id_however_often_it_is_read() {
    let first = export(&json!([said("1577923200.000100", "a")]));
    let second = export(&json!([said("1577923200.000100", "a, edited"), said("1577923201.000100", "b")]));
    assert_eq!(first.messages()[0]["_id"], second.messages()[0]["_id"]);
    assert_eq!(
        first.records(RecordType::Message)[0].place.to_string(),
        "general/2020-01-02.json, message 1577923200.000100"
    );
}
