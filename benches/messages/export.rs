//! A Slack export, made up.

use std::{
    fs::File,
    io::{BufWriter, Read as _, Write as _},
    path::Path,
};

use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

pub const USERS: usize = 2000;
pub const CHANNELS: usize = 300;
const MEMBERS: usize = 100;
/// Files that the messages of a channel are spread over.
const DAYS: usize = 30;
const FIRST_SECOND: usize = 1_577_836_800;
const SECONDS_PER_DAY: usize = 86_400;
/// Every so many messages one answers the first of its day, has a reaction, or names somebody.
const ANSWER_EVERY: usize = 10;
const REACTION_EVERY: usize = 20;
const MENTION_EVERY: usize = 7;
const READ_AT_ONCE: usize = 1024 * 1024;

/// Writes an export with this many messages.
pub fn write_export(path: &Path, messages: usize) {
    let mut zip = ZipWriter::new(BufWriter::new(File::create(path).unwrap()));
    let mut write = |name: &str, content: &[Value]| {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        serde_json::to_writer(&mut zip, content).unwrap();
    };
    write("users.json", &(0..USERS).map(user).collect::<Vec<_>>());
    write("channels.json", &(0..CHANNELS).map(channel).collect::<Vec<_>>());
    for channel in 0..CHANNELS {
        let of_channel = share(messages, CHANNELS, channel);
        for day in 0..DAYS {
            let of_day = share(of_channel, DAYS, day);
            let content: Vec<Value> = (0..of_day).map(|number| message(channel, day, number, of_day)).collect();
            if !content.is_empty() {
                write(&format!("channel{channel}/2020-01-{:02}.json", day + 1), &content);
            }
        }
    }
    zip.finish().unwrap().flush().unwrap();
}

/// The part of `whole` that the piece `number` of `pieces` has.
const fn share(whole: usize, pieces: usize, number: usize) -> usize {
    whole * (number + 1) / pieces - whole * number / pieces
}

fn user(number: usize) -> Value {
    json!({
        "id": format!("U{number:06}"), "name": format!("person{number}"), "deleted": false, "is_bot": false,
        "profile": { "real_name": format!("Person {number}"), "email": format!("person{number}@example.com") },
    })
}

fn member(channel: usize, number: usize) -> String {
    format!("U{:06}", (channel * 13 + number * 17) % USERS)
}

fn channel(number: usize) -> Value {
    json!({
        "id": format!("C{number:06}"), "name": format!("channel{number}"), "created": FIRST_SECOND,
        "creator": member(number, 0), "is_general": false,
        "members": (0..MEMBERS).map(|place| member(number, place)).collect::<Vec<_>>(),
        "topic": { "value": "Work" }, "purpose": { "value": "A channel of a benchmark" },
    })
}

fn message(channel: usize, day: usize, number: usize, of_day: usize) -> Value {
    let moment = |number: usize| {
        let second = FIRST_SECOND + day * SECONDS_PER_DAY + number * SECONDS_PER_DAY / of_day;
        format!("{second}.{:06}", number % 1_000_000)
    };
    let author = |number: usize| member(channel, number % MEMBERS);
    let mut text =
        format!("Message {number} of the day: the quick brown fox jumps over the lazy dog, and *nobody* minds.");
    if number.is_multiple_of(MENTION_EVERY) {
        text = format!("<@{}> {text}", author(number + 1));
    }
    let mut message = json!({ "type": "message", "user": author(number), "text": text, "ts": moment(number) });
    if number > 0 && number.is_multiple_of(ANSWER_EVERY) {
        message["thread_ts"] = json!(moment(0));
        message["parent_user_id"] = json!(author(0));
    }
    if number.is_multiple_of(REACTION_EVERY) {
        message["reactions"] = json!([{ "name": "thumbsup", "users": [author(number + 2)], "count": 1 }]);
    }
    message
}

/// The file as the body of a request.
pub fn streamed(path: &Path) -> reqwest::Body {
    let file = File::open(path).unwrap();
    reqwest::Body::wrap_stream(stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; READ_AT_ONCE];
        let length = file.read(&mut piece)?;
        piece.truncate(length);
        Ok::<_, std::io::Error>((length > 0).then(|| (Bytes::from(piece), file)))
    }))
}
