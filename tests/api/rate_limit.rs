//! Rocket.Chat's rate limit: who is counted, what they are answered, and that the settings are followed as they change.

use std::time::{Duration, Instant};

use bson::{Bson, doc};
use chrono::Utc;
use futures::future::join_all;
use reqwest::Method;

use crate::harness::{Answer, LIMITED, Service, Workspace, eventually, operation, user, workspace};

/// Longer than a change of a setting takes to be followed.
const PATIENCE: Duration = Duration::from_secs(10);
const STATUS: &str = "/api/v1/import.status";
const STREAM: &str = "/api/v1/import.status.stream";
/// A stream looks at its caller's access at least as often.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(5);
const MINUTE_MILLIS: i64 = 60_000;

async fn limited() -> (Workspace, Service) {
    let workspace = workspace().await;
    workspace.add_limited_caller().await;
    let service = workspace.serve().await;
    (workspace, service)
}

/// What the answer says of the limit: the limit, the calls left, and the milliseconds to the end of the window.
fn told_limit(answer: &Answer) -> Option<(i64, i64, i64)> {
    let number = |name| answer.header(name).map(|value| value.parse::<i64>().unwrap());
    let reset = number("x-ratelimit-reset")? - Utc::now().timestamp_millis();
    Some((number("x-ratelimit-limit")?, number("x-ratelimit-remaining")?, reset))
}

fn left(answer: &Answer) -> Option<i64> {
    told_limit(answer).map(|(_, left, _)| left)
}

async fn call(service: &Service, method: Method, path: &str) -> Answer {
    let request = service.request(method, path).header("X-User-Id", LIMITED.0).header("X-Auth-Token", LIMITED.1);
    service.send(request).await
}

#[tokio::test]
async fn the_eleventh_call_in_a_minute_is_refused_in_rocket_chats_words() {
    let (_workspace, service) = limited().await;
    for call in 1..=10 {
        let answer = service.limited_status().await;
        assert_eq!(answer.told(), (200, r#"{"state":"none","success":true}"#), "call {call}");
        let (limit, left, reset) = told_limit(&answer).unwrap();
        assert_eq!((limit, left), (10, 10 - call));
        assert!((1..=MINUTE_MILLIS).contains(&reset), "{reset}");
    }
    for _ in 0..2 {
        let answer = service.limited_status().await;
        let (limit, left, reset) = told_limit(&answer).unwrap();
        assert_eq!((answer.status.as_u16(), limit, left), (429, 10, 0));
        let wait =
            answer.json()["error"].as_str().unwrap().split(' ').find_map(|word| word.parse::<i64>().ok()).unwrap();
        assert!((reset..reset + 5000).contains(&(wait * 1000)), "{wait} s, {reset} ms");
        let body = format!(
            "{{\"success\":false,\"error\":\"Error, too many requests. Please slow down. You must wait {wait} seconds \
             before trying this endpoint again. [error-too-many-requests]\"}}"
        );
        assert_eq!(answer.body, body);
        for (name, value) in [
            ("content-type", "application/json"),
            ("access-control-allow-origin", "*"),
            ("cache-control", "no-store"),
            ("pragma", "no-cache"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert_eq!(answer.header("retry-after"), None, "Rocket.Chat sends none");
    }
}

#[tokio::test]
async fn when_the_window_ends_calls_go_again() {
    let (workspace, service) = limited().await;
    workspace.limit_calls(2, 4000).await;
    let told: Vec<_> = [service.limited_status().await, service.limited_status().await, service.limited_status().await]
        .iter()
        .map(|answer| (answer.status.as_u16(), left(answer)))
        .collect();
    assert_eq!(told, [(200, Some(1)), (200, Some(0)), (429, Some(0))]);
    eventually("a call is let through", PATIENCE, async || service.limited_status().await.status == 200).await;
    assert_eq!(left(&service.limited_status().await), Some(0), "the next window is a whole one");
}

#[tokio::test]
async fn each_address_and_each_endpoint_has_its_own_count() {
    let (workspace, service) = limited().await;
    workspace.limit_calls(1, 60_000).await;
    assert_eq!(service.limited_status().await.status, 200);
    assert_eq!(service.limited_status().await.status, 429);
    assert_eq!(service.limited_status_from("127.0.0.2", &[]).await.status, 200);
    assert_eq!(service.limited_status_from("127.0.0.2", &[]).await.status, 429);
    for (method, path) in [
        (Method::GET, "/api/v1/importers.list"),
        (Method::GET, "/api/v1/import.errors"),
        (Method::POST, "/api/v1/import.new"),
    ] {
        assert_eq!(call(&service, method.clone(), path).await.status, 200, "{path}");
        assert_eq!(call(&service, method, path).await.status, 429, "{path}");
    }
}

#[tokio::test]
async fn another_query_or_head_in_place_of_get_is_the_same_endpoint() {
    let (workspace, service) = limited().await;
    workspace.limit_calls(2, 60_000).await;
    assert_eq!(left(&service.limited_status().await), Some(1));
    assert_eq!(left(&call(&service, Method::HEAD, STATUS).await), Some(0));
    for (method, path) in [(Method::GET, STATUS), (Method::HEAD, STATUS), (Method::GET, "/api/v1/import.status?a=b")] {
        assert_eq!(call(&service, method, path).await.status, 429, "{path}");
    }
}

#[tokio::test]
async fn who_holds_the_bypass_permission_is_neither_counted_nor_told_of_a_limit() {
    let (workspace, service) = limited().await;
    workspace.limit_calls(1, 60_000).await;
    for _ in 0..30 {
        let answer = service.status().await;
        assert_eq!((answer.status.as_u16(), told_limit(&answer)), (200, None));
    }
    assert_eq!(left(&service.limited_status().await), Some(0), "the others' calls come from the same address");
    assert_eq!(service.limited_status().await.status, 429);

    workspace.grant("api-bypass-rate-limit", &["admin", "importer"]).await;
    eventually("the limit is gone", PATIENCE, async || service.limited_status().await.status == 200).await;
    assert_eq!(told_limit(&service.limited_status().await), None);
    workspace.grant("api-bypass-rate-limit", &[]).await;
    eventually("everybody has the limit", PATIENCE, async || service.status().await.status == 429).await;
}

#[tokio::test]
async fn without_a_document_for_the_bypass_permission_nobody_holds_it() {
    let (workspace, _) = limited().await;
    workspace.collection("rocketchat_permissions").delete_one(doc! { "_id": "api-bypass-rate-limit" }).await.unwrap();
    let service = workspace.serve().await;
    assert_eq!(left(&service.status().await), Some(9));
}

#[tokio::test]
async fn only_calls_by_those_who_may_are_counted() {
    let (workspace, service) = limited().await;
    workspace.add_user(user("member").with_roles(&["user"]).with_token("member-token")).await;
    for (id, token, status) in [("script", "wrong", 401), ("member", "member-token", 403)] {
        for _ in 0..12 {
            let answer = service.status_as(id, token).await;
            assert_eq!((answer.status.as_u16(), told_limit(&answer)), (status, None));
        }
    }
    assert_eq!(left(&service.limited_status().await), Some(9));
}

#[tokio::test]
async fn a_refused_call_does_nothing_and_a_bad_one_counts() {
    let (workspace, service) = limited().await;
    workspace.limit_calls(1, 60_000).await;
    let bad = call(&service, Method::GET, "/api/v1/getImportProgress?page=1").await;
    assert_eq!((bad.status.as_u16(), left(&bad)), (400, Some(0)));
    assert_eq!(call(&service, Method::GET, "/api/v1/getImportProgress").await.status, 429);
    for status in [200, 429, 429] {
        assert_eq!(call(&service, Method::POST, "/api/v1/import.new").await.status, status);
    }
    assert_eq!(workspace.operations().await.len(), 1);
}

#[tokio::test]
async fn health_and_documentation_have_no_limit() {
    let (workspace, service) = limited().await;
    workspace.limit_calls(1, 60_000).await;
    service.ready().await;
    for path in ["/livez", "/readyz", "/import", "/api-docs/json", "/nowhere"] {
        for _ in 0..3 {
            let answer = call(&service, Method::GET, path).await;
            assert_ne!(answer.status, 429, "{path}");
            assert_eq!(told_limit(&answer), None, "{path}");
        }
    }
}

#[tokio::test]
async fn the_limiter_is_switched_off_and_on_while_the_service_runs() {
    let (workspace, service) = limited().await;
    workspace.limit_calls(1, 60_000).await;
    service.limited_status().await;
    assert_eq!(service.limited_status().await.status, 429);
    // Rocket.Chat asks whether it is exactly a yes.
    for off in [Bson::from(false), Bson::from("true"), Bson::from(1), Bson::Null] {
        workspace.set("API_Enable_Rate_Limiter", off.clone()).await;
        eventually("it is off", PATIENCE, async || told_limit(&service.limited_status().await).is_none()).await;
        assert_eq!(service.limited_status().await.status, 200, "{off}");
        workspace.set("API_Enable_Rate_Limiter", true).await;
        eventually("it is on", PATIENCE, async || service.limited_status().await.status == 429).await;
    }
}

#[tokio::test]
async fn changed_limits_hold_while_the_service_runs_and_nought_is_no_limit() {
    let (workspace, service) = limited().await;
    let limit_told = async || told_limit(&service.limited_status().await).map(|(limit, ..)| limit);
    assert_eq!(limit_told().await, Some(10));
    for (calls, expected) in [
        (Bson::from(500), Some(500)),
        (Bson::from(0), None),
        (Bson::from(1000.0), Some(1000)),
        (Bson::from(""), None),
        (Bson::from(2000_i64), Some(2000)),
        (Bson::Null, None),
    ] {
        workspace.set("API_Enable_Rate_Limiter_Limit_Calls_Default", calls.clone()).await;
        eventually(&format!("the limit is {calls}"), PATIENCE, async || limit_told().await == expected).await;
    }
    workspace.limit_calls(900, 3_600_000).await;
    let mut reset = 0;
    eventually("the window is an hour", PATIENCE, async || {
        reset = told_limit(&service.limited_status().await).map_or(0, |(.., reset)| reset);
        reset > 3_500_000
    })
    .await;
    workspace.limit_calls(900, 0).await;
    eventually("no time is no limit", PATIENCE, async || limit_told().await.is_none()).await;
}

#[tokio::test]
async fn settings_that_are_not_stored_have_rocket_chats_defaults() {
    let (workspace, service) = limited().await;
    let settings = workspace.collection("rocketchat_settings");
    assert_eq!(settings.count_documents(doc! {}).await.unwrap(), 0);
    let (limit, left, reset) = told_limit(&service.limited_status().await).unwrap();
    assert_eq!((limit, left), (10, 9));
    assert!((MINUTE_MILLIS - 5000..=MINUTE_MILLIS).contains(&reset), "{reset}");
}

#[tokio::test]
async fn two_services_count_for_themselves() {
    let (workspace, service) = limited().await;
    workspace.limit_calls(1, 60_000).await;
    let second = workspace.serve().await;
    for service in [&service, &second] {
        assert_eq!(service.limited_status().await.status, 200);
        assert_eq!(service.limited_status().await.status, 429);
    }
}

#[tokio::test]
async fn of_calls_at_the_same_time_no_more_than_the_limit_are_let_through() {
    let (workspace, service) = limited().await;
    workspace.limit_calls(7, 60_000).await;
    let answers = join_all((0..40).map(|_| service.limited_status())).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(served, 7);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 33);
}

#[tokio::test]
async fn however_many_call_the_settings_are_read_once_a_second() {
    let (workspace, service) = limited().await;
    service.status().await;
    // The database notes every command from here on.
    workspace.database.run_command(doc! { "profile": 2 }).await.unwrap();
    let started = Instant::now();
    for _ in 0..50 {
        join_all((0..8).map(|_| service.status())).await;
    }
    let seconds = started.elapsed().as_secs();
    workspace.database.run_command(doc! { "profile": 0 }).await.unwrap();
    let noted = async |collection: &str| {
        let namespace = format!("{}.{collection}", workspace.database.name());
        workspace.collection("system.profile").count_documents(doc! { "ns": namespace, "op": "query" }).await.unwrap()
    };
    let (settings, users) = (noted("rocketchat_settings").await, noted("users").await);
    // Two in a row when calls come while one is on its way.
    assert!(settings <= 2 * (seconds + 1), "{settings} in {seconds} s");
    assert!(users >= 50, "who is calling is read anew: {users}");
}

#[tokio::test]
async fn a_stream_counts_once_when_it_is_opened_however_long_it_lasts() {
    let (workspace, service) = limited().await;
    workspace.add_operation(operation("one")).await;
    workspace.limit_calls(1, 60_000).await;
    let mut events = service.follow(LIMITED.0, LIMITED.1, None).await;
    assert_eq!(events.header("x-ratelimit-remaining"), Some("0"));
    events.next().await;
    let opened = Instant::now();
    assert_eq!(call(&service, Method::GET, STREAM).await.status, 429);
    assert_eq!(service.limited_status().await.status, 200, "it is an endpoint of its own");
    let mut completed = 0_u32;
    let mut steps = tokio::time::interval(Duration::from_millis(200));
    while opened.elapsed() < LOOKED_AT_AGAIN + Duration::from_secs(1) {
        steps.tick().await;
        completed += 1;
        workspace.update("rocketchat_import", "one", doc! { "$set": { "count.completed": completed } }).await;
        events.until(|event| event.count("completed") == u64::from(completed)).await;
    }
    assert_eq!(call(&service, Method::GET, STREAM).await.status, 429, "nor does a window end early");
}
