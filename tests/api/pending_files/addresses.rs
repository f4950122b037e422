//! Addresses that lead into the network of the service, and the names that lead to them.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use super::*;

/// Addresses that lead into a network, however they are written.
const INSIDE: [&str; 40] = [
    "http://127.0.0.1/a",
    "http://127.0.0.1:PORT/a",
    "http://127.1:PORT/a",
    "http://2130706433:PORT/a",
    "http://0x7f000001:PORT/a",
    "http://0177.0.0.1:PORT/a",
    "http://0x7f.1:PORT/a",
    "http://127.0.0.1.:PORT/a",
    "http://user:word@127.0.0.1:PORT/a",
    "http://localhost:PORT/a",
    "http://LOCALHOST:PORT/a",
    "http://localhost.:PORT/a",
    "http://[::1]:PORT/a",
    "http://[::]:PORT/a",
    "http://0.0.0.0:PORT/a",
    "http://0:PORT/a",
    "http://[::ffff:127.0.0.1]:PORT/a",
    "http://[::ffff:7f00:1]:PORT/a",
    "http://[::127.0.0.1]:PORT/a",
    "http://[64:ff9b::7f00:1]:PORT/a",
    "http://[2002:7f00:1::]:PORT/a",
    "http://10.0.0.1/a",
    "http://172.16.0.1/a",
    "http://192.168.1.1/a",
    "http://169.254.169.254/latest/meta-data",
    "http://[fe80::1]/a",
    "http://[fd00::1]/a",
    "http://100.64.0.1/a",
    "http://198.18.0.1/a",
    "http://224.0.0.1/a",
    "http://255.255.255.255/a",
    "http://①②⑦.⓪.⓪.①:PORT/a",
    "http://[0:0:0:0:0:ffff:7f00:0001]:PORT/a",
    "http://017700000001:PORT/a",
    "http://127.0.0.1%2F@127.0.0.1:PORT/a",
    r"http:\\127.0.0.1:PORT\a",
    "http://[fe80::1%25lo]:PORT/a",
    "http://100.100.100.200/latest/meta-data",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/a",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_address_inside_a_network_is_fetched_unless_the_allowlist_names_it() {
    let server = FileServer::start().await;
    let other = FileServer::start().await;
    let workspace = workspace_for(&other).await;
    server.put("/a", Reply::File("text/plain", b"inside".to_vec()));
    let mut messages = Vec::new();
    for (number, address) in INSIDE.iter().enumerate() {
        let address = address.replace("PORT", &server.port.to_string());
        messages.push(waiting(&format!("direct{number}"), "open", &address, &format!("d{number}.txt"), 6));
        let redirected = other.put(&format!("/to{number}"), Reply::To(address));
        messages.push(waiting(&format!("redirected{number}"), "open", &redirected, &format!("r{number}.txt"), 6));
    }
    let total = messages.len() as u64;
    workspace.add_messages(messages).await;
    let service = workspace.serve().await;
    let operation = service.fetch_files(total).await;
    assert_eq!(operation["count"]["error"], total, "{}", operation["count"]);
    assert_eq!(server.requests("/a"), 0);
    assert_eq!(workspace.count_of(UPLOADS).await, 0);

    workspace.set("SSRF_Allowlist", format!("127.0.0.1:{0},127.0.0.1:{1}", server.port, other.port)).await;
    let operation = service.fetch_files(total).await;
    assert!(operation["count"]["completed"].as_u64().unwrap() > 10, "{}", operation["count"]);
    assert!(server.requests("/a") > 10);
}

/// A name server whose zone is its argument: for each name, the answers to its questions one after the other.
const NAME_SERVER: &str = "
import sys, json, time
from dnslib import RR, QTYPE, A, AAAA, CNAME
from dnslib.server import DNSServer, BaseResolver
DATA = {'A': A, 'AAAA': AAAA, 'CNAME': CNAME}
zone, asked = json.loads(sys.argv[1]), {}
class Zone(BaseResolver):
    def resolve(self, request, handler):
        reply, name = request.reply(), str(request.q.qname).lower()
        kind = QTYPE[request.q.qtype]
        answers = zone.get(name, [[]])
        nth = asked.get((name, kind), 0)
        asked[name, kind] = nth + 1
        for owner, wanted, data in answers[min(nth, len(answers) - 1)]:
            if wanted in (kind, 'CNAME'):
                reply.add_answer(RR(owner, getattr(QTYPE, wanted), rdata=DATA[wanted](data), ttl=0))
        return reply
server = DNSServer(Zone(), address='127.0.0.1', port=0)
server.start_thread()
print(server.server.server_address[1], flush=True)
sys.stdout = sys.stderr
time.sleep(600)
";

struct NameServer {
    process: Child,
    address: String,
}

impl NameServer {
    fn start(zone: &Value) -> Self {
        let python = std::env::var(FETCHING_PYTHON).expect("FETCHING_PYTHON names a Python with dnslib and pymongo");
        let mut process = Command::new(python)
            .args(["-c", NAME_SERVER, &zone.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, address: format!("127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Names that lead inside, each by another way, with the records of their answer.
fn names_that_lead_inside() -> Vec<(&'static str, Value)> {
    vec![
        ("private.example", json!([["private.example.", "A", "127.0.0.1"]])),
        ("ten.example", json!([["ten.example.", "A", "10.1.2.3"]])),
        ("link-local.example", json!([["link-local.example.", "A", "169.254.169.254"]])),
        ("six.example", json!([["six.example.", "AAAA", "::1"]])),
        ("link-local-six.example", json!([["link-local-six.example.", "AAAA", "fe80::1"]])),
        ("mapped.example", json!([["mapped.example.", "AAAA", "::ffff:7f00:1"]])),
        ("translated.example", json!([["translated.example.", "AAAA", "64:ff9b::7f00:1"]])),
        (
            "alias.example",
            json!([["alias.example.", "CNAME", "private.example."], ["private.example.", "A", "127.0.0.1"]]),
        ),
        (
            "several.example",
            json!([["several.example.", "A", "93.184.215.14"], ["several.example.", "A", "127.0.0.1"]]),
        ),
        (
            "both-kinds.example",
            json!([["both-kinds.example.", "A", "93.184.215.14"], ["both-kinds.example.", "AAAA", "::1"]]),
        ),
    ]
}

fn zone(names: &[(&str, Vec<Value>)]) -> Value {
    let zone = names.iter().map(|(name, answers)| (format!("{name}."), json!(answers)));
    Value::Object(zone.collect())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with dnslib: FETCHING_PYTHON names it"]
async fn no_name_that_leads_inside_a_network_is_fetched_unless_the_allowlist_names_it() {
    let server = FileServer::start().await;
    let other = FileServer::start().await;
    let workspace = workspace_for(&other).await;
    server.put("/a", Reply::File("text/plain", b"inside".to_vec()));
    let names = names_that_lead_inside();
    let answers: Vec<(&str, Vec<Value>)> = names.iter().map(|(name, records)| (*name, vec![records.clone()])).collect();
    let name_server = NameServer::start(&zone(&answers));
    let mut messages = Vec::new();
    for (name, _) in &names {
        let address = format!("http://{name}:{}/a", server.port);
        messages.push(waiting(&format!("direct {name}"), "open", &address, &format!("d-{name}.txt"), 6));
        let redirected = other.put(&format!("/to/{name}"), Reply::To(address));
        messages.push(waiting(&format!("redirected {name}"), "open", &redirected, &format!("r-{name}.txt"), 6));
    }
    let total = messages.len() as u64;
    workspace.add_messages(messages).await;
    let settings = [("MONGO_URL", workspace.url.as_str()), ("DNS_SERVERS", &name_server.address)];
    let service = Service::start(&settings).await;
    let operation = service.fetch_files(total).await;
    assert_eq!(operation["count"]["error"], total, "{}", operation["count"]);
    for (name, _) in &names {
        for way in ["direct", "redirected"] {
            let message = workspace.message_of(&format!("{way} {name}")).await.to_string();
            assert!(message.contains(&format!("{name} is not fetched from: it is a private address")), "{message}");
        }
    }
    assert_eq!((server.requests("/a"), workspace.count_of(UPLOADS).await), (0, 0));
    // The same setting for the file of an import.
    let import = json!({ "fileUrl": format!("http://alias.example:{}/a", server.port), "importerKey": "slack" });
    let refused = service.post("/api/v1/downloadPublicImportFile", &import).await;
    assert!(refused.body.contains("alias.example is not fetched from"), "{}", refused.body);

    let list = format!("127.0.0.1:{},private.example,alias.example:{}", other.port, server.port);
    workspace.set("SSRF_Allowlist", list).await;
    let operation = service.fetch_files(total).await;
    assert_eq!(operation["count"]["completed"], 4, "{}", operation["count"]);
    for name in ["private.example", "alias.example"] {
        for way in ["direct", "redirected"] {
            let upload = workspace.upload_of(&format!("{way} {name}")).await;
            assert_eq!(workspace.bytes_of(upload.get_str("_id").unwrap()).await, b"inside");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with dnslib: FETCHING_PYTHON names it"]
async fn a_name_that_leads_elsewhere_the_second_time_is_fetched_from_where_it_was_looked_at() {
    // The second address of loopback stands for one outside: the list allows it, and not the first one.
    let outside = FileServer::at("127.0.0.2:0").await;
    let inside = FileServer::at(&format!("127.0.0.1:{}", outside.port)).await;
    let workspace = workspace_for(&outside).await;
    workspace.set("SSRF_Allowlist", "127.0.0.2").await;
    outside.put("/a", Reply::File("text/plain", b"outside".to_vec()));
    outside.put("/b", Reply::To("/c".to_owned()));
    outside.put("/c", Reply::File("text/plain", b"outside".to_vec()));
    for path in ["/a", "/b", "/c", "/d"] {
        inside.put(path, Reply::File("text/plain", b"inside".to_vec()));
    }
    let records = |address: &str| json!([["turning.example.", "A", address]]);
    let name_server =
        NameServer::start(&zone(&[("turning.example", vec![records("127.0.0.2"), records("127.0.0.1")])]));
    let url = |path: &str| format!("http://turning.example:{}{path}", outside.port);
    let message = |path: &str| waiting(path, "open", &url(path), &format!("{}.txt", &path[1..]), 7);
    workspace.add_messages(vec![message("/a"), message("/b")]).await;
    let settings =
        [("MONGO_URL", workspace.url.as_str()), ("DNS_SERVERS", &name_server.address), ("DOWNLOADS_AT_ONCE", "1")];
    let service = Service::start(&settings).await;
    let operation = service.fetch_files(2).await;
    assert_eq!(operation["count"]["completed"], 2, "{}", operation["count"]);
    for path in ["/a", "/b"] {
        let upload = workspace.upload_of(path).await;
        assert_eq!(workspace.bytes_of(upload.get_str("_id").unwrap()).await, b"outside", "{path}");
    }
    // Another operation resolves the name anew, and sees where it leads by now.
    workspace.add_messages(vec![message("/d")]).await;
    let operation = service.fetch_files(1).await;
    assert_eq!(operation["count"]["error"], 1, "{}", operation["count"]);
    let requests: usize = ["/a", "/b", "/c", "/d"].iter().map(|path| inside.requests(path)).sum();
    assert_eq!(requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_resolved_by_the_named_servers_and_no_others() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    workspace.set("SSRF_Allowlist", "localhost.example,127.0.0.1").await;
    // Nothing listens there, and the machine's own servers are left alone.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    silent.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let message = waiting("m", "open", "http://www.rocket.chat/a", "a.txt", 1);
    workspace.add_messages(vec![message]).await;
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("DNS_SERVERS", &address)]).await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    let mut question = [0; 512];
    let (length, _) = tokio::task::spawn_blocking(move || silent.recv_from(&mut question).map(|got| (got.0, question)))
        .await
        .unwrap()
        .unwrap();
    assert!(length > 12, "a question arrives at the server of the setting");
    service.wait_for_state("done").await;
    let note = workspace.message_of("m").await.to_string();
    assert!(note.contains("www.rocket.chat was not found"), "{note}");
}

#[tokio::test]
async fn a_name_server_that_is_no_address_stops_the_start() {
    let finished = run(&["serve", "--dns-servers", "dns.corp"], &[("MONGO_URL", "mongodb://127.0.0.1:1/a")]).await;
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.errors.contains("`dns.corp` is not the address of a name server"), "{finished:?}");
}
