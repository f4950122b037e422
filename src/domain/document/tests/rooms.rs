use super::*;
use crate::domain::{
    document::{
        room::{self, RoomError},
        room_match::{FoundBy, StoredRoom},
        room_names::RoomName,
        subscription::{Part, direct_subscription, room_subscription},
    },
    field_value::Date,
    staged::{ChannelType, StagedChannel},
};

const NOW: Date = Date::from_epoch_millis(9);

fn staged(kind: &str, members: &[&str], more: &[(&str, FieldValue)]) -> Fields {
    let fixed = [("importIds", texts(["C1"])), ("users", texts(members.iter().copied())), ("t", text(kind))];
    fixed.into_iter().chain(more.iter().cloned()).collect()
}

fn name() -> RoomName {
    RoomName { name: "dev".into(), fname: "Dev".into() }
}

#[test]
fn the_creator_owns_the_room_and_the_person_who_imports_stays_out() {
    let (boss, ann, bob) = (person("boss", Some("boss")), person("ann", Some("ann")), person("bob", Some("bob")));
    let staged = staged("p", &["bob", "bob", "gone"], &[("u", object(&[("_id", text("ann"))])), ("name", text("Dev"))]);
    let known = |id: &str| [&ann, &bob].into_iter().find(|person| person.id == id);
    let members = room::members(StagedChannel::new(&staged), ChannelType::PrivateGroup, &boss, known).expect("members");
    let ids: Vec<_> = members.people.iter().map(|person| person.id.as_str()).collect();
    assert_eq!((ids, members.unknown.as_slice()), (vec!["bob", "ann"], ["gone".to_owned()].as_slice()));
    assert_eq!(members.owner.map(|owner| owner.id.as_str()), Some("ann"));
    let nobody =
        room::members(StagedChannel::new(&staged), ChannelType::PrivateGroup, &boss, |_| None).expect("members");
    assert_eq!(nobody.owner.map(|owner| owner.id.as_str()), Some("boss"));
}

#[test]
fn a_direct_message_with_somebody_unknown_is_refused_and_one_with_oneself_is_made() {
    let ann = person("ann", Some("ann"));
    let known = |id: &str| (id == "ann").then_some(&ann);
    let members = |fields: &Fields| {
        room::members(StagedChannel::new(fields), ChannelType::DirectMessage, &ann, known)
            .map(|members| members.people.len())
    };
    assert_eq!(members(&staged("d", &["ann", "gone"], &[])), Err(RoomError::MissingUsers));
    assert_eq!(members(&staged("d", &[], &[])), Err(RoomError::MissingUsers));
    assert_eq!(members(&staged("d", &["ann", "ann"], &[])), Ok(1));
    let own = direct_subscription("r", &ann, &[&ann], NOW);
    assert_eq!((own.get("name"), own.get("fname")), (Some(&text("ann")), Some(&text("ANN"))));
}

#[test]
fn the_same_people_have_one_direct_message_whatever_their_order() {
    let (ann, bob) = (person("ann", Some("ann")), person("bob", Some("bob")));
    let known = |id: &str| [&ann, &bob].into_iter().find(|person| person.id == id);
    let id = |members: &[&str], import_id: &str| {
        let fields = staged("d", members, &[("importIds", texts([import_id]))]);
        let staged = StagedChannel::new(&fields);
        let members = room::members(staged, ChannelType::DirectMessage, &ann, known).expect("members");
        room::room_id(staged, ChannelType::DirectMessage, "slack", &members)
    };
    assert_eq!(id(&["ann", "bob"], "G1"), id(&["bob", "ann"], "G2"));
    assert_ne!(id(&["ann", "bob"], "G1"), id(&["ann"], "G1"));
}

#[test]
fn a_room_and_its_subscriptions_have_rocket_chats_fields_in_its_order() {
    let ann = person("ann", Some("ann"));
    let more = [("topic", text("t")), ("description", text("d")), ("archived", FieldValue::Boolean(true))];
    let staged = staged("c", &["ann"], &more);
    let staged = StagedChannel::new(&staged);
    let members = room::members(staged, ChannelType::Channel, &ann, |_| Some(&ann)).expect("members");
    let made = room::new_room(staged, ChannelType::Channel, "r", &name(), &members, NOW);
    let expected = "_id,fname,_updatedAt,name,t,msgs,usersCount,u,ts,ro,description,importIds,topic,archived";
    assert_eq!(names(&made), expected);
    let owner = room_subscription(&made, &ann, Part::Owner, NOW);
    let expected =
        "_id,open,alert,unread,userMentions,groupMentions,ts,rid,name,fname,t,u,ls,roles,_updatedAt,archived";
    assert_eq!(names(&owner), expected);
    assert_eq!(owner.get("open"), Some(&FieldValue::Boolean(false)));
}

#[test]
fn a_room_that_people_here_made_only_takes_the_import_id() {
    let stored = Fields::from_iter([("_id", text("x")), ("t", text("c")), ("topic", text("ours"))]);
    let staged = staged("c", &[], &[("topic", text("theirs")), ("archived", FieldValue::Boolean(true))]);
    let changes =
        |found, update| room::changes(StagedChannel::new(&staged), StoredRoom::new(&stored), found, None, update);
    let by_name = changes(FoundBy::Name, false);
    assert_eq!(
        (by_name.import_ids.as_slice(), by_name.set.len(), by_name.archive),
        (["C1".to_owned()].as_slice(), 0, false)
    );
    let by_id = changes(FoundBy::ImportId, false);
    assert_eq!((by_id.set.len(), by_id.archive), (1, true));
    assert_eq!(changes(FoundBy::Name, true).set.len(), 1);
}

#[test]
fn somebody_who_left_since_does_not_join_again() {
    let (ann, bob, cat) = (person("ann", Some("ann")), person("bob", Some("bob")), person("cat", Some("cat")));
    let staged = staged("c", &["ann", "bob", "cat"], &[]);
    let known = |id: &str| [&ann, &bob, &cat].into_iter().find(|person| person.id == id);
    let members = room::members(StagedChannel::new(&staged), ChannelType::Channel, &ann, known).expect("members");
    let joining = room::joining(&members, |id| id == "ann", |id| id == "bob");
    assert_eq!(joining, [&cat]);
}
