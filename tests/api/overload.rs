//! More than can be done at once, and clients that take their time.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::harness::{Answer, Framing, Mongo, Service, Workspace, eventually, program, staged_users, workspace};

const OVERLOADED: &str = r#"{"success":false,"error":"The service has too much to do, please try again [error-service-overloaded]","errorType":"error-service-overloaded"}"#;
const STATUS: &str = "/api/v1/import.status";
const ADD_USERS: &str = "/api/v1/import.addUsers";
/// As many requests may be in work as the tests want, and so many more may wait for a moment.
const PLACES: usize = 4;
const WAITING: usize = 16 * PLACES;
/// Nobody waits for a place longer than half a second; the rest is for a machine that is busy.
const AT_ONCE: Duration = Duration::from_millis(400);
const AFTER_WAITING: Duration = Duration::from_secs(2);
/// In which a health check has to be answered, also while the database says nothing.
const HEALTH_BOUND: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(30);
const MIB: usize = 1024 * 1024;
/// The largest body, of which five have room.
const LARGE: usize = 50 * MIB;
const ROOM: usize = 256 * MIB;

/// The service over this workspace, that has few places.
async fn narrow(workspace: &Workspace) -> Service {
    let places = PLACES.to_string();
    let settings = [("MONGO_URL", workspace.url.as_str()), ("MAX_REQUESTS_IN_WORK", &places), ("METRICS_PORT", "0")];
    let service = Service::start(&settings).await;
    service.ready().await;
    service
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let outcome = work.await;
    (outcome, started.elapsed())
}

fn is_shed(answer: &Answer) -> bool {
    if answer.body != OVERLOADED {
        return false;
    }
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "as on every answer of the API");
    assert_eq!(answer.header("retry-after"), Some("1"));
    true
}

#[tokio::test]
async fn more_requests_than_can_be_in_work_are_refused_at_once_and_health_checks_are_not() {
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await;
    let service = narrow(&workspace).await;
    mongo.freeze();
    let surplus = 30;
    let requests = join_all((0..PLACES + WAITING + surplus).map(|_| timed(service.status())));
    let health = async {
        // Once the places are taken.
        eventually("somebody is refused", PATIENCE, || async { !service.log_lines("status=503").is_empty() }).await;
        tokio::join!(timed(service.get("/livez")), timed(service.get("/readyz")))
    };
    let (answers, ((live, live_took), (ready, ready_took))) = tokio::join!(requests, health);
    assert_eq!(live.told(), (200, r#"{"status":"ok"}"#));
    assert!(live_took < AT_ONCE, "{live_took:?}");
    assert_eq!(ready.json()["checks"]["mongodb"]["status"], "unavailable");
    assert!(ready_took < HEALTH_BOUND, "{ready_took:?}");

    let (shed, others): (Vec<_>, Vec<_>) = answers.iter().partition(|(answer, _)| is_shed(answer));
    assert_eq!(shed.len(), WAITING + surplus, "all but those that have a place");
    let at_once = shed.iter().filter(|(_, took)| *took < AT_ONCE).count();
    // All of them, on a machine that does nothing else meanwhile.
    assert!((surplus / 2..=surplus).contains(&at_once), "the surplus does not wait: {shed:?}");
    assert!(shed.iter().all(|(_, took)| *took < AFTER_WAITING), "{shed:?}");
    assert!(others.iter().all(|(answer, _)| answer.body.contains("error-database-unavailable")), "{others:?}");

    assert_eq!(service.metric(r#"http_requests_shed_total{what="request"}"#).await, WAITING + surplus);

    mongo.thaw();
    eventually("it is well again", PATIENCE, || async { service.status().await.status == 200 }).await;
    assert_eq!(service.get("/readyz").await.status, 200);
    let again = join_all((0..3 * PLACES).map(|_| service.status())).await;
    assert!(again.iter().all(|answer| answer.status == 200), "who waits for a moment is served: {again:?}");
}

#[tokio::test]
async fn the_health_check_does_not_wait_for_the_connections_the_work_is_done_on() {
    let workspace = workspace().await;
    // One connection for all requests, and a read on it that takes long.
    let url = format!("{}{}maxPoolSize=1", workspace.url, if workspace.url.contains('?') { '&' } else { '?' });
    let service = Service::start(&[("MONGO_URL", &url)]).await;
    service.ready().await;
    workspace.slow_down_logins(Duration::from_secs(3)).await;
    let slow = service.status();
    let health = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let (ready, took) = timed(service.get("/readyz")).await;
            assert_eq!(ready.status, 200);
            slowest = slowest.max(took);
        }
        slowest
    };
    let ((_, slow_took), slowest) = tokio::join!(timed(slow), health);
    assert!(slow_took > Duration::from_secs(2), "the request was slow: {slow_took:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

impl Workspace {
    /// Has every look-up of a user take this long.
    async fn slow_down_logins(&self, pause: Duration) {
        let users = self.collection("users");
        let administrator = users.find_one(bson::doc! {}).await.unwrap().unwrap();
        users.drop().await.unwrap();
        self.collection("accounts").insert_one(administrator).await.unwrap();
        let wait = format!("function() {{ sleep({}); return true; }}", pause.as_millis());
        let slow = bson::doc! {
            "create": "users",
            "viewOn": "accounts",
            "pipeline": [{ "$match": { "$expr": { "$function": { "body": wait, "args": [], "lang": "js" } } } }],
        };
        self.database.run_command(slow).await.unwrap();
    }
}

/// One request after the other over one connection.
struct Connection(TcpStream);

impl Connection {
    async fn to(service: &Service) -> Self {
        Self(service.connect().await.unwrap())
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The status line and the fields, and the body, of an answer of a stated length.
    async fn receive(&mut self) -> (String, String) {
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n\r\n") {
            received.push(self.0.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(received).unwrap().to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ").unwrap();
        let mut body = vec![0; length.split_once("\r\n").unwrap().0.parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        matches!(timeout(PATIENCE, self.0.read_to_end(&mut rest)).await, Ok(Ok(0) | Err(_)))
    }
}

fn head(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: chat\r\nX-User-Id: admin\r\nX-Auth-Token: admin-token\r\n{more}\r\n")
}

#[tokio::test]
async fn a_connection_goes_on_after_a_refusal_and_one_with_an_unread_body_is_answered_and_closed() {
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await;
    let service = narrow(&workspace).await;
    mongo.freeze();
    let mut polling = Connection::to(&service).await;
    let mut posting = Connection::to(&service).await;
    let enough = join_all((0..PLACES + WAITING).map(|_| service.status()));
    let shed = async {
        service.is_full().await;
        polling.send(&head("GET", STATUS, "")).await;
        let (answer, body) = polling.receive().await;
        assert_eq!(body, OVERLOADED);
        assert!(!answer.contains("connection: close"), "{answer}");
        posting.send(&head("POST", ADD_USERS, &format!("Content-Length: {LARGE}\r\n"))).await;
        let (answer, body) = posting.receive().await;
        assert_eq!(body, OVERLOADED);
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(posting.is_closed().await);
        polling
    };
    let (_, mut polling) = tokio::join!(enough, shed);
    mongo.thaw();
    eventually("it is well again", PATIENCE, || async { service.status().await.status == 200 }).await;
    polling.send(&head("GET", STATUS, "")).await;
    let (answer, body) = polling.receive().await;
    assert_eq!(body, r#"{"state":"none","success":true}"#, "over the same connection: {answer}");
}

impl Service {
    /// What the metrics say.
    async fn metric(&self, name: &str) -> usize {
        let line = self.logged("metrics at ").await;
        let address = line.split_once("metrics at ").unwrap().1.trim_end_matches('"');
        let text = reqwest::get(address).await.unwrap().text().await.unwrap();
        let name = format!("rocketchat_import_{name} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name));
        value.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
    }

    /// Waits until all places are taken.
    async fn is_full(&self) {
        eventually("somebody is refused", PATIENCE, || async { self.status().await.body == OVERLOADED }).await;
    }

    /// How many connections it has accepted and not closed.
    fn connections(&self) -> usize {
        let port: u16 = self.address.rsplit_once(':').unwrap().1.parse().unwrap();
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let of_ours = |line: &&str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let established = fields.get(3) == Some(&"01");
            // One that was closed has no inode any more.
            established && fields[1].ends_with(&format!(":{port:04X}")) && fields.get(9) != Some(&"0")
        };
        table.lines().filter(of_ours).count()
    }

    fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }
}

/// An upload that has been sent but for its last byte.
async fn all_but_the_last_byte(service: &Service, length: usize) -> Option<Connection> {
    let mut connection = Connection::to(service).await;
    let fields = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
    connection.send(&head("POST", ADD_USERS, &fields)).await;
    let piece = vec![b' '; MIB];
    let mut left = length - 1;
    while left > 0 {
        let piece = &piece[..piece.len().min(left)];
        // A refused upload is cut.
        connection.0.write_all(piece).await.ok()?;
        left -= piece.len();
    }
    Some(connection)
}

#[tokio::test]
async fn more_large_bodies_than_there_is_memory_for_are_refused_and_memory_stays_bounded() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    service.ready().await;
    let before = service.memory();
    let uploads: Vec<_> = join_all((0..ROOM / LARGE).map(|_| all_but_the_last_byte(&service, LARGE))).await;
    let least = ROOM / LARGE * LARGE * 9 / 10;
    eventually("the bodies are held", PATIENCE, || async { service.memory() > before + least }).await;

    for framing in [Framing::ContentLength, Framing::Chunked] {
        for _ in 0..8 {
            let refused = service.post_of_length(("admin", "admin-token"), ADD_USERS, LARGE, framing).await;
            let (fields, body) = refused.split_once("\r\n\r\n").unwrap();
            assert!(fields.starts_with("HTTP/1.1 503 "), "{framing:?}: {fields}");
            assert!(fields.contains("retry-after: 5"), "{framing:?}: {fields}");
            assert_eq!(body, OVERLOADED, "{framing:?}");
        }
    }
    let most = service.memory();
    assert!(most < before + ROOM + 64 * MIB, "{} MiB", most / MIB);
    assert_eq!(service.status().await.status, 200, "who sends no body is served meanwhile");
    let small = service.post(ADD_USERS, &json!({ "users": [] })).await;
    assert_eq!(small.status, 200, "and a small body has room");

    for upload in uploads {
        let mut upload = upload.expect("an upload that has room is not cut");
        upload.send(" ").await;
        let (answer, body) = upload.receive().await;
        assert!(answer.starts_with("http/1.1 400"), "{answer}");
        assert!(body.contains("not valid JSON"), "{body}");
    }
    eventually("there is room again", PATIENCE, || async {
        let answer = service.post_of_length(("admin", "admin-token"), ADD_USERS, LARGE, Framing::ContentLength).await;
        answer.starts_with("HTTP/1.1 400")
    })
    .await;
    eventually("the memory is given back", PATIENCE, || async { service.memory() < before + 64 * MIB }).await;
}

#[tokio::test]
async fn an_upload_keeps_nobody_from_being_served() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = narrow(&workspace).await;
    service.new_import().await;
    let uploads = join_all((0..PLACES * 3).map(|_| all_but_the_last_byte(&service, 1000))).await;
    eventually("the uploads have begun", PATIENCE, || async {
        service.metric("http_request_bodies_bytes").await == PLACES * 3 * MIB
    })
    .await;
    assert_eq!(service.metric("http_requests_in_work").await, 0);
    for _ in 0..5 {
        assert_eq!(service.status().await.status, 200);
    }
    service.add_users(&staged_users(0..10)).await;
    drop(uploads);
    eventually("the room of who has gone is free", PATIENCE, || async {
        service.metric("http_request_bodies_bytes").await == 0
    })
    .await;
}

#[tokio::test]
async fn a_client_that_drips_its_head_is_cut() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let (mut reader, mut writer) = service.connect().await.unwrap().into_split();
    let drip = tokio::spawn(async move {
        let head = head("GET", STATUS, &format!("X-Long: {}\r\n", "x".repeat(1000)));
        for byte in head.bytes() {
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("it could send everything");
    });
    let mut answer = String::new();
    let (read, took) = timed(timeout(PATIENCE, reader.read_to_string(&mut answer))).await;
    read.expect("it is cut").ok();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(took < Duration::from_secs(8), "{took:?}");
    drip.await.unwrap();
    assert_eq!(service.status().await.status, 200);
}

#[tokio::test]
async fn a_client_that_drips_its_body_is_cut_and_told_so() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let mut connection = Connection::to(&service).await;
    let fields = "Content-Type: application/json\r\nContent-Length: 1000000\r\n";
    connection.send(&head("POST", ADD_USERS, fields)).await;
    let (mut reader, mut writer) = connection.0.into_split();
    let drip = tokio::spawn(async move {
        while writer.write_all(b" ").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    let mut answer = String::new();
    timeout(PATIENCE, reader.read_to_string(&mut answer)).await.expect("it is cut").ok();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#"{"success":false,"error":"The body did not come in time"}"#), "{answer}");
    drop(reader);
    drip.await.unwrap();
    assert_eq!(service.status().await.status, 200);
}

#[tokio::test]
async fn a_number_of_requests_that_is_none_ends_the_start() {
    for wrong in ["0", "-1", "many", "65536"] {
        let settings = [("MONGO_URL", "mongodb://127.0.0.1:1/x"), ("PORT", "0"), ("MAX_REQUESTS_IN_WORK", wrong)];
        let ended = crate::harness::run(&["serve"], &settings).await;
        assert_eq!((ended.code, ended.errors.lines().count()), (Some(2), 1), "{wrong}: {ended:?}");
        assert!(ended.errors.contains(wrong), "{ended:?}");
    }
}

/// The service over this workspace on a system that allows so few open files that it takes 200 connections.
async fn with_few_descriptors(workspace: &Workspace) -> Service {
    let served = program(&["serve"], &[("PORT", "0"), ("RUST_LOG", "info"), ("MONGO_URL", &workspace.url)]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 400 && exec \"$0\" \"$@\""]).arg(served.get_program()).args(served.get_args());
    limited.envs(served.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let service = Service::launch(limited).await;
    service.ready().await;
    service
}

/// A request with a body of unknown length, of which nothing comes.
fn silent(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: chat\r\nTransfer-Encoding: chunked\r\n\r\n")
}

#[tokio::test]
async fn silent_clients_that_take_all_connections_keep_nobody_out() {
    let workspace = workspace().await;
    let service = with_few_descriptors(&workspace).await;
    let mut clients = Vec::new();
    for number in 0..300 {
        let Ok(Ok(mut client)) = timeout(Duration::from_secs(1), service.connect()).await else { break };
        client.write_all(silent(["/livez", "/import"][number % 2]).as_bytes()).await.ok();
        clients.push(client);
    }
    // Over connections of their own: one that was idle may have been closed by now.
    let ask = async |path: &str| {
        let request = head("GET", path, "Connection: close\r\n");
        timeout(Duration::from_secs(10), service.send_raw(request.as_bytes())).await.unwrap_or_default()
    };
    for path in ["/livez", STATUS] {
        let answer = ask(path).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path} beside {} silent clients: {answer}", clients.len());
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_answered_and_its_connection_closed_wherever_it_is_sent() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let answers = join_all(["/livez", "/import", "/api-docs/json", "/nowhere", STATUS].map(async |path| {
        let mut connection = service.connect().await.unwrap();
        connection.write_all(silent(path).as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let closed = timeout(Duration::from_secs(20), connection.read_to_end(&mut answer)).await;
        (path, closed.is_ok(), String::from_utf8(answer).unwrap())
    }));
    for (path, closed, answer) in answers.await {
        assert!(closed, "{path} stays open: {answer}");
        assert!(answer.starts_with("HTTP/1.1 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_client_that_drips_a_later_head_is_cut_too() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let mut connection = Connection::to(&service).await;
    connection.send(&head("GET", "/livez", "")).await;
    connection.receive().await;
    connection.send("GET /livez HTTP/1.1\r\nX-Long: ").await;
    let (mut reader, mut writer) = connection.0.into_split();
    let drip = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(500)).await;
        }
    });
    let mut answer = String::new();
    let (cut, took) = timed(timeout(Duration::from_secs(60), reader.read_to_string(&mut answer))).await;
    assert!(cut.is_ok() && took < Duration::from_secs(45), "{took:?}: {answer}");
    drip.abort();
}

#[tokio::test]
async fn answers_that_nobody_reads_are_given_up_and_their_memory_with_them() {
    const ANSWERS: usize = 30;
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    service.ready().await;
    service.new_import().await;
    for thousand in 0..20 {
        service.add_users(&staged_users(thousand * 1000..(thousand + 1) * 1000)).await;
    }
    let path = "/api/v1/getImportFileData";
    let length = service.get_as_admin(path).await.body.len();
    assert!(length > 2 * MIB, "{length}");
    let before = service.memory();
    let mut clients = Vec::new();
    for _ in 0..ANSWERS {
        let mut connection = Connection::to(&service).await;
        connection.send(&head("GET", path, "")).await;
        // So that they are made one after the other.
        connection.0.readable().await.unwrap();
        clients.push(connection);
    }
    let held = service.memory().saturating_sub(before);
    assert!(held < 100 * MIB, "{} MiB for {ANSWERS} answers of {} KiB", held / MIB, length / 1024);
    eventually("the clients are cut", Duration::from_secs(120), async || service.connections() <= 2).await;
    assert_eq!(service.status().await.status, 200);
}
