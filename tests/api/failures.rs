//! What callers get while the database does not do its part, and from requests no client should send.

use std::time::Duration;

use bson::doc;
use futures::future::join_all;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

use crate::harness::{Answer, Mongo, Service, Workspace, eventually, hashed, user, workspace};

const UNAVAILABLE: &str = r#"{"success":false,"error":"The database cannot be reached, please try again [error-database-unavailable]","errorType":"error-database-unavailable"}"#;
const POLLERS: usize = 50;
/// The time in which an outage has to be reported.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
const RECOVERY_PATIENCE: Duration = Duration::from_secs(30);

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.told(), (503, UNAVAILABLE));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

/// Asks for everything while the database is away.
async fn assert_outage_is_told(service: &Service) {
    let polls = join_all((0..POLLERS).map(|_| service.status()));
    let health = async { tokio::join!(service.get("/livez"), service.get("/readyz")) };
    let (answers, (live, ready)) = timeout(TOLD_WITHIN, async { tokio::join!(polls, health) }).await.unwrap();
    answers.iter().for_each(assert_unavailable);
    assert_eq!(live.told(), (200, r#"{"status":"ok"}"#));
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["status"], "unavailable");
    assert_eq!(ready.json()["checks"]["mongodb"]["status"], "unavailable");
}

async fn assert_gets_well(service: &Service) {
    eventually("the service gets well", RECOVERY_PATIENCE, || async { service.status().await.status == 200 }).await;
    assert_eq!(service.get("/readyz").await.status, 200);
    for answer in join_all((0..POLLERS).map(|_| service.status())).await {
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn a_frozen_database_is_told_in_time_and_forgotten_once_it_is_back() {
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await;
    let service = workspace.serve().await;
    service.ready().await;
    for _ in 0..2 {
        mongo.freeze();
        assert_outage_is_told(&service).await;
        mongo.thaw();
        let t = std::time::Instant::now();
        assert_gets_well(&service).await;
        println!("RECOVERED {:?}", t.elapsed());
    }
}

#[tokio::test]
async fn a_database_without_a_primary_is_told_in_time_and_forgotten_once_it_has_one() {
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await;
    let service = workspace.serve().await;
    service.ready().await;
    let step_down = doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 0, "force": true };
    // Whether it says so before it closes its connections is up to the server.
    workspace.database.client().database("admin").run_command(step_down).await.ok();
    assert_outage_is_told(&service).await;
    assert_gets_well(&service).await;
}

#[tokio::test]
async fn a_service_that_starts_before_its_database_gets_ready_once_it_is_there() {
    let workspace = workspace().await;
    let real = workspace.database.client().database("admin").run_command(doc! { "hello": 1 }).await.unwrap();
    let real = real.get_str("me").unwrap().to_owned();
    // Bound but not listening: connections are refused, and nobody else can take the port meanwhile.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let url = format!("mongodb://{address}/{}?directConnection=true", workspace.database.name());

    let service = Service::start(&[("MONGO_URL", &url)]).await;
    assert_outage_is_told(&service).await;
    tokio::spawn(forward(socket.listen(64).unwrap(), real));
    service.ready().await;
    assert_gets_well(&service).await;
}

/// Lets every client of `listener` talk to `goal`.
async fn forward(listener: TcpListener, goal: String) {
    while let Ok((mut client, _)) = listener.accept().await {
        let goal = goal.clone();
        tokio::spawn(async move {
            let mut server = TcpStream::connect(goal).await.unwrap();
            copy_bidirectional(&mut client, &mut server).await.ok();
        });
    }
}

#[tokio::test]
async fn an_empty_database_tells_everybody_to_log_in() {
    let workspace = Workspace::empty_on(Mongo::shared()).await;
    let service = workspace.serve().await;
    assert_eq!(service.status().await.status, 401);
    service.ready().await;
    assert_eq!(service.status().await.status, 401, "also once the indexes are there");
}

#[tokio::test]
async fn a_database_that_refuses_is_told_by_the_name_of_its_error_alone() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    workspace.collection("users").drop().await.unwrap();
    // A view that fails as soon as it is read: in its own words the server quotes what it was asked for.
    let administrator = user("admin").admin().with_token("admin-token").with("one", 1).document();
    workspace.collection("accounts").insert_one(administrator).await.unwrap();
    let broken = doc! {
        "create": "users",
        "viewOn": "accounts",
        "pipeline": [{ "$addFields": { "roles": { "$divide": ["$one", 0] } } }],
    };
    workspace.database.run_command(broken).await.unwrap();
    let answer = service.status().await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(error.starts_with("the database refused: "), "{error}");
    let told = [error].into_iter().chain(service.log_lines("")).collect::<String>();
    assert!(!told.contains(&hashed("admin-token")), "{told}");
}

/// A request as the administrator of a workspace, with `more` header lines.
fn status_request(more: &[u8]) -> Vec<u8> {
    [
        b"GET /api/v1/import.status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-User-Id: admin\r\n\
          X-Auth-Token: admin-token\r\n",
        more,
        b"\r\n",
    ]
    .concat()
}

fn status_of(answer: &str) -> u16 {
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    status.and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no HTTP answer: {answer:?}"))
}

#[tokio::test]
async fn headers_that_cannot_be_taken_are_refused_and_the_service_goes_on() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let large = format!("X-Large: {}\r\n", "x".repeat(1_000_000));
    let endless_token = format!("X-Auth-Token: {}\r\n", "x".repeat(1_000_000));
    let many = (0..200).map(|number| format!("X-Many-{number}: {number}\r\n")).collect::<Vec<_>>().concat();
    for (what, more) in [
        ("a large header", large.as_bytes()),
        ("a large token", endless_token.as_bytes()),
        ("many headers", many.as_bytes()),
        ("a NUL", b"X-Odd: a\0b\r\n"),
        ("a control character in a name", b"X\x01Odd: a\r\n"),
        ("a bare line", b"no colon\r\n"),
        ("binary data", b"\xff\xfe\x80\x00\r\n"),
    ] {
        let answer = service.send_raw(&status_request(more)).await;
        assert!((400..500).contains(&status_of(&answer)), "{what}: {answer}");
        assert_eq!(status_of(&service.send_raw(&status_request(b"")).await), 200, "after {what}");
    }
    assert_eq!(service.log_lines("panicked"), [""; 0]);
}

#[tokio::test]
async fn bytes_that_are_no_http_are_refused_and_the_service_goes_on() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for request in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n"] {
        let answer = service.send_raw(request).await;
        assert_eq!(status_of(&answer), 400, "{request:?}");
    }
    assert_eq!(service.status().await.status, 200);
}
