//! The headers for browsers with pages of other origins, by Rocket.Chat's settings as they change.

use std::time::Duration;

use reqwest::Method;
use tokio::time::timeout;

use crate::harness::{Answer, Mongo, Service, Workspace, eventually, workspace};

const STATUS: &str = "/api/v1/import.status";
const PATIENCE: Duration = Duration::from_secs(10);
const ORIGIN: &str = "https://pages.example";
const NOT_ENABLED: &str = r#"CORS not enabled. Go to "Admin > General > REST Api" to enable it."#;
const ALLOWED_HEADERS: &str =
    "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token, x-visitor-token, Authorization";
const ALLOWED_METHODS: &str = "GET, POST, PUT, DELETE, HEAD, PATCH";

async fn options(service: &Service, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = service.request(Method::OPTIONS, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    service.send(request).await
}

/// What a browser asks before it lets a page of `origin` call the API.
async fn preflight(service: &Service, origin: &str) -> Answer {
    let asked = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
    options(service, STATUS, &asked).await
}

fn assert_allowed(answer: &Answer, origin: &str, vary: Option<&str>) {
    assert_eq!(answer.told(), (200, "OK"));
    for (name, value) in [
        ("access-control-allow-origin", Some(origin)),
        ("access-control-allow-methods", Some(ALLOWED_METHODS)),
        ("access-control-allow-headers", Some(ALLOWED_HEADERS)),
        ("access-control-allow-credentials", None),
        ("access-control-max-age", None),
        ("vary", vary),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
}

fn assert_told_nothing(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.told(), (status, text));
    for name in ["origin", "methods", "headers"] {
        assert_eq!(answer.header(&format!("access-control-allow-{name}")), None, "{name}");
    }
}

async fn served_with(origins: &str) -> (Workspace, Service) {
    let workspace = workspace().await;
    workspace.set("API_Enable_CORS", true).await;
    workspace.set("API_CORS_Origin", origins).await;
    let service = workspace.serve().await;
    (workspace, service)
}

#[tokio::test]
async fn preflights_are_refused_while_cors_is_off() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    // It is off unless somebody has switched it on.
    assert_told_nothing(&preflight(&service, ORIGIN).await, 405, NOT_ENABLED);
    workspace.set("API_Enable_CORS", false).await;
    for path in [STATUS, "/api/v1/nothing"] {
        assert_told_nothing(&options(&service, path, &[("Origin", ORIGIN)]).await, 405, NOT_ENABLED);
        let method = [("Access-Control-Request-Method", "POST")];
        assert_told_nothing(&options(&service, path, &method).await, 405, NOT_ENABLED);
    }
}

#[tokio::test]
async fn every_origin_is_allowed_by_a_star_which_is_the_default() {
    let (workspace, service) = served_with("*").await;
    assert_allowed(&preflight(&service, ORIGIN).await, "*", None);
    assert_allowed(&preflight(&service, "null").await, "*", None);
    workspace.collection("rocketchat_settings").delete_one(bson::doc! { "_id": "API_CORS_Origin" }).await.unwrap();
    let service = workspace.serve().await;
    assert_allowed(&preflight(&service, ORIGIN).await, "*", None);
}

#[tokio::test]
async fn only_listed_origins_are_allowed_by_a_list() {
    let (_workspace, service) = served_with("http://localhost:8080 , HTTPS://Pages.example").await;
    for origin in [ORIGIN, "http://localhost:8080"] {
        assert_allowed(&preflight(&service, origin).await, origin, Some("Origin"));
    }
    for origin in [
        "https://pages.example.evil.example",
        "https://pages.exampl",
        "http://pages.example",
        "https://pages.example:444",
        "HTTPS://PAGES.EXAMPLE",
        "null",
        "*",
    ] {
        assert_told_nothing(&preflight(&service, origin).await, 403, "Invalid origin");
    }
    let nobody = [("Access-Control-Request-Method", "GET")];
    assert_told_nothing(&options(&service, STATUS, &nobody).await, 403, "Invalid origin");
}

#[tokio::test]
async fn an_options_request_that_is_no_preflight_is_answered_without_headers() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for path in [STATUS, "/api/v1/import.new", "/api/v1/import.addUsers", "/api/v1/import.status?x=1"] {
        assert_told_nothing(&options(&service, path, &[]).await, 200, "OK");
    }
    for path in ["/api/v1/nothing", "/api", "/api/v1/import.status/", "/nothing"] {
        assert_eq!(options(&service, path, &[]).await.told(), (404, "404 Not Found"), "{path}");
    }
}

#[tokio::test]
async fn a_preflight_for_what_there_is_not_is_not_found_but_allowed() {
    let (_workspace, service) = served_with("*").await;
    let answer = options(&service, "/api/v1/nothing", &[("Origin", ORIGIN)]).await;
    assert_eq!(answer.told(), (404, "404 Not Found"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    for path in ["/livez", "/import", "/api-docs/json"] {
        assert_eq!(options(&service, path, &[("Origin", ORIGIN)]).await.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn answers_to_other_requests_name_every_origin_whatever_is_set() {
    let (workspace, service) = served_with("https://somebody.else").await;
    for enabled in [true, false] {
        workspace.set("API_Enable_CORS", enabled).await;
        for path in [STATUS, "/api/v1/nothing"] {
            let request = service.request(Method::GET, path).header("Origin", ORIGIN);
            let answer = service.send(request).await;
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
            assert_eq!(answer.header("access-control-allow-headers"), Some(ALLOWED_HEADERS), "{path}");
            assert_eq!(answer.header("access-control-allow-methods"), None, "{path}");
        }
    }
}

#[tokio::test]
async fn the_settings_are_followed_as_they_change() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    assert_told_nothing(&preflight(&service, ORIGIN).await, 405, NOT_ENABLED);
    workspace.set("API_Enable_CORS", true).await;
    eventually("it is on", PATIENCE, async || preflight(&service, ORIGIN).await.status == 200).await;
    workspace.set("API_CORS_Origin", "https://somebody.else").await;
    eventually("another is listed", PATIENCE, async || preflight(&service, ORIGIN).await.status == 403).await;
    workspace.set("API_CORS_Origin", format!("https://somebody.else,{ORIGIN}")).await;
    eventually("both are listed", PATIENCE, async || preflight(&service, ORIGIN).await.status == 200).await;
    workspace.set("API_Enable_CORS", false).await;
    eventually("it is off", PATIENCE, async || preflight(&service, ORIGIN).await.status == 405).await;
}

#[tokio::test]
async fn while_the_database_does_not_answer_the_last_known_settings_hold() {
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await;
    workspace.set("API_Enable_CORS", true).await;
    let service = workspace.serve().await;
    assert_allowed(&preflight(&service, ORIGIN).await, "*", None);
    mongo.freeze();
    // Until it was tried in vain, and after.
    let mut tried_again = false;
    eventually("the service has noticed", PATIENCE, async || {
        tried_again = !service.log_lines("the rules of the API cannot be read again in time").is_empty();
        let answer = timeout(Duration::from_secs(4), preflight(&service, ORIGIN)).await.expect("an answer");
        assert_allowed(&answer, "*", None);
        tried_again
    })
    .await;
    mongo.thaw();
    workspace.set("API_Enable_CORS", false).await;
    eventually("the change is seen", PATIENCE, async || preflight(&service, ORIGIN).await.status == 405).await;
}

#[tokio::test]
async fn settings_that_were_never_read_are_not_made_up() {
    let service = Service::start(&[("MONGO_URL", "mongodb://127.0.0.1:1/rocketchat")]).await;
    let answer = timeout(Duration::from_secs(5), preflight(&service, ORIGIN)).await.expect("within five seconds");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["errorType"], "error-database-unavailable");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_told_nothing(&options(&service, STATUS, &[]).await, 200, "OK");
}
