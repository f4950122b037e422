//! The service gets a signal to stop while clients send it one request after the other.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

use crate::{harness::staged_users, replica_set::ReplicaSet, report::Row};

const CONNECTIONS: usize = 32;
/// Of these so many add users; the others poll.
const ADDERS: usize = 8;
/// Users of one `import.addUsers`.
const USERS_A_CALL: usize = 5;
/// How long the load goes on before the service gets the signal to stop.
const WARM_UP: Duration = Duration::from_millis(1500);
/// In which it has to end.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// What became of the requests on one connection.
#[derive(Default)]
struct Outcome {
    answered: usize,
    /// Not served: the connection was closed without a byte.
    closed: usize,
    wrong: Vec<String>,
    /// The first of the users of each call that was answered with success, and of each that was not answered.
    added: Vec<usize>,
    unknown: Vec<usize>,
}

/// Sends requests on one connection until it is closed.
async fn drive(address: String, adds: bool, next_user: Arc<AtomicUsize>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    loop {
        let first = if adds { next_user.fetch_add(USERS_A_CALL, Ordering::Relaxed) } else { 0 };
        if stream.write_all(&request(adds.then_some(first))).await.is_err() {
            outcome.unknown.extend(adds.then_some(first));
            return outcome;
        }
        match read_answer(&mut stream).await {
            Ok(Some((200, _))) => {
                outcome.answered += 1;
                outcome.added.extend(adds.then_some(first));
            }
            // There is no place for it, or its body did not make it.
            Ok(Some((503 | 408, _))) => {
                outcome.answered += 1;
                outcome.unknown.extend(adds.then_some(first));
            }
            Ok(Some((status, body))) => outcome.wrong.push(format!("{status}: {body}")),
            Ok(None) => {
                outcome.closed += 1;
                outcome.unknown.extend(adds.then_some(first));
                return outcome;
            }
            Err(cut_off) => {
                outcome.wrong.push(format!("half an answer: {cut_off}"));
                return outcome;
            }
        }
    }
}

fn request(add_from: Option<usize>) -> Vec<u8> {
    let login = "Host: chat\r\nX-User-Id: admin\r\nX-Auth-Token: admin-token\r\n";
    let Some(first) = add_from else {
        return format!("GET /api/v1/import.status HTTP/1.1\r\n{login}\r\n").into_bytes();
    };
    let body = json!({ "users": staged_users(first..first + USERS_A_CALL) }).to_string();
    let framing = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    format!("POST /api/v1/import.addUsers HTTP/1.1\r\n{login}{framing}\r\n{body}").into_bytes()
}

/// One whole answer; `None` if the connection was closed before its first byte, an error if it was after.
async fn read_answer(stream: &mut TcpStream) -> Result<Option<(u16, String)>, String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = whole_answer(&bytes) {
            return Ok(Some(answer));
        }
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap_or(0);
        if read == 0 {
            return if bytes.is_empty() { Ok(None) } else { Err(String::from_utf8_lossy(&bytes).into_owned()) };
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn whole_answer(bytes: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let length: usize = head.split_once("content-length: ")?.1.lines().next()?.parse().ok()?;
    (body.len() == length).then(|| (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_told_to_stop_under_load_loses_no_request_it_answered() {
    let set = ReplicaSet::of_three().await;
    let workspace = set.workspace().await;
    let mut service = workspace.serve().await;
    service.ready().await;
    service.new_import().await;
    let next_user = Arc::new(AtomicUsize::new(0));
    let address = service.address.trim_start_matches("http://").to_owned();
    let clients = (0..CONNECTIONS)
        .map(|number| tokio::spawn(drive(address.clone(), number < ADDERS, Arc::clone(&next_user))))
        .collect::<Vec<_>>();
    sleep(WARM_UP).await;
    let told = Instant::now();
    service.signal(Signal::SIGTERM);
    let code = service.ended().await.code();
    let took = told.elapsed();
    let outcomes: Vec<Outcome> = join_all(clients).await.into_iter().map(Result::unwrap).collect();

    let staged: Vec<usize> = workspace.staged_data().await.iter().map(number_of).collect();
    let there: BTreeSet<usize> = staged.iter().copied().collect();
    let is_there = |first: usize| (first..first + USERS_A_CALL).filter(|user| there.contains(user)).count();
    let all = |list: fn(&Outcome) -> &Vec<usize>| outcomes.iter().flat_map(list).copied().collect::<Vec<usize>>();
    let (added, unknown) = (all(|outcome| &outcome.added), all(|outcome| &outcome.unknown));
    let mut wrong: Vec<String> = outcomes.iter().flat_map(|outcome| outcome.wrong.clone()).collect();
    wrong.extend(
        unknown
            .iter()
            .map(|first| is_there(*first))
            .filter(|there| ![0, USERS_A_CALL].contains(there))
            .map(|there| format!("{there} of {USERS_A_CALL} users of one call")),
    );
    let row = Row {
        fault: "`SIGTERM` under load: 32 connections, time until the end",
        users: (added.len() * USERS_A_CALL) as u64,
        lost: added.iter().map(|first| USERS_A_CALL - is_there(*first)).sum(),
        doubled: staged.len() - there.len(),
        answers: outcomes.iter().map(|outcome| outcome.answered).sum(),
        unavailable: outcomes.iter().map(|outcome| outcome.closed).sum(),
        wrong: wrong.len(),
        told_again: Some(took),
        goes_on: None,
    };
    row.tell();
    assert_eq!(wrong, [""; 0]);
    assert_eq!((row.lost, row.doubled, code), (0, 0, Some(0)), "{row:?}");
    assert!(row.users > 20 && row.answers > 100, "not much of a load: {row:?}");
    assert!(took < END_PATIENCE, "{took:?}");
    assert_eq!(service.log_lines("panicked"), [""; 0]);
    let end = workspace.operations().await.remove(0);
    let counted: Value = bson::Bson::from(end.get_document("count").unwrap().clone()).into_relaxed_extjson();
    assert_eq!(counted["users"], json!(staged.len()), "what is counted is what is staged");
}

fn number_of(staged: &bson::Document) -> usize {
    staged.get_str("username").unwrap().trim_start_matches("user").parse().unwrap()
}
