//! Paths, methods, headers, and the log line of a request.

use bson::Bson;
use reqwest::Method;

use crate::harness::{Answer, operation, user, workspace};

const STATUS: &str = "/api/v1/import.status";
const ALLOWED_HEADERS: &str =
    "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token, x-visitor-token, Authorization";

fn assert_not_found(answer: &Answer, what: &str) {
    assert_eq!(answer.told(), (404, "404 Not Found"), "{what}");
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"), "{what}");
}

#[tokio::test]
async fn paths_that_are_not_the_endpoints_to_the_letter_are_not_found() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/import.status/",
        "/api/v1/import.status/x",
        "/api/v1/import.Status",
        "/API/v1/import.status",
        "/api/v1/importXstatus",
        "/api/v1//import.status",
        "/api/v1/import.statu",
        "/api/v2/import.status",
        "/readyz/",
        "/Livez",
    ] {
        assert_not_found(&service.get_as("admin", "admin-token", path).await, path);
    }
}

#[tokio::test]
async fn other_methods_are_not_found_even_without_a_login() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        assert_not_found(&service.send(service.request(method.clone(), STATUS)).await, method.as_str());
    }
}

#[tokio::test]
async fn query_and_body_are_ignored() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let request = service
        .request(Method::GET, &format!("{STATUS}?state=done&x[]=1&x[]=%ff&%"))
        .header("X-User-Id", "admin")
        .header("X-Auth-Token", "admin-token")
        .header("Content-Type", "application/json")
        .body("{not json");
    assert_eq!(service.send(request).await.told(), (200, r#"{"state":"none","success":true}"#));
}

#[tokio::test]
async fn every_answer_carries_the_headers_rocket_chat_puts_on_it() {
    let workspace = workspace().await;
    workspace.add_user(user("member").with_roles(&["user"]).with_token("token")).await;
    let service = workspace.serve().await;
    for (user_id, token, status) in [("admin", "admin-token", 200), ("admin", "wrong", 401), ("member", "token", 403)] {
        let answer = service.status_as(user_id, token).await;
        assert_eq!(answer.status, status);
        for (name, value) in [
            ("content-type", "application/json"),
            ("access-control-allow-origin", "*"),
            ("access-control-allow-headers", ALLOWED_HEADERS),
            ("x-content-type-options", "nosniff"),
            ("x-xss-protection", "1"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name} of {status}");
        }
        // Only what an action answered must not be kept; refusals come from before it.
        let from_action = status == 200;
        assert_eq!(answer.header("cache-control"), from_action.then_some("no-store"), "{status}");
        assert_eq!(answer.header("pragma"), from_action.then_some("no-cache"), "{status}");
    }
}

#[tokio::test]
async fn head_is_answered_like_get_without_the_body() {
    let workspace = workspace().await;
    workspace.add_operation(operation("one")).await;
    let service = workspace.serve().await;
    for (token, status) in [("admin-token", "HTTP/1.1 200 "), ("wrong", "HTTP/1.1 401 ")] {
        let get = service.status_as("admin", token).await;
        let head = service
            .send_raw(
                format!(
                    "HEAD {STATUS} HTTP/1.1\r\nHost: x\r\nX-User-Id: admin\r\nX-Auth-Token: {token}\r\n\
                     Connection: close\r\n\r\n"
                )
                .as_bytes(),
            )
            .await;
        let (fields, body) = head.split_once("\r\n\r\n").unwrap();
        assert!(fields.starts_with(status), "{head}");
        assert_eq!(body, "", "{token}");
        let fields = fields.to_ascii_lowercase();
        for name in ["content-type", "content-length", "access-control-allow-origin", "x-content-type-options"] {
            let field = format!("{name}: {}", get.header(name).unwrap().to_ascii_lowercase());
            assert!(fields.contains(&field), "{field} in {fields}");
        }
    }
}

#[tokio::test]
async fn each_request_is_one_log_line_without_its_query() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    service.get_as("admin", "admin-token", &format!("{STATUS}?access_token=hunter2")).await;
    service.get("/nowhere?password=hunter2").await;
    let line = service.logged("path=/nowhere ").await;
    assert!(line.contains(" method=GET path=/nowhere status=404 ms="), "{line}");
    assert!(line.ends_with(" client=127.0.0.1"), "{line}");

    let lines = service.log_lines("target=access ");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains(" level=INFO "), "{}", lines[0]);
    assert!(lines[0].contains(&format!(" method=GET path={STATUS} status=200 ms=")), "{}", lines[0]);
    let id_of = |line: &str| {
        let (_, rest) = line.split_once(" request=").unwrap();
        rest.split(' ').next().unwrap().to_owned()
    };
    assert_ne!(id_of(&lines[0]), id_of(&lines[1]));
    assert_eq!(service.log_lines("hunter2"), [""; 0]);
}

#[tokio::test]
async fn what_is_logged_on_behalf_of_a_request_carries_its_id() {
    let workspace = workspace().await;
    workspace.add_operation(operation("odd").with("status", Bson::from("importer_dreaming"))).await;
    let service = workspace.serve().await;
    service.status().await;
    let access = service.logged("target=access ").await;
    let id = access.split(' ').find(|pair| pair.starts_with("request=")).unwrap();
    assert!(service.logged("importer_dreaming").await.contains(id), "{access}");
}
