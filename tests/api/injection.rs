//! What a caller sends is data, wherever it is put and whatever it looks like: never a query, never a way in, never a
//! change to anything but what the call is about.

use std::{collections::BTreeMap, time::Duration};

use bson::{Document, doc};
use futures::TryStreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Answer, Service, Workspace, operation, served, staged_user, user};

/// Anything that would make the database work hard, or wait, takes longer.
const PATIENCE: Duration = Duration::from_secs(5);
const ENDPOINTS: [(&str, &str); 14] = [
    ("GET", "/api/v1/import.status"),
    ("HEAD", "/api/v1/import.status"),
    // Whoever got in would not get out of the other.
    ("HEAD", "/api/v1/import.status.stream"),
    ("POST", "/api/v1/import.new"),
    ("POST", "/api/v1/import.addUsers"),
    ("POST", "/api/v1/import.run"),
    ("POST", "/api/v1/import.clear"),
    ("POST", "/api/v1/import.resume"),
    ("GET", "/api/v1/import.errors"),
    ("GET", "/api/v1/importers.list"),
    ("GET", "/api/v1/getCurrentImportOperation"),
    ("GET", "/api/v1/getLatestImportOperations"),
    ("GET", "/api/v1/getImportProgress"),
    ("GET", "/api/v1/getImportFileData"),
];

/// What has opened doors elsewhere.
const TEXTS: [&str; 24] = [
    r#"{"$ne":null}"#,
    r#"{"$gt":""}"#,
    r#"{"$regex":".*"}"#,
    r#"{"$exists":true}"#,
    r#"{"$in":["admin","admin-token"]}"#,
    r#"{"$where":"sleep(60000)||true"}"#,
    r#"{"$function":{"body":"function(){return true}","args":[],"lang":"js"}}"#,
    r#"["admin"]"#,
    "[$ne]",
    "[object Object]",
    "$where",
    "$$ROOT",
    "$ne",
    "this.constructor",
    "__proto__",
    "null",
    "undefined",
    "true",
    "*",
    ".*",
    "' || '1'=='1",
    r#"";sleep(60000);""#,
    "admin%00",
    "admin-token, admin-token",
];

fn values() -> Vec<Value> {
    vec![
        json!({ "$ne": null }),
        json!({ "$gt": "" }),
        json!({ "$regex": ".*" }),
        json!({ "$where": "sleep(60000)||true" }),
        json!({ "$set": { "roles": ["admin"] } }),
        json!({ "$oid": "64d51ea91558939980aab371" }),
        json!({ "$date": "2023-08-10T17:30:17.519Z" }),
        json!({ "$numberLong": "1" }),
        json!([{ "$ne": null }]),
        json!([["$ne"]]),
        json!({ "a.b": 1, "$": 2, "": 3, ".": 4 }),
        json!({ "__proto__": { "admin": true }, "constructor": { "prototype": {} } }),
        json!("$ne"),
        json!("\u{0}admin\u{0}"),
        json!("x".repeat(200_000)),
        json!(i64::MIN),
        json!(1e308),
        json!(true),
        Value::Null,
    ]
}

/// Everything there is in the database, but for what the service keeps for itself.
async fn everything(workspace: &Workspace) -> BTreeMap<String, Vec<Document>> {
    let mut everything = BTreeMap::new();
    for name in workspace.database.list_collection_names().await.unwrap() {
        if !name.starts_with("rocketchat_import_service") && !name.starts_with("system.") {
            let all = workspace.collection(&name).find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
            everything.insert(name, all.try_collect().await.unwrap());
        }
    }
    everything
}

/// A workspace with somebody in it and an import that is ready to run, so that there is something to break.
async fn worth_attacking() -> (Workspace, Service) {
    let (workspace, service) = served().await;
    workspace.grant("view-import-operations", &["admin"]).await;
    workspace.set("API_Default_Count", 50).await;
    workspace.add_user(user("victim").with_roles(&["user"]).with_token("victim-token")).await;
    workspace.add_operation(operation("old").with("ts", bson::DateTime::from_millis(0)).with("valid", false)).await;
    service.stage(&[staged_user(0)]).await;
    (workspace, service)
}

async fn soon(service: &Service, request: reqwest::RequestBuilder, what: &str) -> Answer {
    timeout(PATIENCE, service.send(request)).await.unwrap_or_else(|_| panic!("no answer: {what}"))
}

#[tokio::test]
async fn no_text_in_place_of_a_user_id_or_a_token_lets_anybody_in() {
    let (workspace, service) = worth_attacking().await;
    let before = everything(&workspace).await;
    let long = "x".repeat(20_000);
    for (method, path) in ENDPOINTS {
        for text in TEXTS.into_iter().chain([long.as_str(), "admin", "victim", "admin-token"]) {
            for (id, token) in [(text, "admin-token"), ("admin", text), (text, text)] {
                if (id, token) == ("admin", "admin-token") {
                    continue;
                }
                let request = service.request(method.parse().unwrap(), path);
                let request = request.header("X-User-Id", id).header("X-Auth-Token", token);
                let answer = soon(&service, request, text).await;
                assert_eq!(answer.status, 401, "{method} {path} as {id:?} with {token:?}");
            }
        }
    }
    assert_eq!(everything(&workspace).await, before);
}

#[tokio::test]
async fn credentials_in_other_places_or_in_pieces_let_nobody_in() {
    let (workspace, service) = worth_attacking().await;
    let before = everything(&workspace).await;
    for query in [
        "userId=admin&authToken=admin-token",
        "userId[$ne]=&authToken[$ne]=",
        "X-User-Id=admin&X-Auth-Token=admin-token",
        "x-user-id[$gt]=&x-auth-token[$gt]=",
        "access_token=admin-token",
        "rc_uid=admin&rc_token=admin-token",
        "query={\"_id\":{\"$ne\":null}}",
    ] {
        for (method, path) in ENDPOINTS {
            let request = service.request(method.parse().unwrap(), &format!("{path}?{query}"));
            assert_eq!(soon(&service, request, query).await.status, 401, "{method} {path}?{query}");
        }
    }
    for headers in [
        [("X-User-Id", "admin"), ("X-User-Id", "admin"), ("X-Auth-Token", "admin-token")],
        [("X-User-Id", "admin"), ("X-Auth-Token", "wrong"), ("X-Auth-Token", "admin-token")],
        [("X-User-Id", "admin"), ("X-Auth-Token", "admin-token"), ("X-Auth-Token", "")],
        [("X-User-Id", "admin"), ("Authorization", "Bearer admin-token"), ("Cookie", "rc_token=admin-token")],
        [("Cookie", "rc_uid=admin; rc_token=admin-token"), ("X-Userid", "admin"), ("X-Authtoken", "admin-token")],
        [("X-User-Id", "victim"), ("X-Auth-Token", "admin-token"), ("X-HTTP-Method-Override", "GET")],
    ] {
        for (method, path) in ENDPOINTS {
            let mut request = service.request(method.parse().unwrap(), path);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            assert_eq!(soon(&service, request, path).await.status, 401, "{method} {path} {headers:?}");
        }
    }
    let body = json!({ "userId": "admin", "authToken": "admin-token", "user": { "$ne": null } });
    for (method, path) in ENDPOINTS.into_iter().filter(|(method, _)| *method == "POST") {
        let request = service.request(method.parse().unwrap(), path).json(&body);
        assert_eq!(soon(&service, request, path).await.status, 401, "{method} {path}");
    }
    assert_eq!(everything(&workspace).await, before);
}

#[tokio::test]
async fn headers_that_no_client_sends_end_in_a_refusal() {
    let (workspace, service) = worth_attacking().await;
    let before = everything(&workspace).await;
    let long = "x".repeat(1_000_000);
    let many = "X-User-Id: admin\r\n".repeat(5000);
    for headers in [
        "X-User-Id: admin\0\r\nX-Auth-Token: admin-token",
        "X-User-Id: admin\r\nX-Auth-Token: admin-token\0",
        "X-User-Id: \0\r\nX-Auth-Token: \0",
        "X-User-Id[$ne]: 1\r\nX-Auth-Token[$ne]: 1",
        "X-User-Id.$ne: 1\r\nX-Auth-Token.$ne: 1",
        "X-User-Id\0: admin\r\nX-Auth-Token: admin-token",
        "X-User-Id: \u{ff}admin\r\nX-Auth-Token: admin-token",
        &format!("X-User-Id: admin\r\nX-Auth-Token: {long}"),
        &format!("X-User-Id: {long}\r\nX-Auth-Token: admin-token"),
        &format!("{many}X-Auth-Token: admin-token"),
    ] {
        let request =
            format!("GET /api/v1/import.status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\n");
        let answer = timeout(PATIENCE, service.send_raw(request.as_bytes())).await.expect("the connection is closed");
        let shown: String = headers.chars().take(60).collect();
        // A service that stops reading may be cut off before its answer is read.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{shown:?}: {answer}");
    }
    assert_eq!(everything(&workspace).await, before);
    assert_eq!(service.status().await.status, 200);
}

#[tokio::test]
async fn no_query_reads_more_or_writes_anything() {
    let (workspace, service) = worth_attacking().await;
    let before = everything(&workspace).await;
    let reads: Vec<_> = ENDPOINTS.into_iter().filter(|(method, _)| *method == "GET").collect();
    let mut plain = BTreeMap::new();
    for (_, path) in &reads {
        plain.insert(*path, service.get_as_admin(path).await.body);
    }
    let names = ["count", "offset", "sort", "fields", "query", "_id", "status", "user", "type", "$where", "__proto__"];
    let encoded = |text: &str| {
        reqwest::Url::parse_with_params("http://x/", [("", text)]).unwrap().query().unwrap()[1..].to_owned()
    };
    let mut queries: Vec<String> =
        names.iter().flat_map(|name| TEXTS.map(|text| format!("{name}={}", encoded(text)))).collect();
    for name in names {
        let long = "1".repeat(8000);
        for form in
            ["[$ne]=1", "[$gt]=", "[$where]=sleep(60000)", "[]=1", "[0]=1", "[a][b]=1", "=%00", "=%ff", "=%", "=-1"]
        {
            queries.push(format!("{name}{form}"));
        }
        queries.push(format!("{name}={long}"));
        queries.push(format!("{name}=1&{name}=2"));
    }
    for query in queries {
        for (_, path) in &reads {
            let request = service.request(Method::GET, &format!("{path}?{query}"));
            let request = request.header("X-User-Id", "admin").header("X-Auth-Token", "admin-token");
            let answer = soon(&service, request, &query).await;
            match answer.status.as_u16() {
                200 => assert_eq!(answer.body, plain[path], "{path}?{query}"),
                status => assert_eq!(status, 400, "{path}?{query}: {}", answer.body),
            }
        }
    }
    assert_eq!(everything(&workspace).await, before);
}

#[tokio::test]
async fn no_path_is_taken_for_another() {
    let (workspace, service) = worth_attacking().await;
    let before = everything(&workspace).await;
    for path in [
        "/api/v1/import.status%00",
        "/api/v1/import.status%00.json",
        "/api/v1/import%2Estatus/..",
        "/api/v1/..%2f..%2flivez",
        "/api/v1/$where",
        "/api/v1/{\"$ne\":null}",
        "/api/v1/import.status;a=b",
        "/api/v1/import.new%0d%0aX-Injected:%201",
        "/api/v1/users.list",
        "/api//v1/import.status",
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-User-Id: admin\r\nX-Auth-Token: admin-token\r\n\r\n"
        );
        let answer = timeout(PATIENCE, service.send_raw(request.as_bytes())).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        assert!(!answer.to_lowercase().contains("\r\nx-injected"), "{path}: {answer}");
    }
    assert_eq!(everything(&workspace).await, before);
}

/// Bodies of `import.addUsers` with something in every place a caller controls.
fn bodies() -> Vec<Value> {
    let fields = [
        "username",
        "emails",
        "importIds",
        "name",
        "utcOffset",
        "avatarUrl",
        "deleted",
        "statusText",
        "roles",
        "type",
        "bio",
        "password",
    ];
    // Rocket.Chat stores these as they come; what becomes of them is the next test's topic.
    let unknown =
        ["_id", "$set", "$where", "services.password.bcrypt", "a\u{0}b", "__proto__", "importIds.0", "$ne", ""];
    let mut bodies = Vec::new();
    for value in values() {
        bodies.push(value.clone());
        bodies.push(json!({ "users": value }));
        bodies.push(json!({ "users": [value] }));
        bodies.push(json!({ "users": [], "$where": value }));
        for field in fields.iter().chain(&unknown) {
            let mut user = json!({ "emails": ["new@example.com"], "importIds": ["new"] });
            user[*field] = value.clone();
            bodies.push(json!({ "users": [user] }));
        }
        for list in ["emails", "importIds", "roles"] {
            let mut user = json!({ "emails": ["new@example.com"], "importIds": ["new"] });
            user[list] = json!([value]);
            bodies.push(json!({ "users": [user] }));
        }
    }
    bodies
}

#[tokio::test]
async fn no_body_changes_anything_but_what_it_stages() {
    let (workspace, service) = worth_attacking().await;
    let before = everything(&workspace).await;
    let newest =
        workspace.operations().await.into_iter().find(|stored| stored.get_str("_id").unwrap() != "old").unwrap();
    let mut staged = 0;
    for body in bodies() {
        let shown: String = body.to_string().chars().take(120).collect();
        let answer = timeout(PATIENCE, service.post("/api/v1/import.addUsers", &body)).await.expect("an answer");
        match answer.status.as_u16() {
            200 => {
                assert_eq!(answer.body, r#"{"success":true}"#, "{shown}");
                staged += body["users"].as_array().unwrap().len();
            }
            status => assert_eq!(status, 400, "{shown}: {}", answer.body),
        }
    }
    assert!(staged > 100, "{staged}");
    let mut after = everything(&workspace).await;
    // The calls are about these two.
    let records = after.remove("rocketchat_import_data").unwrap();
    assert_eq!(records.len(), staged + 1);
    let ids: std::collections::BTreeSet<_> =
        records.iter().map(|record| record.get("_id").unwrap().to_string()).collect();
    assert_eq!(ids.len(), records.len(), "no record takes another's place");
    for record in &records {
        assert_eq!(record.keys().collect::<Vec<_>>(), ["_id", "data", "dataType", "operation"], "{record}");
        assert_eq!(record.get_str("dataType").unwrap(), "user", "{record}");
    }
    let operations = after.remove("rocketchat_import").unwrap();
    let old = before["rocketchat_import"].iter().find(|stored| stored.get_str("_id").unwrap() == "old").unwrap();
    assert!(operations.contains(old), "{operations:?}");
    assert_eq!(operations.len(), 2);
    let changed = operations.iter().find(|stored| stored.get("_id") == newest.get("_id")).unwrap();
    assert_eq!(changed.keys().collect::<Vec<_>>(), newest.keys().collect::<Vec<_>>());
    for (collection, documents) in after {
        assert_eq!(documents, before[&collection], "{collection}");
    }
    // Whatever was staged becomes an account or is told why not, and no other account is touched.
    service.run_import().await;
    let status = service.wait_for_state("done").await;
    let counts = &status["operation"]["count"];
    assert_eq!(
        counts["completed"].as_u64().unwrap() + counts["error"].as_u64().unwrap(),
        staged as u64 + 1,
        "{counts}"
    );
    let accounts = everything(&workspace).await.remove("users").unwrap();
    for account in &before["users"] {
        assert!(accounts.contains(account), "{account}");
    }
    for account in accounts.iter().filter(|account| !before["users"].contains(account)) {
        assert_eq!(account.get_str("_id").unwrap().len(), 17, "{account}");
    }
}

#[tokio::test]
async fn calls_that_take_no_body_ignore_every_body() {
    let (workspace, service) = worth_attacking().await;
    let accounts = workspace.collection("users").count_documents(doc! {}).await.unwrap();
    for value in values() {
        for path in ["/api/v1/import.clear", "/api/v1/import.new", "/api/v1/import.resume", "/api/v1/import.run"] {
            for body in
                [value.clone(), json!({ "_id": value, "operation": value, "importerKey": value, "user": value })]
            {
                let answer = timeout(PATIENCE, service.post(path, &body)).await.expect("an answer");
                assert!([200, 400].contains(&answer.status.as_u16()), "{path} {body}: {}", answer.body);
            }
        }
    }
    assert!(!workspace.operation_named("old").await.get_bool("valid").unwrap());
    for operation in workspace.operations().await {
        assert_eq!(operation.get_str("user").unwrap(), "admin", "{operation}");
        assert_eq!(operation.get_str("importerKey").unwrap(), "api", "{operation}");
    }
    assert_eq!(workspace.collection("users").count_documents(doc! {}).await.unwrap(), accounts);
}
