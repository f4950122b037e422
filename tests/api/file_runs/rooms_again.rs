//! Rooms whose exports come again, while people go on changing them.

use super::{again::said, cases::slack, *};

/// A channel as Slack exports it, with a topic and a purpose, and the second in which they were set.
struct Channel {
    topic: &'static str,
    purpose: &'static str,
    set: i64,
    is_archived: bool,
}

impl Channel {
    const fn new(topic: &'static str, purpose: &'static str, set: i64) -> Self {
        Self { topic, purpose, set, is_archived: false }
    }

    fn zip(&self) -> Vec<u8> {
        let users = json!([{ "id": "U01", "name": "ann", "profile": { "email": "ann@corp.example" } }]);
        let said_so = |value: &str| json!({ "value": value, "creator": "U01", "last_set": self.set });
        let channel = json!([{
            "id": "C01", "name": "dev", "created": 1_500_000_000, "creator": "U01", "members": ["U01"],
            "topic": said_so(self.topic), "purpose": said_so(self.purpose), "is_archived": self.is_archived,
        }]);
        let day = ("dev/2020-01-02.json".to_owned(), json!([said("U01", "1577923200.000100", "hi")]));
        slack(&users, &[("channels.json", channel)], &[day])
    }
}

/// The room without the moment of its last change.
async fn dev(workspace: &Workspace) -> Document {
    let mut room = workspace.found("rocketchat_room", doc! { "name": "dev" }).await.remove(0);
    room.remove("_updatedAt");
    room
}

async fn shown(workspace: &Workspace) -> (String, String) {
    let room = dev(workspace).await;
    let text = |field: &str| room.get_str(field).unwrap_or_default().to_owned();
    (text("topic"), text("description"))
}

fn texts(topic: &str, description: &str) -> (String, String) {
    (topic.to_owned(), description.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_export_sets_no_topic_and_no_description_back() {
    let (workspace, service) = served().await;
    let (january, february) =
        (Channel::new("winter", "cold", 1_577_923_200), Channel::new("spring", "mild", 1_580_601_600));
    service.import("slack", &january.zip()).await;
    assert_eq!(shown(&workspace).await, texts("winter", "cold"));
    service.import("slack", &february.zip()).await;
    assert_eq!(shown(&workspace).await, texts("spring", "mild"), "what changed at the source is taken over");
    let before = dev(&workspace).await;
    for _ in 0..2 {
        service.import("slack", &january.zip()).await;
        assert_eq!(dev(&workspace).await, before, "the older export changes nothing");
    }
    service.import("slack", &february.zip()).await;
    assert_eq!(dev(&workspace).await, before);
    let set_back = Channel::new("winter", "mild", 1_583_107_200);
    service.import("slack", &set_back.zip()).await;
    assert_eq!(shown(&workspace).await, texts("winter", "mild"), "people in Slack set it back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_here_changed_of_a_room_stays() {
    let (workspace, service) = served().await;
    let mut first = Channel::new("winter", "cold", 1_577_923_200);
    first.is_archived = true;
    service.import("slack", &first.zip()).await;
    let room = dev(&workspace).await;
    assert_eq!(room.get_bool("archived").ok(), Some(true));
    let id = room.get_str("_id").unwrap();
    let changed = doc! { "$set": { "topic": "as people want it" }, "$unset": { "archived": "" } };
    workspace.update("rocketchat_room", id, changed).await;
    let before = dev(&workspace).await;
    service.import("slack", &first.zip()).await;
    assert_eq!(dev(&workspace).await, before, "the same export again");

    let mut later = Channel::new("spring", "mild", 1_580_601_600);
    later.is_archived = true;
    service.import("slack", &later.zip()).await;
    assert_eq!(shown(&workspace).await, texts("as people want it", "mild"), "only the description is the source's");
    assert!(!dev(&workspace).await.contains_key("archived"));
    workspace.update("rocketchat_room", id, doc! { "$set": { "description": "" } }).await;
    for set in [1_580_601_600, 1_583_107_200] {
        service.import("slack", &Channel::new("summer", "mild", set).zip()).await;
        assert_eq!(shown(&workspace).await, texts("as people want it", ""), "people removed the description");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_people_here_made_stays_theirs_in_every_import() {
    let (workspace, service) = served().await;
    let theirs = doc! {
        "_id": "dev", "t": "c", "name": "dev", "fname": "dev", "msgs": 0, "usersCount": 7, "topic": "ours",
        "description": "",
        "ts": bson::DateTime::from_millis(1_400_000_000_000),
    };
    workspace.fill("rocketchat_room", vec![theirs]).await;
    let mut channel = Channel::new("winter", "", 1_577_923_200);
    channel.is_archived = true;
    let mut later = Channel::new("spring", "mild", 1_580_601_600);
    later.is_archived = true;
    for channel in [&channel, &channel, &later, &later] {
        service.import("slack", &channel.zip()).await;
        let room = dev(&workspace).await;
        assert_eq!((room.get_str("_id").ok(), room.get_str("topic").ok()), (Some("dev"), Some("ours")), "{room}");
        assert_eq!(room.get_datetime("ts").unwrap().timestamp_millis(), 1_400_000_000_000, "{room}");
        assert!(!room.contains_key("archived"), "{room}");
        assert_eq!(room.get_str("description").ok(), Some(""), "{room}");
        assert_eq!(
            room.get_i32("usersCount").ok(),
            Some(7),
            "it grows by the people an import adds, and is not counted anew"
        );
    }
}
