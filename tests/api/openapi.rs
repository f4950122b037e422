//! The description of the API: whether it is one, and whether the service keeps to it.

use std::collections::BTreeSet;

use bson::doc;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Framing, LIMITED, Mongo, Service, Workspace, operation, served, staged_user, staged_users, user, workspace,
};

const DOCUMENT: &str = "/api-docs/json";
const ROUTES: &str = include_str!("../../src/http/routes.rs");
const MORE_THAN_IS_TAKEN: usize = 50 * 1024 * 1024 + 1;

/// The description as the service gives it.
struct Document(Value);

impl Document {
    async fn of(service: &Service) -> Self {
        let answer = service.get(DOCUMENT).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")));
        Self(answer.json())
    }

    /// Every operation that is described, with the path in full.
    fn operations(&self) -> Vec<(Method, String, &Value)> {
        let paths = self.0["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (method.to_uppercase().parse().unwrap(), path.clone(), operation))
        });
        operations.collect()
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.strip_prefix('#').unwrap()).expect(reference),
            None => value,
        }
    }

    /// What the body of this answer may be.
    fn content(&self, method: &Method, path: &str, status: u16, content_type: &str) -> &Value {
        let operation = &self.0["paths"][path][method.as_str().to_lowercase()];
        let response = self.resolved(&operation["responses"][status.to_string()]);
        let content = &response["content"][content_type];
        assert!(content.is_object(), "{method} {path} is not said to answer {status} with {content_type}");
        content
    }

    /// `schema` with everything it may refer to.
    fn validator(&self, schema: &Value) -> jsonschema::Validator {
        let whole = json!({ "allOf": [schema], "components": self.0["components"] });
        jsonschema::draft202012::new(&whole).unwrap()
    }

    fn check_body(&self, method: &Method, path: &str, (status, content_type): (u16, &str), body: &Value) {
        let schema = &self.content(method, path, status, content_type)["schema"];
        if let Err(error) = self.validator(schema).validate(body) {
            panic!("{method} {path} {status}: {error} at {}: {body}", error.instance_path());
        }
    }

    fn check_schema(&self, name: &str, value: &Value) {
        let schema = &self.0["components"]["schemas"][name];
        if let Err(error) = self.validator(schema).validate(value) {
            panic!("{name}: {error} at {}: {value}", error.instance_path());
        }
    }

    fn check(&self, method: &Method, path: &str, status: u16, answer: &Answer) {
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.body);
        self.check_body(method, path, (status, answer.header("content-type").unwrap()), &answer.json());
    }
}

async fn ask(service: &Service, document: &Document, method: Method, path: &str, status: u16) -> Value {
    let request = service.request(method.clone(), path);
    let answer = service.send(request.header("X-User-Id", "admin").header("X-Auth-Token", "admin-token")).await;
    document.check(&method, path.split('?').next().unwrap(), status, &answer);
    answer.json()
}

/// Every path and method in [`ROUTES`] that is written out there.
fn routes() -> BTreeSet<(String, String)> {
    let calls = ["get", "post"].map(|method| {
        let call = format!("{method}(\"");
        let paths = ROUTES.split(&call).skip(1).map(|rest| rest.split_once('"').unwrap().0);
        paths.map(|path| (method.to_uppercase(), format!("/api{path}"))).collect::<Vec<_>>()
    });
    calls.into_iter().flatten().collect()
}

#[tokio::test]
async fn everything_that_is_served_is_described_and_the_other_way_round() {
    let (_workspace, service) = served().await;
    let document = Document::of(&service).await;
    let described: BTreeSet<_> =
        document.operations().into_iter().map(|(method, path, _)| (method.to_string(), path)).collect();
    let routes = routes();
    assert!(routes.len() >= 12, "{routes:?}");
    assert_eq!(routes.difference(&described).collect::<Vec<_>>(), [] as [&(String, String); 0]);
    for (method, path) in &described {
        let answer = service.send(service.request(method.parse().unwrap(), path)).await;
        assert_ne!(answer.status, 404, "{method} {path}");
        let public = ["/livez", "/readyz"].contains(&path.as_str());
        assert_eq!(answer.status == 401, !public, "{method} {path}");
    }
}

/// Everything that the description refers to.
fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn the_description_is_whole() {
    let (_workspace, service) = served().await;
    let document = Document::of(&service).await;
    assert_eq!(document.0["openapi"], "3.1.0");
    assert_eq!(document.0["info"]["version"], env!("CARGO_PKG_VERSION"));
    for place in references(&document.0) {
        assert!(document.0.pointer(place.trim_start_matches('#')).is_some(), "{place} is not there");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in document.operations() {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id}");
        assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{id}");
        if path.starts_with("/api/") {
            assert_eq!(operation["security"], json!([{ "authToken": [], "userId": [] }]), "{id}");
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            // What says all in its head has no body.
            let Some(contents) = document.resolved(response)["content"].as_object() else { continue };
            for (content_type, content) in contents {
                // Compiles only if everything it refers to is there.
                let validator = document.validator(&content["schema"]);
                let Some(example) = content.get("example") else { continue };
                assert!(validator.is_valid(example), "the example of {method} {path} {status} {content_type}");
            }
        }
    }
    for (name, schema) in document.0["components"]["schemas"].as_object().unwrap() {
        for example in schema["examples"].as_array().into_iter().flatten() {
            assert!(document.validator(schema).is_valid(example), "the example of {name}");
        }
    }
    let headers = ["userId", "authToken"].map(|name| &document.0["components"]["securitySchemes"][name]["name"]);
    assert_eq!(headers, ["X-User-Id", "X-Auth-Token"]);
}

#[tokio::test]
async fn the_documentations_example_is_in_it_and_is_what_the_demo_answers() {
    let (workspace, service) = served().await;
    let document = Document::of(&service).await;
    let content = document.content(&Method::GET, "/api/v1/import.status", 200, "application/json");
    let documented = content["example"].to_string();
    let date = |text: &str| bson::DateTime::parse_rfc3339_str(text).unwrap();
    let count = doc! { "total": 2, "users": 2 };
    workspace
        .only_operation(doc! {
            "_id": "64d51ea91558939980aab371",
            "type": "api",
            "importerKey": "api",
            "ts": date("2023-08-10T17:30:17.519Z"),
            "status": "importer_user_selection",
            "valid": true,
            "user": "7TY57bBj3xQXvf2i2",
            "_updatedAt": date("2023-08-10T17:41:20.052Z"),
            "count": count,
        })
        .await;
    assert_eq!(service.status().await.body, documented);
}

#[tokio::test]
async fn every_answer_of_an_imports_life_is_as_described() {
    let (workspace, service) = served().await;
    let document = Document::of(&service).await;
    let get = async |path: &str, status| ask(&service, &document, Method::GET, path, status).await;
    let post = async |path: &str, status| ask(&service, &document, Method::POST, path, status).await;
    let add = async |body: &Value, status| {
        let path = "/api/v1/import.addUsers";
        document.check(&Method::POST, path, status, &service.post(path, body).await);
        body.clone()
    };
    workspace.grant("view-import-operations", &["admin"]).await;
    workspace.add_user(user("existing").with("emails", vec![doc! { "address": "user1@example.com" }])).await;

    service.ready().await;
    get("/livez", 200).await;
    get("/readyz", 200).await;
    // Before there is any operation.
    assert_eq!(get("/api/v1/import.status", 200).await["state"], "none");
    get("/api/v1/getCurrentImportOperation", 200).await;
    get("/api/v1/getLatestImportOperations", 200).await;
    get("/api/v1/importers.list", 200).await;
    get("/api/v1/import.errors", 200).await;
    get("/api/v1/getImportProgress", 400).await;
    get("/api/v1/getImportFileData", 400).await;
    post("/api/v1/import.run", 400).await;
    post("/api/v1/import.resume", 400).await;
    add(&json!({ "users": [staged_user(0)] }), 400).await;

    let path = "/api/v1/import.check";
    for (query, status) in [("", 200), ("?colour=red", 400)] {
        let file = "username,emails,importIds\nann,,1\n";
        let answer = service.post_body(&format!("{path}{query}"), None, file).await;
        document.check(&Method::POST, path, status, &answer);
    }

    // A problem of no line.
    workspace.set("Accounts_Registration_Users_Default_Roles", "user,ghost").await;
    let file = "username,emails,importIds\nann,ann@corp.example,1\n";
    let answer = service.post_body(&format!("{path}?workspace=true"), None, file).await;
    let first: Value = serde_json::from_str(answer.body.lines().next().unwrap()).unwrap();
    document.check_schema("FileProblem", &first["problem"]);
    workspace.set("Accounts_Registration_Users_Default_Roles", "user").await;

    let event = service.events().await.next().await;
    document.check_schema("LiveStatus", &event.data);

    post("/api/v1/import.new", 200).await;
    let no_address = json!({ "importIds": ["1"], "emails": [""] });
    let odd = json!({ "users": [{ "emails": [{}], "importIds": ["1"] }] });
    for refused in [json!([]), json!({}), json!({ "users": [no_address] }), odd] {
        add(&refused, 400).await;
    }
    let mut users = staged_users(0..3);
    users[2]["username"] = json!("existing");
    add(&json!({ "users": users }), 200).await;
    for path in ["import.status", "getCurrentImportOperation", "getImportProgress", "getImportFileData"] {
        get(&format!("/api/v1/{path}"), 200).await;
    }
    post("/api/v1/import.run", 200).await;
    service.wait_for_state("done").await;
    document.check_schema("LiveStatus", &service.events().await.next().await.data);
    for path in
        ["import.status", "import.errors", "getLatestImportOperations", "getImportProgress", "getImportFileData"]
    {
        get(&format!("/api/v1/{path}"), 200).await;
    }
    assert_eq!(get("/api/v1/import.errors?count=1&offset=1", 200).await["total"], 2);
    get("/api/v1/import.errors?count=many", 400).await;
    get("/api/v1/getImportProgress?page=1", 400).await;
    post("/api/v1/import.resume", 200).await;
    post("/api/v1/import.clear", 200).await;

    // As Rocket.Chat's own importers leave them.
    for stored in [
        operation("loading").with("status", "importer_preparing_users").with("contentType", "text/csv"),
        operation("old").with("ts", 1_500_000_000_000_i64).with("status", "importer_done").with("count", doc! {}),
        operation("odd").with("status", "never heard of it"),
    ] {
        workspace.only_operation(stored.document()).await;
        get("/api/v1/import.status", 200).await;
        get("/api/v1/getCurrentImportOperation", 200).await;
        get("/api/v1/getImportFileData", 200).await;
        get("/api/v1/getLatestImportOperations", 200).await;
    }
    workspace.only_operation(operation("foreign").with("importerKey", "hipchat").document()).await;
    get("/api/v1/getImportProgress", 400).await;
}

#[tokio::test]
async fn every_refusal_is_as_described() {
    let (workspace, service) = served().await;
    let document = Document::of(&service).await;
    workspace.add_user(user("guest").with_roles(&["user"]).with_token("guest-token")).await;
    let described = document.operations().into_iter();
    for (method, path, _) in described.filter(|(_, path, _)| path.starts_with("/api/")) {
        let anonymous = service.send(service.request(method.clone(), &path)).await;
        document.check(&method, &path, 401, &anonymous);
        let guest = service.request(method.clone(), &path);
        let guest = guest.header("X-User-Id", "guest").header("X-Auth-Token", "guest-token");
        document.check(&method, &path, 403, &service.send(guest).await);
    }
    let path = "/api/v1/import.addUsers";
    let admin = ("admin", "admin-token");
    let answer = service.post_of_length(admin, path, MORE_THAN_IS_TAKEN, Framing::ContentLength).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let body = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    document.check_body(&Method::POST, path, (413, "application/json"), &body);
}

#[tokio::test]
async fn a_call_too_many_is_refused_by_every_endpoint_as_described() {
    let (workspace, service) = served().await;
    let document = Document::of(&service).await;
    workspace.add_limited_caller().await;
    workspace.limit_calls(1, 60_000).await;
    for (method, path, _) in document.operations() {
        // The answer of a stream does not end, and the pieces of an upload are not counted.
        if !path.starts_with("/api/") || path.ends_with(".stream") || path.ends_with("import.upload/{id}") {
            continue;
        }
        let call = || {
            let request = service.request(method.clone(), &path);
            service.send(request.header("X-User-Id", LIMITED.0).header("X-Auth-Token", LIMITED.1))
        };
        assert_ne!(call().await.status, 429, "{method} {path}");
        document.check(&method, &path, 429, &call().await);
    }
}

#[tokio::test]
async fn an_outage_is_told_by_every_endpoint_as_described() {
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await;
    let service = workspace.serve().await;
    service.ready().await;
    let document = Document::of(&service).await;
    mongo.freeze();
    let described = document.operations().into_iter();
    let asked = described.filter(|(_, path, _)| path != "/livez").map(|(method, path, _)| {
        let (document, service) = (&document, &service);
        async move { ask(service, document, method, &path, 503).await }
    });
    futures::future::join_all(asked).await;
    mongo.thaw();
}

#[tokio::test]
async fn the_page_shows_the_description_and_loads_nothing_from_elsewhere() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    // The client follows the way to the page.
    let page = service.get("/api-docs").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let policy = page.header("content-security-policy").unwrap();
    for directive in policy.split(';').map(str::trim) {
        let (name, sources) = directive.split_once(' ').unwrap();
        let inline = name == "style-src";
        let known = |source| ["'self'", "'none'", "data:"].contains(&source) || (inline && source == "'unsafe-inline'");
        assert!(sources.split(' ').all(known), "{directive}");
    }
    assert!(!page.body.contains("http:") && !page.body.contains("https:"), "{}", page.body);
    let files: Vec<&str> = ["src=\"", "href=\""]
        .into_iter()
        .flat_map(|attribute| page.body.split(attribute).skip(1).map(|rest| rest.split_once('"').unwrap().0))
        .collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let answer = service.get(&format!("/api-docs/{}", file.trim_start_matches("./"))).await;
        assert_eq!(answer.status, 200, "{file}");
        assert!(!answer.body.is_empty(), "{file}");
    }
    let start = service.get("/api-docs/swagger-initializer.js").await.body;
    assert!(start.contains(&format!("\"url\": \"{DOCUMENT}\"")), "{start}");
    assert_eq!(service.get("/api-docs/nothing").await.told(), (404, "404 Not Found"));
}

/// The patterns of the paths that nginx sends to this service, by the documentation.
fn proxied() -> Vec<regex::Regex> {
    let patterns = include_str!("../../README.md").lines().filter_map(|line| {
        let location = line.trim().strip_prefix("location ")?.strip_suffix(" {")?;
        let prefix = || format!("^{}", regex::escape(location));
        let exact = |path: &str| format!("^{}$", regex::escape(path));
        let pattern = location.strip_prefix("~ ").map(str::to_owned);
        Some(pattern.or_else(|| location.strip_prefix("= ").map(exact)).unwrap_or_else(prefix))
    });
    // All that is left goes to Rocket.Chat.
    let patterns: Vec<String> = patterns.filter(|pattern| pattern != "^/").collect();
    vec![regex::Regex::new(&patterns.join("|")).unwrap()]
}

#[tokio::test]
async fn the_documented_rules_of_nginx_send_every_described_path_here_and_rocket_chats_own_elsewhere() {
    let (_workspace, service) = served().await;
    let document = Document::of(&service).await;
    for rule in proxied() {
        for (_, path, _) in document.operations() {
            // A proxy has health checks of its own.
            assert_eq!(rule.is_match(&path), path.starts_with("/api/"), "{path} by {rule}");
        }
        for path in ["/import", "/import/page.js"] {
            assert!(rule.is_match(path), "{path} by {rule}");
        }
        for path in [
            "/",
            "/api/v1/users.list",
            "/api/v1/importXstatus",
            "/api/v1/getImportProgress/x",
            "/imports",
            "/api/v1/login",
        ] {
            assert!(!rule.is_match(path), "{path} by {rule}");
        }
    }
}
