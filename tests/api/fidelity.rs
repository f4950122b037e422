//! Stored operations come out whole, as Rocket.Chat's JSON.

use std::time::Duration;

use bson::{
    Binary, Bson, DateTime, Decimal128, Document, JavaScriptCodeWithScope, RawDocumentBuf, Regex, Timestamp, cstr, doc,
    oid::ObjectId, spec::BinarySubtype,
};
use reqwest::Method;
use serde_json::Value;

use crate::harness::{Mongo, Service, Workspace, eventually, operation, with_element, workspace};

const DOCUMENTED_USER: &str = "rbAXPnMktTFbNpwtJ";
const DOCUMENTED_TOKEN: &str = "QizJozLOnWMi_2vWaLHhjfd-XYKT6XM40lTZ3zg1UMd";
const DOCUMENTED_ANSWER: &str = r#"{"state":"ready","operation":{"_id":"64d51ea91558939980aab371","type":"api","importerKey":"api","ts":"2023-08-10T17:30:17.519Z","status":"importer_user_selection","valid":true,"user":"7TY57bBj3xQXvf2i2","_updatedAt":"2023-08-10T17:41:20.052Z","count":{"total":2,"users":2}},"success":true}"#;

/// The answer's text between `"operation":` and `,"success":true}`.
fn operation_text(answer: &str) -> &str {
    let (_, rest) = answer.split_once(r#""operation":"#).unwrap_or_else(|| panic!("no operation: {answer}"));
    rest.strip_suffix(r#","success":true}"#).unwrap_or_else(|| panic!("no success at the end: {answer}"))
}

#[tokio::test]
async fn the_documented_call_gets_the_documented_answer_to_the_byte() {
    let workspace = Workspace::empty_on(Mongo::shared()).await;
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("LOAD_EXAMPLE_WORKSPACE", "true")]).await;
    service.ready().await;
    assert_eq!(service.status_as(DOCUMENTED_USER, DOCUMENTED_TOKEN).await.told(), (200, DOCUMENTED_ANSWER));
}

#[tokio::test]
async fn the_example_workspace_takes_a_user_once_however_often_it_is_imported() {
    let workspace = Workspace::empty_on(Mongo::shared()).await;
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("LOAD_EXAMPLE_WORKSPACE", "true")]).await;
    service.ready().await;
    let post = async |path: &str, body: &str| {
        let request = service.request(Method::POST, path).header("x-user-id", DOCUMENTED_USER);
        let request = request.header("x-auth-token", DOCUMENTED_TOKEN).header("content-type", "application/json");
        let answer = service.send(request.body(body.to_owned())).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    };
    for (completed, error) in [(1, 0), (0, 1)] {
        post("/api/v1/import.new", "{}").await;
        let users = r#"{"users":[{"username":"joan","emails":["joan@example.com"],"importIds":["j"]}]}"#;
        post("/api/v1/import.addUsers", users).await;
        post("/api/v1/import.run", "{}").await;
        eventually("the import is done", Duration::from_secs(30), async || {
            let count = &service.status_as(DOCUMENTED_USER, DOCUMENTED_TOKEN).await.json()["operation"]["count"];
            count["completed"] == completed && count["error"] == error
        })
        .await;
    }
}

#[tokio::test]
async fn the_example_workspace_is_kept_out_of_a_database_with_users() {
    let workspace = workspace().await;
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("LOAD_EXAMPLE_WORKSPACE", "true")]).await;
    service.ready().await;
    assert_eq!(service.status_as(DOCUMENTED_USER, DOCUMENTED_TOKEN).await.status, 401);
    assert_eq!(service.status().await.json()["state"], "none");
}

#[tokio::test]
async fn every_field_comes_in_its_stored_place_also_those_nobody_knows() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let stored = doc! {
        "_id": "one", "zeta": 1, "success": false, "state": "done", "status": "importer_new", "10": 1, "2": 1,
        "": "no name", "a.b": 1, "$c": 1, "naïve \"key\"\n": 1, "valid": true, "ts": 5, "alpha": null,
        "count": { "users": 2, "total": 2, "error": 0, "completed": 0 },
    };
    workspace.only_operation(stored).await;
    assert_eq!(
        operation_text(&service.status().await.body),
        concat!(
            r#"{"_id":"one","zeta":1,"success":false,"state":"done","status":"importer_new","10":1,"2":1,"":"no name","#,
            r#""a.b":1,"$c":1,"naïve \"key\"\n":1,"valid":true,"ts":5,"alpha":null,"#,
            r#""count":{"users":2,"total":2,"error":0,"completed":0}}"#,
        )
    );
}

/// Stored values and the JSON they read as; `None` is left out of objects and `null` in lists.
fn values() -> Vec<(Bson, Option<&'static str>)> {
    let binary = |subtype, bytes: &[u8]| Bson::Binary(Binary { subtype, bytes: bytes.to_vec() });
    vec![
        (Bson::Double(2.0), Some("2")),
        (Bson::Double(0.1), Some("0.1")),
        (Bson::Double(-0.0), Some("0")),
        (Bson::Double(1e21), Some("1e+21")),
        (Bson::Double(f64::NAN), Some("null")),
        (Bson::Double(f64::INFINITY), Some("null")),
        (Bson::from("\"\\/\0\u{1b}\té\u{2028}😀"), Some("\"\\\"\\\\/\\u0000\\u001b\\té\u{2028}😀\"")),
        (Bson::from(""), Some(r#""""#)),
        (Bson::from(Document::new()), Some("{}")),
        (Bson::Array(Vec::new()), Some("[]")),
        (Bson::from(vec![doc! { "b": [1, [2]], "a": {} }]), Some(r#"[{"b":[1,[2]],"a":{}}]"#)),
        (binary(BinarySubtype::Generic, b"\0\xff\xfe"), Some(r#""AP/+""#)),
        (binary(BinarySubtype::UserDefined(0x80), b""), Some(r#""""#)),
        (binary(BinarySubtype::Uuid, &[0x11; 16]), Some(r#""11111111-1111-1111-1111-111111111111""#)),
        (binary(BinarySubtype::Uuid, b"short"), Some(r#""c2hvcnQ=""#)),
        (Bson::Undefined, None),
        (Bson::ObjectId(ObjectId::from_bytes([0xab; 12])), Some(r#""abababababababababababab""#)),
        (Bson::Boolean(false), Some("false")),
        (Bson::DateTime(DateTime::from_millis(1_691_688_617_519)), Some(r#""2023-08-10T17:30:17.519Z""#)),
        (Bson::DateTime(DateTime::from_millis(-62_198_755_200_000)), Some(r#""-000001-01-01T00:00:00.000Z""#)),
        (Bson::DateTime(DateTime::MAX), Some("null")),
        (Bson::Null, Some("null")),
        (Bson::RegularExpression(Regex { pattern: cstr!("^a").into(), options: cstr!("i").into() }), Some("{}")),
        (Bson::JavaScriptCode("f()".to_owned()), Some(r#"{"code":"f()"}"#)),
        (
            Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: "f()".to_owned(), scope: doc! { "x": 2.0 } }),
            Some(r#"{"code":"f()","scope":{"x":2}}"#),
        ),
        (Bson::Symbol("old".to_owned()), Some(r#""old""#)),
        (Bson::Int32(i32::MIN), Some("-2147483648")),
        (Bson::Int64(9_007_199_254_740_991), Some("9007199254740991")),
        (Bson::Int64(i64::MAX), Some("9223372036854775807")),
        (Bson::Timestamp(Timestamp { time: 1, increment: 2 }), Some(r#"{"$timestamp":"4294967298"}"#)),
        (Bson::Decimal128("1.50".parse::<Decimal128>().unwrap()), Some(r#"{"$numberDecimal":"1.50"}"#)),
        (Bson::MinKey, Some("{}")),
        (Bson::MaxKey, Some("{}")),
    ]
}

#[tokio::test]
async fn every_kind_of_value_reads_as_rocket_chat_writes_it_wherever_it_stands() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for (value, json) in values() {
        let stored = doc! {
            "_id": "one",
            "value": value.clone(),
            "inner": { "value": value.clone(), "last": 1 },
            "list": [value.clone(), [value.clone()], { "value": value.clone() }],
        };
        workspace.only_operation(stored).await;
        let field = json.map(|json| format!(r#""value":{json}"#)).unwrap_or_default();
        let comma = if field.is_empty() { "" } else { "," };
        let item = json.unwrap_or("null");
        let expected = format!(
            r#"{{"_id":"one",{field}{comma}"inner":{{{field}{comma}"last":1}},"list":[{item},[{item}],{{{field}}}]}}"#
        );
        let answer = service.status().await;
        assert_eq!(answer.status, 200, "{value:?}");
        assert_eq!(operation_text(&answer.body), expected, "{value:?}");
    }
}

#[tokio::test]
async fn the_fields_the_service_reads_itself_may_hold_anything() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for (value, json) in values() {
        for field in ["_id", "ts", "status", "valid", "count"] {
            // MongoDB itself refuses these as an _id.
            if field == "_id" && matches!(value, Bson::Array(_) | Bson::RegularExpression(_) | Bson::Undefined) {
                continue;
            }
            workspace.only_operation(operation("one").with(field, value.clone()).document()).await;
            let answer = service.status().await;
            assert_eq!(answer.status, 200, "{field}: {value:?}");
            let found = answer.json()["operation"].get(field).cloned();
            assert_eq!(found, json.map(|json| serde_json::from_str(json).unwrap()), "{field}: {value:?}");
        }
    }
}

/// A document of one field, `_id: 1`, and these bytes: a type, a name and a value, in BSON's own words.
fn document_with(element: &[u8]) -> RawDocumentBuf {
    with_element(&doc! { "_id": 1 }, element)
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_shown_with_replacement_characters() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for (element, expected) in [
        (&b"\x02text\0\x04\0\0\0a\xffb\0"[..], r#""text":"a�b""#),
        (b"\x0etext\0\x03\0\0\0\xc3(\0", r#""text":"�(""#),
        (b"\x0dtext\0\x02\0\0\0\xff\0", r#""text":{"code":"�"}"#),
        (b"\x04list\0\x0f\0\0\0\x020\0\x03\0\0\0\xe2\x82\0\0", r#""list":["�"]"#),
        (b"\x03inner\0\x0f\0\0\0\x02t\0\x03\0\0\0\x80\x80\0\0", r#""inner":{"t":"��"}"#),
    ] {
        workspace.only_operation(document_with(element)).await;
        let answer = service.status().await;
        assert_eq!(answer.status, 200, "{expected}: {}", answer.body);
        assert_eq!(operation_text(&answer.body), format!(r#"{{"_id":1,{expected}}}"#));
    }
}

#[tokio::test]
async fn a_pointer_to_another_collection_is_an_empty_object() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    workspace.only_operation(document_with(b"\x0cold\0\x02\0\0\0x\0abcdefghijkl")).await;
    assert_eq!(operation_text(&service.status().await.body), r#"{"_id":1,"old":{}}"#);
}

#[tokio::test]
async fn a_name_that_is_not_utf_8_is_refused_clearly_and_the_service_goes_on() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    workspace.only_operation(document_with(b"\x10\xff\xfe\0\x01\0\0\0")).await;
    let answer = service.status().await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["success"], false);
    workspace.only_operation(operation("fine").document()).await;
    assert_eq!(service.status().await.status, 200);
}

#[tokio::test]
async fn an_operation_as_large_as_mongodb_stores_comes_out_whole() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let text = "x".repeat(8_000_000);
    let fields = 150_000;
    let many: Document = (0..fields).map(|number| (format!("field {number}"), Bson::Int64(number))).collect();
    workspace.only_operation(operation("large").with("text", text.as_str()).with("many", many).document()).await;
    let body = service.status().await.json();
    assert_eq!(body["operation"]["text"].as_str(), Some(text.as_str()));
    let read = body["operation"]["many"].as_object().unwrap();
    let expected = (0..fields).map(|number| (format!("field {number}"), Value::from(number)));
    assert!(read.iter().map(|(name, value)| (name.clone(), value.clone())).eq(expected));
}

#[tokio::test]
async fn an_operation_nested_as_deep_as_mongodb_stores_comes_out_whole() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let depth = 170;
    let (mut stored, mut expected) = (Bson::from("bottom"), r#""bottom""#.to_owned());
    for level in 0..depth {
        if level % 2 == 0 {
            stored = Bson::from(vec![stored]);
            expected = format!("[{expected}]");
        } else {
            stored = Bson::from(doc! { "in": stored });
            expected = format!(r#"{{"in":{expected}}}"#);
        }
    }
    workspace.only_operation(doc! { "_id": "deep", "nested": stored }).await;
    assert_eq!(operation_text(&service.status().await.body), format!(r#"{{"_id":"deep","nested":{expected}}}"#));
}
