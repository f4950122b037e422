//! Files that do not come: each is named with its reason, and can be fetched later.

use super::*;

/// The outcome and the reason of each record of an operation, by message.
async fn outcomes(service: &Service, operation: &Value) -> std::collections::BTreeMap<String, (String, String)> {
    let id = operation["_id"].as_str().unwrap();
    let receipt = service.get_as_admin(&format!("/api/v1/import.receipt?operationId={id}&count=100")).await.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let records = receipt["records"].as_array().unwrap().iter();
    records.map(|record| (text(&record["_id"]), (text(&record["outcome"]), text(&record["reason"])))).collect()
}

fn note_of(message: &Document) -> String {
    let attachments = message.get_array("attachments").map(Vec::as_slice).unwrap_or_default();
    let note = attachments.iter().filter_map(Bson::as_document).find(|one| one.contains_key("importNote"));
    note.map(|note| note.get_str("text").unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_come_is_named_with_its_reason_and_can_be_fetched_later() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    workspace.set("FileUpload_MaxFileSize", 1_000_000).await;
    let content = noise(200_000, 7);
    let page = b"<!DOCTYPE html><html><body>Sign in to Slack</body></html>".to_vec();
    let cases = [
        ("gone", Reply::Status(404), "answered with status 404"),
        ("page", Reply::File("text/html; charset=utf-8", page.clone()), "a page in place of the file"),
        ("hidden-page", Reply::File("image/png", page), "a page in place of the file"),
        ("half", Reply::Half(content.clone()), "broke before the file was whole"),
        ("torn", Reply::TornChunks(content.clone()), "broke before the file was whole"),
        ("early", Reply::EndsEarly(content.clone()), "only 100000 of its 200000 bytes came"),
        (
            "inside",
            Reply::To("http://169.254.169.254/latest?t=xoxe-s3cret".to_owned()),
            "169.254.169.254 is not fetched from",
        ),
        ("round", Reply::To("/round".to_owned()), "redirects too often"),
        ("nowhere", Reply::Status(302), "redirects to nowhere"),
        ("large", Reply::Chunked("video/mp4", noise(1_200_000, 1)), "more than 1000000 bytes"),
    ];
    let mut messages: Vec<Document> = cases
        .iter()
        .map(|(name, reply, _)| {
            let url = server.put(&format!("/{name}"), reply.clone());
            waiting(name, "open", &url, &format!("{name}.bin"), 200_000)
        })
        .collect();
    messages.push(waiting("ftp", "open", "ftp://files.example/a", "ftp.bin", 5));
    let busy = server.put("/busy", Reply::BusyFor(2, content.clone()));
    messages.push(waiting("busy", "open", &busy, "busy.bin", 200_000));
    let total = messages.len() as u64;
    workspace.add_messages(messages).await;
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("RUST_LOG", "debug,mongodb=info")]).await;
    let operation = service.fetch_files(total).await;
    assert_eq!(
        (operation["count"]["completed"].as_u64(), operation["count"]["error"].as_u64()),
        (Some(1), Some(total - 1))
    );
    let found = outcomes(&service, &operation).await;
    for (name, _, reason) in &cases {
        let (outcome, told) = &found[*name];
        assert!(outcome == "failed" && told.contains(reason) && told.contains(name), "{name}: {outcome} {told}");
        let message = workspace.message_of(name).await;
        assert!(note_of(&message).contains(reason), "{name}: {message}");
        assert!(!message.contains_key("_hidden"), "{name}");
    }
    assert_eq!(found["busy"].0, "created", "429 twice, and then the file");
    assert_eq!(server.requests("/busy"), 3);
    assert_eq!(server.requests("/gone"), 2, "once more at the end");
    assert_eq!(server.requests("/large"), 1, "it does not get smaller");
    assert!(!workspace.message_of("gone").await.to_string().contains(TOKEN), "it is gone for good");
    assert_eq!(service.log_lines(TOKEN), [""; 0]);
    let id = operation["_id"].as_str().unwrap();
    let report = service.get_as_admin(&format!("/api/v1/import.report?operationId={id}")).await;
    assert!(!report.body.contains(TOKEN) && report.body.contains("status 404"), "{}", report.body);
    assert_eq!((workspace.count_of(UPLOADS).await, workspace.count_of("rocketchat_uploads.files").await), (1, 1));
    assert_eq!(workspace.count_of("rocketchat_uploads.chunks").await, 1, "nothing is left of those that broke off");

    // The link is mended, and another run fetches it.
    server.put("/half", Reply::File("application/pdf", content));
    let operation = service.fetch_files(total - 1).await;
    let found = outcomes(&service, &operation).await;
    assert_eq!(found["half"].0, "created");
    let message = workspace.message_of("half").await;
    assert_eq!((note_of(&message), message.get_array("attachments").unwrap().len()), (String::new(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_notes_a_message_stays_hidden_until_its_file_is_there() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let url = server.put("/gone", Reply::Status(410));
    workspace.add_messages(vec![waiting("m", "open", &url, "a.bin", 5)]).await;
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("MISSING_FILE_NOTES", "false")]).await;
    service.fetch_files(1).await;
    let message = workspace.message_of("m").await;
    assert!(message.get_bool("_hidden").unwrap() && !message.contains_key("attachments"), "{message}");
}

/// Addresses that lead into a network, however they are written.
const INSIDE: [&str; 34] = [
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
