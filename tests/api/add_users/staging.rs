//! The staging area after a call that was taken.

use bson::{Bson, Document, doc};
use futures::future::join_all;
use serde_json::{Value, json};

use super::{ADD_USERS, JSON};
use crate::harness::{Service, Workspace, names, served, staged_user, staged_users};

const SUCCESS: &str = r#"{"success":true}"#;
const DEFAULT_ROLES: &str = "Accounts_Registration_Users_Default_Roles";

/// Stages a user with these fields beside an address and an import id; returns the stored record.
async fn staged_with(workspace: &Workspace, service: &Service, field: &str, value: &str) -> Document {
    service.new_import().await;
    let user = format!(r#"{{"emails":["a@example.com"],"importIds":["1"],{}:{value}}}"#, json!(field));
    let answer = service.post_body(ADD_USERS, JSON, format!(r#"{{"users":[{user}]}}"#)).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, SUCCESS), "{field}: {value}");
    workspace.staged_data().await.remove(0)
}

#[tokio::test]
async fn values_are_stored_as_rocket_chats_schema_coerces_them() {
    let (workspace, service) = served().await;
    let texts = |texts: &[&str]| Bson::from(texts.to_vec());
    for (field, sent, stored) in [
        ("username", "12", Bson::from("12")),
        ("username", "12.0", Bson::from("12")),
        ("username", "-0.0", Bson::from("0")),
        ("username", "1.5e300", Bson::from("1.5e+300")),
        ("username", "12345678901234567890", Bson::from("12345678901234567890")),
        ("username", "false", Bson::from("false")),
        ("username", "null", Bson::Null),
        ("username", r#""""#, Bson::from("")),
        ("username", r#"" ann ""#, Bson::from(" ann ")),
        ("name", r#""a\u0000b\ud83d\ude00""#, Bson::from("a\0b😀")),
        ("password", "123456", Bson::from("123456")),
        ("bio", "true", Bson::from("true")),
        ("type", r#""robot""#, Bson::from("robot")),
        ("emails", r#"[1,true,null,"","A@b.C "]"#, texts(&["1", "true", "", "", "A@b.C "])),
        ("importIds", r#"[1e3,"","1"]"#, texts(&["1000", "", "1"])),
        ("utcOffset", "-3", Bson::Int32(-3)),
        ("utcOffset", "5.75", Bson::Double(5.75)),
        ("utcOffset", "3000000000", Bson::Double(3e9)),
        ("utcOffset", "-0.0", Bson::Double(-0.0)),
        ("utcOffset", r#""5.5""#, Bson::Double(5.5)),
        ("utcOffset", r#"" 2 ""#, Bson::Int32(2)),
        ("utcOffset", r#""+2""#, Bson::Int32(2)),
        ("utcOffset", r#""1e1""#, Bson::Int32(10)),
        ("utcOffset", r#""0x10""#, Bson::Int32(16)),
        ("utcOffset", r#"" ""#, Bson::Int32(0)),
        ("utcOffset", r#""""#, Bson::Null),
        ("utcOffset", "true", Bson::Int32(1)),
        ("utcOffset", "null", Bson::Null),
        ("deleted", r#""true""#, Bson::Boolean(true)),
        ("deleted", "1", Bson::Boolean(true)),
        ("deleted", r#""false""#, Bson::Boolean(false)),
        ("deleted", "0.0", Bson::Boolean(false)),
        ("deleted", r#""""#, Bson::Null),
        ("deleted", "null", Bson::Null),
        // The default roles stand where the emptiness stood.
        ("roles", "null", texts(&["user"])),
        ("roles", r#""""#, texts(&["user"])),
        ("roles", "0", texts(&["user"])),
        ("roles", "false", texts(&["user"])),
    ] {
        let data = staged_with(&workspace, &service, field, sent).await;
        assert_eq!(data.get(field), Some(&stored), "{field}: {sent}");
    }
}

#[tokio::test]
async fn fields_that_rocket_chat_does_not_know_are_stored_as_they_are() {
    let (workspace, service) = served().await;
    for (field, sent, stored) in [
        ("customFields", r#"{"b":1,"a":{"$x":[1.5,null],"x.y":false}}"#, {
            Bson::from(doc! { "b": 1, "a": { "$x": [1.5, null], "x.y": false } })
        }),
        ("$set", r#"{"roles":["admin"]}"#, Bson::from(doc! { "roles": ["admin"] })),
        ("a.b", "2147483648", Bson::Double(2_147_483_648.0)),
        ("", "7", Bson::Int32(7)),
        ("_id", r#""chosen""#, Bson::from("chosen")),
        ("errors", r#"[{"message":"x"}]"#, Bson::from(vec![doc! { "message": "x" }])),
        ("__proto__", r#"{"a":1}"#, Bson::from(doc! { "a": 1 })),
    ] {
        let data = staged_with(&workspace, &service, field, sent).await;
        assert_eq!(data.get(field), Some(&stored), "{field}: {sent}");
        assert_eq!(workspace.staged().await[0].get_str("_id").unwrap().len(), 24);
    }
}

#[tokio::test]
async fn values_a_hundred_levels_deep_are_stored_as_they_are() {
    let (workspace, service) = served().await;
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let data = staged_with(&workspace, &service, "extra", &deep).await;
    let mut found = data.get("extra").unwrap();
    let mut levels = 0;
    while let Bson::Array(list) = found {
        levels += 1;
        found = &list[0];
    }
    assert_eq!((levels, found), (100, &Bson::Int32(1)));
}

#[tokio::test]
async fn a_record_looks_as_rocket_chat_writes_it_and_keeps_the_order_of_the_fields() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let body = r#"{"users":[{"zeta":{"y":1,"x":2},"importIds":["1"],"roles":["bot"],"alpha":2,"emails":["a@example.com"]},
        {"importIds":["2"],"emails":["b@example.com"]}]}"#;
    assert_eq!(service.post_body(ADD_USERS, Some("application/json; charset=utf-8"), body).await.body, SUCCESS);
    let records = workspace.staged().await;
    assert_eq!(records.len(), 2);
    for record in &records {
        assert_eq!(names(record), ["_id", "data", "dataType", "operation"]);
        assert_eq!(record.get_str("dataType").unwrap(), "user");
        let id = record.get_str("_id").expect("a text");
        assert!(
            id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)),
            "{id}"
        );
    }
    let data: Vec<&Document> = records.iter().map(|record| record.get_document("data").unwrap()).collect();
    assert_eq!(names(data[0]), ["zeta", "importIds", "roles", "alpha", "emails"]);
    assert_eq!(names(data[0].get_document("zeta").unwrap()), ["y", "x"]);
    assert_eq!(data[0].get("roles"), Some(&Bson::from(vec!["bot", "user"])));
    // Where no roles were sent they come last.
    assert_eq!(names(data[1]), ["importIds", "emails", "roles"]);
}

#[tokio::test]
async fn a_key_that_is_sent_twice_has_its_first_place_and_its_last_value() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let body = r#"{"users":5,"users":[{"name":"first","importIds":["1"],"emails":["a@example.com"],"name":"last"}]}"#;
    assert_eq!(service.post_body(ADD_USERS, JSON, body).await.body, SUCCESS);
    let data = workspace.staged_data().await.remove(0);
    assert_eq!(names(&data), ["name", "importIds", "emails", "roles"]);
    assert_eq!(data.get_str("name").unwrap(), "last");
}

#[tokio::test]
async fn a_byte_order_mark_before_the_body_is_passed_over() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let body = format!("\u{feff}{}", json!({ "users": [staged_user(1)] }));
    assert_eq!(service.post_body(ADD_USERS, JSON, body).await.body, SUCCESS);
    assert_eq!(workspace.staged().await.len(), 1);
}

#[tokio::test]
async fn every_user_has_the_default_roles_after_its_own_and_none_twice() {
    let (workspace, service) = served().await;
    let roles = ["a", "b"].map(|role| doc! { "_id": role, "name": role, "scope": "Users" });
    workspace.collection("rocketchat_roles").insert_many(roles).await.unwrap();
    for (setting, own, expected) in [
        ("a, b,,a ", None, vec!["a", "b"]),
        ("a, b,,a ", Some(vec!["admin"]), vec!["admin", "a", "b"]),
        ("a, b,,a ", Some(vec!["b", "user", "b"]), vec!["b", "user", "a"]),
        ("a, b,,a ", Some(vec![]), vec!["a", "b"]),
        ("", Some(vec!["bot"]), vec!["bot"]),
        (" , ", None, vec![]),
    ] {
        workspace.set(DEFAULT_ROLES, setting).await;
        service.new_import().await;
        let mut user = staged_user(1);
        if let Some(own) = &own {
            user["roles"] = json!(own);
        }
        service.add_users(&[user]).await;
        let data = workspace.staged_data().await.remove(0);
        assert_eq!(data.get("roles"), Some(&Bson::from(expected)), "{setting:?} {own:?}");
    }
}

#[tokio::test]
async fn the_counts_of_several_calls_add_up_and_the_import_is_ready_from_the_first_on() {
    let (workspace, service) = served().await;
    let id = service.new_import().await;
    let mut last = workspace.operation_named(&id).await;
    for (call, expected) in [(0..1, 1), (1..251, 251), (251..251, 251), (251..300, 300)] {
        let is_empty = call.is_empty();
        service.add_users(&staged_users(call)).await;
        let now = workspace.operation_named(&id).await;
        assert_eq!(now.get_document("count").unwrap(), &doc! { "total": expected, "users": expected });
        assert_eq!(now.get_str("status").unwrap(), "importer_user_selection");
        let expected_names = ["_id", "type", "importerKey", "ts", "status", "valid", "user", "_updatedAt", "count"];
        assert_eq!(names(&now), expected_names);
        assert!(is_empty || now.get_datetime("_updatedAt").unwrap() >= last.get_datetime("_updatedAt").unwrap());
        assert!(!is_empty || now == last, "a call with nobody in it changes nothing");
        last = now;
    }
    assert_eq!(workspace.staged().await.len(), 300);
}

#[tokio::test]
async fn users_are_staged_in_the_order_they_were_sent() {
    let (workspace, service) = served().await;
    service.new_import().await;
    for call in 0..3 {
        service.add_users(&staged_users(call * 500..(call + 1) * 500)).await;
    }
    let staged = workspace.staged_data().await;
    let usernames: Vec<&str> = staged.iter().map(|data| data.get_str("username").unwrap()).collect();
    assert_eq!(usernames, (0..1500).map(|number| format!("user{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn eight_calls_at_once_are_all_counted() {
    let (workspace, service) = served().await;
    let id = service.new_import().await;
    let calls = (0..8).map(|call| {
        let service = &service;
        async move { service.add_users(&staged_users(call * 100..(call + 1) * 100)).await }
    });
    join_all(calls).await;
    assert_eq!(
        workspace.operation_named(&id).await.get_document("count").unwrap(),
        &doc! { "total": 800, "users": 800 }
    );
    assert_eq!(workspace.staged().await.len(), 800);
}

#[tokio::test]
async fn the_same_user_may_be_staged_twice_and_beside_an_account_that_exists() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let admin: Value = json!({ "username": "admin", "emails": ["x@example.com"], "importIds": ["1"] });
    service.add_users(&[admin.clone(), admin, staged_user(1), staged_user(1)]).await;
    assert_eq!(workspace.staged().await.len(), 4);
}
