//! The file of users to fill in, over HTTP.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Service, program, served, user};

const TEMPLATE: &str = "/api/v1/import.template";

async fn template(service: &Service, query: &str) -> reqwest::Response {
    let request = service.request(Method::GET, &format!("{TEMPLATE}{query}"));
    let request = request.header("X-User-Id", "admin").header("X-Auth-Token", "admin-token");
    request.send().await.unwrap()
}

#[tokio::test]
async fn the_file_to_fill_in_is_that_of_the_command_line_and_is_read_again() {
    let (_workspace, service) = served().await;
    for (query, kind, content_type) in [
        ("", "csv", "text/csv; charset=utf-8"),
        ("?format=csv", "csv", "text/csv; charset=utf-8"),
        ("?format=json", "json", "application/json"),
        ("?format=xlsx", "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ] {
        let answer = template(&service, query).await;
        assert_eq!(answer.status(), 200, "{query}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), content_type, "{query}");
        assert_eq!(header("content-disposition"), format!("attachment; filename=\"users.{kind}\""));
        assert_eq!(header("cache-control"), "no-store");
        let file = answer.bytes().await.unwrap().to_vec();
        let printed = program(&["users", "--template", kind], &[]).output().unwrap().stdout;
        // A workbook holds the moment of its making.
        assert!(kind == "xlsx" || file == printed, "{query}");
        let checked = service.post_body("/api/v1/import.check", None, file).await.json();
        assert_eq!(
            (&checked["users"], &checked["problemCount"], &checked["warningCount"]),
            (&json!(2), &json!(0), &json!(0)),
            "{query}: {checked}"
        );
    }
}

#[tokio::test]
async fn the_file_to_fill_in_is_for_people_who_may_run_imports_and_of_three_kinds() {
    let (workspace, service) = served().await;
    workspace.add_user(user("clerk").with_token("clerk-token")).await;
    assert_eq!(service.get(TEMPLATE).await.status, 401);
    assert_eq!(service.get_as("clerk", "clerk-token", TEMPLATE).await.status, 403);
    for query in ["?format=pdf", "?format=", "?colour=red", "?format=csv&format=json"] {
        let refused = service.get_as_admin(&format!("{TEMPLATE}{query}")).await;
        let told = (refused.status.as_u16(), refused.json()["error"].as_str().unwrap().to_owned());
        assert_eq!(told.0, 400, "{query}");
        assert!(told.1.starts_with("format must be csv, xlsx or json"), "{query}: {}", told.1);
    }
    let head = service.send(
        service.request(Method::HEAD, TEMPLATE).header("X-User-Id", "admin").header("X-Auth-Token", "admin-token"),
    );
    let head = head.await;
    assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
}
