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
