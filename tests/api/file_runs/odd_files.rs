//! Files that lack something or hold something odd, and those that are chosen from in part.

use super::{again::said, cases::slack, *};

fn person(id: &str, name: &str) -> Value {
    json!({ "id": id, "name": name, "real_name": format!("{name} Lee"), "profile": { "email": format!("{name}@corp.example") } })
}

fn channel(id: &str, name: &str) -> Value {
    json!({ "id": id, "name": name, "created": 1_500_000_000, "creator": "U01", "members": ["U01", "U02"] })
}

fn day(folder: &str, date: &str, messages: Value) -> (String, Value) {
    (format!("{folder}/{date}.json"), messages)
}

/// The export of ann and bea with the channel `dev`, which holds these messages.
fn dev(messages: Value) -> Vec<u8> {
    let users = json!([person("U01", "ann"), person("U02", "bea")]);
    slack(&users, &[("channels.json", json!([channel("C01", "dev")]))], &[day("dev", "2020-01-02", messages)])
}

fn texts(messages: &[Document]) -> Vec<&str> {
    messages.iter().map(|message| message.get_str("msg").unwrap()).collect()
}

/// The messages of the workspace in the order in which clients show them.
async fn shown(workspace: &Workspace) -> Vec<Document> {
    let mut messages = workspace.found("rocketchat_message", doc! { "t": { "$exists": false } }).await;
    messages.sort_by_key(|message| message.get_datetime("ts").copied().unwrap());
    messages
}

async fn report(service: &Service) -> Value {
    service.get_as_admin("/api/v1/import.report?count=0").await.json()
}

fn passed_over(report: &Value, place: &str) -> u64 {
    let lines = report["lines"].as_array().unwrap().iter();
    let about = lines.filter(|line| line["outcome"] == "passedOver" && line["place"].as_str().unwrap().contains(place));
    about.map(|line| line["count"].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_alone_go_into_the_room_that_is_there_and_nothing_at_all_is_refused() {
    let (workspace, service) = served().await;
    workspace.add_user(user("ann")).await;
    let talk = doc! { "_id": "talk", "t": "c", "name": "talk", "fname": "talk", "msgs": 3, "usersCount": 1 };
    workspace.fill("rocketchat_room", vec![talk]).await;
    service.import("csv", &zip(&[("talk/m.csv", "\"ann\",\"1479162481336\",\"hi\"\n".to_owned())])).await;
    let found = shown(&workspace).await;
    assert_eq!(texts(&found), ["hi"]);
    assert_eq!(
        (found[0].get_str("rid").ok(), found[0].get_document("u").unwrap().get_str("_id").ok()),
        (Some("talk"), Some("ann"))
    );
    assert_eq!(workspace.found("rocketchat_room", doc! {}).await[0].get_i32("msgs").ok(), Some(4));

    let body = json!({
        "binaryContent": BASE64_STANDARD.encode(zip(&[("users.csv", String::new())])),
        "contentType": "application/zip", "fileName": "empty.zip", "importerKey": "csv",
    });
    service.post("/api/v1/uploadImportFile", &body).await;
    let status = service.wait_for_state("error").await;
    assert!(status["operation"]["import"]["problem"].as_str().is_some_and(|problem| !problem.is_empty()), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_exact_and_a_time_is_read_or_refused_and_never_made_up() {
    let (workspace, service) = served().await;
    let b = concat!(
        "\"ann\",\"1479162481336\",\"line 1\nline \"\"2\"\", with comma\"\n",
        "\"ann\",\"1479162482\",\"seconds\"\n",
        "\"ann\",\"2016-11-14T22:28:03Z\",\"iso\"\n",
        "\"ann\",\"\",\"none\"\n",
        "\"ann\",\"1479162481336\",\"same millisecond\"\n",
    );
    let files = zip(&[
        ("users.csv", "\"ann\",\"ann@corp.example\",\"Ann\"\n".to_owned()),
        ("channels.csv", "\"talk\",\"ann\",\"public\",\"ann\"\n".to_owned()),
        ("talk/b.csv", b.to_owned()),
        ("talk/a.csv", "\"ann\",\"1479162490000\",\"later, in a file before\"\n".to_owned()),
    ]);
    for _ in 0..2 {
        service.import("csv", &files).await;
        let found = shown(&workspace).await;
        let right = ["line 1\nline \"2\", with comma", "same millisecond", "seconds", "iso", "later, in a file before"];
        assert_eq!(texts(&found), right);
        let first = found[0].get_datetime("ts").unwrap().timestamp_millis();
        assert_eq!(first, 1_479_162_481_336);
        assert_eq!(found[2].get_datetime("ts").unwrap().timestamp_millis(), 1_479_162_482_000);
        assert_eq!(found[3].get_datetime("ts").unwrap().timestamp_millis(), 1_479_162_483_000);
        let errors = service.get_as_admin("/api/v1/import.errors").await.json();
        let place = errors["errors"][0]["place"].as_str().unwrap_or_default();
        assert!(errors["total"] == 1 && place.starts_with("talk/b.csv") && place.ends_with('5'), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_from_org_users_json_or_from_their_messages_where_there_is_no_users_json() {
    let mut speaks = said("U01", "1577923200.000100", "hello");
    speaks["user_profile"] = json!({ "real_name": "Ann Lee", "name": "ann" });
    let rest = [
        ("channels.json", json!([channel("C01", "dev")]).to_string()),
        ("dev/2020-01-02.json", json!([speaks]).to_string()),
    ];
    let no_profile = json!([{ "id": "U01", "name": "ann" }, person("U02", "bea")]);
    for (people, email) in [
        (Some(("org_users.json", json!([person("U01", "ann"), person("U02", "bea")]))), Some("ann@corp.example")),
        (Some(("users.json", json!({ "members": [person("U01", "ann")] }))), Some("ann@corp.example")),
        (None, None),
        (Some(("users.json", json!([]))), None),
        (Some(("users.json", no_profile)), None),
    ] {
        let (workspace, service) = served().await;
        let mut files: Vec<(&str, String)> = rest.to_vec();
        files.extend(people.as_ref().map(|(name, list)| (*name, list.to_string())));
        service.import("slack", &zip(&files)).await;
        let found = shown(&workspace).await;
        assert_eq!(texts(&found), ["hello"], "{people:?}");
        let ann = workspace.found("users", doc! { "importIds": "U01" }).await.remove(0);
        assert_eq!(ann.get_str("username").ok(), Some("ann"), "{people:?}: {ann}");
        let address =
            ann.get_array("emails").ok().and_then(|emails| emails.first()?.as_document()?.get_str("address").ok());
        assert_eq!(address, email, "{people:?}: {ann}");
        assert_eq!(found[0].get_document("u").unwrap().get("_id"), ann.get("_id"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_are_what_is_really_there() {
    let (workspace, service) = served().await;
    let answer = |person: &str, ts: &str, text: &str, root: &str| {
        let mut answer = said(person, ts, text);
        answer["thread_ts"] = json!(root);
        answer
    };
    let mut root = answer("U01", "1577923200.000100", "root", "1577923200.000100");
    root["reply_count"] = json!(7);
    let mut broadcast = answer("U02", "1578009700.000100", "for all", "1577923200.000100");
    broadcast["subtype"] = json!("thread_broadcast");
    broadcast["root"] = root.clone();
    let users = json!([person("U01", "ann"), person("U02", "bea")]);
    let days = [
        day("dev", "2020-02-01", json!([answer("U01", "1580515200.000100", "late", "1577923200.000100")])),
        day(
            "dev",
            "2020-01-03",
            json!([
                answer("U02", "1578009600.000100", "answer", "1577923200.000100"),
                broadcast,
                answer("U02", "1578009800.000100", "orphan", "1500000000.000100"),
            ]),
        ),
        day("dev", "2020-01-02", json!([root])),
    ];
    service.import("slack", &slack(&users, &[("channels.json", json!([channel("C01", "dev")]))], &days)).await;
    let found = shown(&workspace).await;
    assert_eq!(texts(&found), ["root", "answer", "for all", "orphan", "late"]);
    let root = &found[0];
    assert_eq!(root.get_i32("tcount").ok(), Some(3), "{root}");
    assert_eq!(root.get("tlm"), found[4].get("ts"));
    let mut repliers: Vec<&Bson> = root.get_array("replies").unwrap().iter().collect();
    repliers.sort_by_key(|id| id.as_str());
    let mut authors: Vec<&Bson> =
        [1, 4].map(|place: usize| found[place].get_document("u").unwrap().get("_id").unwrap()).to_vec();
    authors.sort_by_key(|id| id.as_str());
    assert_eq!(repliers, authors);
    for (place, is_answer, is_shown) in [(1, true, false), (2, true, true), (3, false, false), (4, true, false)] {
        let message = &found[place];
        assert_eq!(message.get("tmid").is_some(), is_answer, "{message}");
        assert_eq!(message.get_bool("tshow").unwrap_or_default(), is_shown, "{message}");
    }
    let rooms = workspace.found("rocketchat_room", doc! { "name": "dev" }).await;
    assert_eq!(rooms[0].get_i32("msgs").ok(), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_gone_leave_the_text_and_a_note_and_odd_text_stays_readable() {
    let (workspace, service) = served().await;
    let mut files = said("U01", "1577923200.000100", "see this");
    files["files"] = json!([
        { "id": "F1", "mode": "tombstone" }, { "id": "F2", "mode": "hidden_by_limit" },
        { "id": "F3", "mode": "external", "name": "plan", "url_private": "https://drive.example/x" },
    ]);
    let mut hosted = said("U01", "1577923201.000100", "and this");
    hosted["files"] = json!([{
        "id": "F4", "name": "a.png", "mode": "hosted", "url_private_download": "https://files.slack.example/F4?t=xoxe-1",
    }]);
    let odd = "<@U77> and <@U01|ann>: <https://a.example/x>\n- see <#C99|gone> <!here> <!subteam^S1|@ops> &lt;b&gt; <mailto:a@b.example|a@b.example> <!date^1577923200^{date}|Jan 2>";
    let mut blocks = said("U02", "1577923204.000100", "");
    blocks["text"] = Value::Null;
    blocks["blocks"] = json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [{ "type": "text", "text": "only in blocks" }] }] }]);
    let long = "x".repeat(60_000);
    let messages =
        json!([files, hosted, said("U02", "1577923202.000100", odd), said("U02", "1577923203.000100", &long), blocks,]);
    service.import("slack", &dev(messages)).await;
    let found = workspace.found("rocketchat_message", doc! { "_hidden": { "$ne": true } }).await;
    let with = |text: &str| {
        let about = |message: &&Document| message.get_str("msg").is_ok_and(|msg| msg.contains(text));
        found.iter().find(about).unwrap_or_else(|| panic!("no {text:?} in {found:?}"))
    };
    assert!(
        with("see this").to_string().contains("https://drive.example/x")
            || found.iter().any(|message| message.to_string().contains("https://drive.example/x")),
        "{found:?}"
    );
    with("and this");
    let read = with("<b>").get_str("msg").unwrap();
    for part in ["@U77", "@ann", "https://a.example/x", "\n- see #gone", "@here", "@ops", "a@b.example", "Jan 2"] {
        assert!(read.contains(part), "{part:?} in {read:?}");
    }
    assert_eq!(with(&long).get_str("msg").unwrap().len(), long.len());
    with("only in blocks");
    for message in &found {
        assert!(message.iter().all(|(_, value)| *value != Bson::Null), "{message}");
        let author = message.get_document("u").unwrap();
        assert!(["_id", "username", "name"].iter().all(|name| author.get_str(name).is_ok()), "{message}");
    }
    let pending = workspace.found("rocketchat_message", doc! { "_importFile.id": "F4" }).await;
    assert_eq!(pending.len(), 1, "the file waits to be fetched");
    let gone = report(&service).await.to_string();
    assert!(!gone.contains("xoxe-1"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_importer_notes_stands_in_the_account() {
    let (workspace, service) = served().await;
    let mut foreign = said("W9EXT", "1577923200.000100", "hi");
    foreign["user_profile"] = json!({ "real_name": "Ext Person", "name": "ext" });
    let mut orphan = said("U02", "1577923201.000100", "an answer to nothing");
    orphan["thread_ts"] = json!("1500000000.000100");
    let mut gone = said("U01", "1577923202.000100", "see these");
    gone["files"] = json!([{ "id": "F1", "mode": "tombstone" }, { "id": "F2", "mode": "tombstone" }]);
    service.import("slack", &dev(json!([foreign, orphan, gone]))).await;
    let account = report(&service).await;
    let notes = account["notes"].as_array().unwrap();
    for (note, count) in [
        ("person in no list of users, now a deactivated placeholder", 1),
        ("answer without its thread's first message, now a plain message", 1),
        ("file that Slack no longer holds, now a line of text", 2),
    ] {
        assert!(notes.contains(&json!({ "note": note, "count": count })), "{note}: {account}");
    }
    let stranger = workspace.found("users", doc! { "importIds": "W9EXT" }).await.remove(0);
    assert_eq!((stranger.get_str("username").ok(), stranger.get_str("name").ok()), (Some("ext"), Some("Ext Person")));

    let times = "ann,1479162481,in seconds\nann,2016-11-14T22:28:01Z,as a date\nann,1479162481336,as it is\n";
    let users = "ann,U01@corp.example,ann Lee\n".to_owned();
    let channels = "talk,ann,public,ann\n".to_owned();
    let files = [("users.csv", users), ("channels.csv", channels), ("talk/m.csv", times.to_owned())];
    service.import("csv", &zip(&files)).await;
    let account = report(&service).await;
    let recognised = json!({ "note": "time in seconds or as a date", "count": 2 });
    assert!(account["notes"].as_array().unwrap().contains(&recognised), "{account}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_whose_account_lacks_a_user_name_breaks_no_room() {
    let (workspace, service) = served().await;
    let nameless = user("nameless").without("username").without("name").with("importIds", vec!["W9"]);
    workspace.add_user(nameless).await;
    service.import("slack", &dev(json!([said("W9", "1577923200.000100", "who am I?")]))).await;
    let message = workspace.found("rocketchat_message", doc! { "msg": "who am I?" }).await.remove(0);
    let author = message.get_document("u").unwrap();
    assert!(["_id", "username", "name"].iter().all(|field| author.get_str(field).is_ok()), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_export_holds_beside_its_messages_is_passed_over_and_listed_once() {
    let (_workspace, service) = served().await;
    let entry = json!([{ "id": "X1" }]);
    let beside = ["integration_logs.json", "content_flags.json", "foo.json"];
    let users = json!([person("U01", "ann"), person("U02", "bea")]);
    let mut lists = vec![("channels.json", json!([channel("C01", "dev")]))];
    lists.extend(beside.iter().map(|name| (*name, entry.clone())));
    let days = [
        day("dev", "2020-01-02", json!([said("U01", "1577923200.000100", "hi")])),
        day("dev", "2020-01-03", json!([])),
        day("dev", "2020-01-04", json!({})),
        ("FC:F01ABC:notes/a.json".to_owned(), json!([{ "id": "X1" }, { "id": "X2" }])),
        ("FC:F01ABC:notes/b.json".to_owned(), json!([{ "id": "X3" }])),
        ("FC:F02ABC:plans/a.json".to_owned(), entry.clone()),
        ("huddle_transcripts.json".to_owned(), json!([{ "id": "X1" }, { "id": "X2" }, { "id": "X3" }])),
        ("lists.json".to_owned(), json!([{ "id": "X1" }, { "id": "X2" }])),
    ];
    let operation = service.import("slack", &slack(&users, &lists, &days)).await;
    assert_eq!(operation["count"]["messages"], 1);
    let report = report(&service).await;
    for name in beside {
        assert_eq!(passed_over(&report, name), 1, "{name} in {report:#}");
    }
    let more = [("huddle_transcripts.json", 3), ("lists.json", 2), ("FC:F01ABC:notes", 3), ("FC:F02ABC:plans", 1)];
    for (name, count) in more {
        assert_eq!(passed_over(&report, name), count, "{name} in {report:#}");
        let lines = report["lines"].as_array().unwrap().iter();
        assert_eq!(lines.filter(|line| line.to_string().contains(name)).count(), 1, "{name} is one line of {report:#}");
    }
    let totals = report["totals"].as_array().unwrap();
    for total in totals {
        let parts = ["imported", "failed", "passedOver", "waiting"].map(|name| total[name].as_u64().unwrap());
        assert_eq!(parts.iter().sum::<u64>(), total["elements"].as_u64().unwrap(), "{total}");
    }
    assert!(report["lines"].to_string().contains("2020-01-04.json"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn canvases_are_links_in_their_rooms_and_the_others_are_reported_with_their_address() {
    let (workspace, service) = served().await;
    let canvas = |id: &str, rooms: &[&str]| {
        json!({
            "id": id, "title": format!("Notes {id}"), "created": 1_577_923_200, "user": "U02", "mode": "quip", "channels": rooms,
            "permalink": format!("https://corp.slack.example/docs/T1/{id}?t=xoxe-1"),
        })
    };
    let users = json!([person("U01", "ann"), person("U02", "bea")]);
    let list = json!([canvas("F1", &["C01"]), canvas("F2", &[]), canvas("F3", &["C99"])]);
    let lists = [("channels.json", json!([channel("C01", "dev")])), ("canvases.json", list)];
    let days = [
        day("dev", "2020-01-02", json!([said("U01", "1577923300.000100", "hi")])),
        ("dev/canvas_in_the_conversation.json".to_owned(), json!([canvas("F1", &[])])),
    ];
    for _ in 0..2 {
        service.import("slack", &slack(&users, &lists, &days)).await;
        assert_eq!(texts(&shown(&workspace).await), ["[Notes F1](https://corp.slack.example/docs/T1/F1)", "hi"]);
    }
    let report = report(&service).await;
    for (id, place) in [("F2", "canvases.json, element 2"), ("F3", "canvases.json, element 3")] {
        assert_eq!(passed_over(&report, place), 1, "{report:#}");
        assert!(report.to_string().contains(&format!("https://corp.slack.example/docs/T1/{id}\"")), "{report:#}");
    }
    assert!(!report.to_string().contains("xoxe-1"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_were_left_out_stand_in_only_for_what_they_wrote_and_the_total_is_what_is_done() {
    const PEOPLE: usize = 400;
    const GONE: usize = 100;
    let (workspace, service) = served().await;
    let id = |number: usize| format!("U{number:04}");
    let people: Vec<Value> = (0..PEOPLE)
        .map(|number| {
            let mut person = person(&id(number), &format!("p{number}"));
            person["deleted"] = json!(number < GONE);
            person
        })
        .collect();
    let room = |id: &str, name: &str| json!({ "id": id, "name": name, "created": 1_500_000_000, "creator": "U0399", "members": ["U0399"] });
    let channels = json!([room("C01", "dev"), room("C02", "gossip")]);
    let days = [
        day(
            "dev",
            "2020-01-02",
            json!([said("U0007", "1577923200.000100", "I was here"), said("U0399", "1577923201.000100", "me too")]),
        ),
        day("gossip", "2020-01-02", json!([said("U0008", "1577923202.000100", "left out")])),
    ];
    service.load("slack", &slack(&json!(people), &[("channels.json", channels)], &days)).await;
    let chosen: Vec<String> = (GONE..PEOPLE).map(id).collect();
    let input = json!({ "users": { "list": chosen }, "channels": { "list": ["C01"] } });
    assert_eq!(service.start_import(input).await.status, 200);
    let operation = service.wait_for_state("done").await["operation"].clone();
    let accounts = workspace.found("users", doc! { "importIds": { "$exists": true } }).await;
    assert_eq!(accounts.len(), PEOPLE - GONE + 1);
    let stand_in = workspace.found("users", doc! { "importPlaceholder": true }).await;
    assert_eq!(stand_in.len(), 1, "{stand_in:?}");
    assert_eq!(
        (stand_in[0].get_array("importIds").unwrap()[0].as_str(), stand_in[0].get_bool("active").ok()),
        (Some("U0007"), Some(false))
    );
    assert_eq!(texts(&shown(&workspace).await), ["I was here", "me too"]);
    let done = PEOPLE - GONE + 1 + 1 + 2;
    assert_eq!(
        (&operation["count"]["total"], &operation["count"]["completed"]),
        (&json!(done), &json!(done)),
        "{operation}"
    );
}
