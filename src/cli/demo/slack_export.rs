//! A small Slack export for the demo: five people and a bot, two channels, a private one, a direct message.

use std::io::{self, Cursor, Write as _};

use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

/// The first message, in seconds since 1970: 2024-03-04, 09:00 UTC.
const FIRST: u64 = 1_709_542_800;
const DAY: u64 = 24 * 60 * 60;
/// The file of a message, and its content.
const LENS_FILE: &str = "__uploads/F1/lens.txt";
const LENS: &str = "lens,heat in W,price\nfirst,34,120\nsecond,21,105.60\n";

/// Returns the archive.
///
/// # Errors
/// When it cannot be written.
pub(super) fn slack_export() -> io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries() {
        archive.start_file(name, SimpleFileOptions::default()).map_err(io::Error::other)?;
        archive.write_all(content.to_string().as_bytes())?;
    }
    // Beside the messages, where programs put files that add them to an export: the example needs no other server.
    archive.start_file(LENS_FILE, SimpleFileOptions::default()).map_err(io::Error::other)?;
    archive.write_all(LENS.as_bytes())?;
    Ok(archive.finish().map_err(io::Error::other)?.into_inner())
}

fn entries() -> Vec<(&'static str, Value)> {
    let people = [
        ("U1", "mara", "Mara Lind"),
        ("U2", "joel", "Joel Okafor"),
        ("U3", "ines", "Inês Duarte"),
        ("U4", "tomo", "Tomo Aoki"),
    ];
    let mut users: Vec<Value> = people.iter().map(|(id, name, real)| person(id, name, real)).collect();
    users.push(json!({
        "id": "U5", "name": "left.long.ago", "deleted": true, "real_name": "Kim Berg",
        "profile": { "email": "kim@lighthouse.example" },
    }));
    users.push(
        json!({ "id": "U6", "name": "deploys", "is_bot": true, "profile": { "bot_id": "B1", "real_name": "Deploys" } }),
    );
    let everybody = ["U1", "U2", "U3", "U4"];
    let channel = |id: &str, name: &str, members: &[&str], topic: &str| {
        json!({
            "id": id, "name": name, "created": FIRST - DAY, "creator": "U1", "members": members,
            "is_general": name == "general", "topic": { "value": topic }, "purpose": { "value": "" },
        })
    };
    let general = channel("C1", "general", &everybody, "Everything for everybody");
    let lamp = channel("C2", "new-lamp", &["U1", "U2", "U3"], "The lamp is to shine in May");
    vec![
        ("users.json", Value::Array(users)),
        ("channels.json", json!([general, lamp])),
        ("groups.json", json!([channel("G1", "budget", &["U1", "U4"], "")])),
        ("dms.json", json!([{ "id": "D1", "created": FIRST, "members": ["U2", "U3"] }])),
        ("integration_logs.json", json!([{ "user_id": "U1", "date": FIRST, "change_type": "added" }])),
        ("general/2024-03-04.json", general_messages()),
        ("new-lamp/2024-03-05.json", lamp_messages()),
        (
            "budget/2024-03-05.json",
            json!([said("U4", FIRST + DAY + 60, "The offer for the lens is *12 % lower* than last year.")]),
        ),
        (
            "D1/2024-03-05.json",
            json!([said("U2", FIRST + DAY + 90, "Lunch at noon?"), said("U3", FIRST + DAY + 95, "Yes :+1:")]),
        ),
    ]
}

fn person(id: &str, name: &str, real_name: &str) -> Value {
    json!({
        "id": id, "name": name, "real_name": real_name, "is_admin": id == "U1",
        "profile": { "email": format!("{name}@lighthouse.example"), "real_name": real_name },
    })
}

fn said(user: &str, at: u64, text: &str) -> Value {
    json!({ "type": "message", "user": user, "ts": format!("{at}.000100"), "text": text })
}

fn with(mut message: Value, more: Value) -> Value {
    if let (Some(message), Value::Object(more)) = (message.as_object_mut(), more) {
        message.extend(more);
    }
    message
}

fn general_messages() -> Value {
    let join = with(said("U4", FIRST + 5, "<@U4> has joined the channel"), json!({ "subtype": "channel_join" }));
    let welcome = with(
        said("U1", FIRST + 60, "Welcome <@U4>! Start with <https://lighthouse.example/handbook|the handbook>."),
        json!({ "reactions": [{ "name": "wave", "count": 2, "users": ["U2", "U3"] }] }),
    );
    let edited = with(
        said("U4", FIRST + 120, "Thank you, all!"),
        json!({ "edited": { "user": "U4", "ts": format!("{}.0", FIRST + 130) } }),
    );
    let deployed = json!({
        "type": "message", "subtype": "bot_message", "bot_id": "B1", "username": "deploys",
        "ts": format!("{}.000200", FIRST + 600), "text": "Version 14 is on the tower.",
    });
    let of_a_former = said("U5", FIRST + 700, "The old key is under the mat.");
    json!([join, welcome, edited, deployed, of_a_former])
}

fn lamp_messages() -> Value {
    let root = format!("{}.000100", FIRST + DAY);
    let in_thread = |message: Value| with(message, json!({ "thread_ts": root }));
    json!([
        in_thread(said("U2", FIRST + DAY, "Which lens do we take? See <#C1|general> for the list.")),
        in_thread(said("U3", FIRST + DAY + 30, "The second one: less heat.")),
        in_thread(said("U1", FIRST + DAY + 45, "Agreed. <!channel>: it is the second one.")),
        with(
            said("U3", FIRST + DAY + 200, "The numbers"),
            json!({ "files": [{
                "id": "F1", "name": "lens.txt", "title": "Lens", "mimetype": "text/plain", "size": LENS.len(),
                "url_private_download": "https://files.lighthouse.example/lens.txt",
            }] }),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::importers::{Format, Options, Tally, open};

    use super::*;

    #[test]
    fn the_export_is_read_without_a_problem() {
        let bytes: Arc<Vec<u8>> = Arc::new(slack_export().unwrap());
        let mut tally = Tally::default();
        for element in open(Format::Slack, bytes, &Options::default()).unwrap() {
            tally.add(&element.unwrap());
        }
        assert!(tally.problems.is_empty(), "{tally:?}");
        assert!(tally.record_count() > 20, "{tally:?}");
    }
}
