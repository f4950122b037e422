//! The numbers for Prometheus.

use std::{collections::BTreeSet, time::Duration};

use prometheus_parse::{Scrape, Value};
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{Mongo, Service, Workspace, eventually, run, staged_users, user, workspace};

const DASHBOARD: &str = include_str!("../../deploy/grafana/rocketchat-import.json");
const ALERTS: &str = include_str!("../../deploy/prometheus/alerts.yml");
const DOCUMENTATION: &str = include_str!("../../docs/reference/metrics.md");
const TOLD_WITHIN: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);

/// The service over this workspace, with metrics.
async fn measured(workspace: &Workspace) -> Service {
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("METRICS_PORT", "0")]).await;
    service.ready().await;
    service
}

/// Where the metrics are.
async fn address(service: &Service) -> String {
    let line = service.logged("metrics at ").await;
    line.split_once("metrics at ").unwrap().1.trim_end_matches('"').to_owned()
}

pub struct Numbers {
    pub text: String,
    scrape: Scrape,
}

/// What the service says at this moment.
pub async fn numbers(service: &Service) -> Numbers {
    let response = reqwest::get(address(service).await).await.unwrap();
    assert_eq!(response.status(), 200);
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = response.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"));
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    Numbers { text, scrape }
}

impl Numbers {
    /// The sum over all samples of this name with these labels; `None` if there is none.
    fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let name = format!("rocketchat_import_{name}");
        let samples = self.scrape.samples.iter().filter(|sample| sample.metric == name);
        let matching =
            samples.filter(|sample| labels.iter().all(|(label, value)| sample.labels.get(label) == Some(value)));
        matching
            .map(|sample| match &sample.value {
                Value::Counter(number) | Value::Gauge(number) | Value::Untyped(number) => *number,
                other => panic!("{name}: {other:?}"),
            })
            .reduce(|sum, number| sum + number)
    }

    pub fn number(&self, name: &str) -> f64 {
        self.get(name, &[]).unwrap_or_else(|| panic!("{name} is missing: {}", self.text))
    }

    fn state(&self, state: &str) -> Option<f64> {
        self.get("operation_state", &[("state", state)])
    }

    /// The names of everything a query can ask for.
    fn names(&self) -> BTreeSet<&str> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split(['{', ' ']).next().unwrap()).collect()
    }
}

#[tokio::test]
async fn there_are_no_metrics_unless_they_are_wanted() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    service.ready().await;
    assert_eq!(service.log_lines("metrics at "), [""; 0]);
    assert_eq!(service.get("/metrics").await.status, 404);
    let measured = measured(&workspace).await;
    assert_eq!(measured.get("/metrics").await.status, 404, "on the port of the API there are none either");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_what_is_no_route_under_one_name() {
    let workspace = workspace().await;
    let service = measured(&workspace).await;
    for _ in 0..3 {
        service.status().await;
    }
    service.get("/api/v1/import.status").await;
    service.post("/api/v1/import.status", &json!({})).await;
    service.get("/a/path/with/a/t0ken").await;
    service.get("/api/v1/another").await;
    service.send(service.request("BREW".parse().unwrap(), "/api/v1/import.status")).await;
    let numbers = numbers(&service).await;
    for (method, route, status, count) in [
        ("GET", "/api/v1/import.status", "200", 3.0),
        ("GET", "/api/v1/import.status", "401", 1.0),
        ("POST", "/api/v1/import.status", "404", 1.0),
        ("GET", "other", "404", 2.0),
        ("other", "/api/v1/import.status", "404", 1.0),
    ] {
        let labels = [("method", method), ("route", route), ("status", status)];
        assert_eq!(numbers.get("http_requests_total", &labels), Some(count), "{labels:?}: {}", numbers.text);
        assert_eq!(numbers.get("http_request_duration_seconds_count", &labels), Some(count), "{labels:?}");
    }
    assert!(!numbers.text.contains("t0ken") && !numbers.text.contains("another"), "{}", numbers.text);
    assert!(numbers.number("http_requests_in_flight").abs() < f64::EPSILON);
}

#[tokio::test]
async fn an_import_moves_the_numbers_and_names_nobody() {
    let workspace = workspace().await.ready_for_imports().await;
    workspace.add_user(user("existing")).await;
    let service = measured(&workspace).await;
    let fresh = numbers(&service).await;
    assert_eq!((fresh.state("none"), fresh.state("importing")), (Some(1.0), Some(0.0)));
    assert_eq!(fresh.get("database_up", &[]), Some(1.0));

    let mut users = staged_users(0..2000);
    for user in users.iter_mut().take(120) {
        user["username"] = json!("existing");
    }
    service.stage(&users).await;
    let ready = numbers(&service).await;
    assert_eq!((ready.state("ready"), ready.get("operation_users", &[])), (Some(1.0), Some(2000.0)));

    service.run_import().await;
    let mut was_held = false;
    eventually("the metrics say done", PATIENCE, async || {
        let now = numbers(&service).await;
        was_held |= now.get("lease_held", &[]) == Some(1.0);
        now.state("done") == Some(1.0)
    })
    .await;
    assert!(was_held, "an import of 2,000 users takes longer than a scrape");
    eventually("the run is over", PATIENCE, async || numbers(&service).await.get("engine_runs", &[]) == Some(0.0))
        .await;
    let done = numbers(&service).await;
    for (name, expected) in [
        ("operation_users", 2000.0),
        ("operation_users_completed", 1880.0),
        ("operation_users_failed", 120.0),
        ("engine_users_imported_total", 1880.0),
        ("engine_users_failed_total", 120.0),
        ("engine_users_waiting", 0.0),
        ("engine_batches_in_flight", 0.0),
        ("lease_held", 0.0),
        ("mongodb_pool_checkouts_waiting", 0.0),
    ] {
        assert_eq!(done.get(name, &[]), Some(expected), "{name}: {}", done.text);
    }
    let inserts = done.get("mongodb_command_duration_seconds_count", &[("command", "insert")]);
    assert!(inserts.is_some_and(|inserts| inserts >= 4.0), "{inserts:?}");
    assert!(done.number("mongodb_pool_connections_open") >= 1.0);
    for secret in ["admin", "user7", "example.com", "existing", "64d5"] {
        assert!(!done.text.contains(secret), "{secret}: {}", done.text);
    }
}

#[tokio::test]
async fn a_database_that_says_nothing_is_told_in_time_and_nothing_old_is() {
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await;
    let service = measured(&workspace).await;
    assert_eq!(numbers(&service).await.get("database_up", &[]), Some(1.0));
    mongo.freeze();
    // Enough to use up every connection; the others give up waiting for one.
    futures::future::join_all((0..50).map(|_| service.status())).await;
    let frozen = timeout(TOLD_WITHIN, numbers(&service)).await.expect("an answer in time");
    assert_eq!(frozen.get("database_up", &[]), Some(0.0));
    assert_eq!((frozen.state("none"), frozen.get("lease_held", &[])), (None, None));
    assert!(frozen.number("mongodb_pool_checkouts_waiting") >= 1.0);
    mongo.thaw();
    eventually("it is well again", PATIENCE, async || {
        let numbers = numbers(&service).await;
        let idle = ["mongodb_pool_checkouts_waiting", "mongodb_pool_connections_in_use"];
        numbers.state("none") == Some(1.0) && idle.iter().all(|name| numbers.get(name, &[]) == Some(0.0))
    })
    .await;
}

#[tokio::test]
async fn a_metrics_port_that_is_taken_or_is_none_is_told_and_ends_the_start() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let port = service.address.rsplit_once(':').unwrap().1;
    for (wrong, code) in [(port, 1), ("many", 2), ("70000", 2)] {
        let settings = [("MONGO_URL", workspace.url.as_str()), ("PORT", "0"), ("METRICS_PORT", wrong)];
        let ended = run(&["serve"], &settings).await;
        assert_eq!((ended.code, ended.errors.lines().count()), (Some(code), 1), "{ended:?}");
        assert!(ended.errors.contains(wrong), "{ended:?}");
    }
}

#[tokio::test]
async fn the_metrics_end_with_the_service() {
    let workspace = workspace().await;
    let mut service = measured(&workspace).await;
    let address = address(&service).await;
    service.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(service.ended().await.code(), Some(0));
    assert!(reqwest::get(address).await.is_err());
}

/// Every name of a metric in `text`.
fn names_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| word.starts_with("rocketchat_import_") || word.starts_with("process_")).collect()
}

#[tokio::test]
async fn the_dashboard_the_alerts_and_the_documentation_name_what_there_is() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = measured(&workspace).await;
    service.stage(&staged_users(0..1)).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let numbers = numbers(&service).await;
    let exposed = numbers.names();
    for (file, text, least) in [("dashboard", DASHBOARD, 12), ("alerts", ALERTS, 5)] {
        let named = names_in(text);
        assert!(named.len() >= least, "{file}: {named:?}");
        assert_eq!(named.difference(&exposed).collect::<Vec<_>>(), [] as [&&str; 0], "{file}");
    }
    serde_json::from_str::<serde_json::Value>(DASHBOARD).unwrap();
    // The documentation names a histogram once.
    let parts = ["_bucket", "_sum", "_count"];
    let families: BTreeSet<&str> =
        exposed.iter().map(|name| parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name)).collect();
    let documented: BTreeSet<&str> = DOCUMENTATION
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    assert_eq!(documented, families);
}
