//! Files from URLs, and of the server.

use bson::doc;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{FILES, count, newest, served_with, stored};
use crate::harness::{Answer, Service, Workspace};

const CONTENT: &str = "a file, as it is";

/// A server on loopback: `/redirect` leads to `/file.zip?token=secret`, everything else is not there.
async fn file_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = connection.read(&mut head).await.unwrap_or_default();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let answer = match head.split(' ').nth(1).unwrap_or_default() {
                "/redirect" => {
                    "HTTP/1.1 302 Found\r\nlocation: /file.zip?token=secret\r\ncontent-length: 0\r\n".to_owned()
                }
                "/elsewhere" => {
                    "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n".to_owned()
                }
                "/round" => "HTTP/1.1 302 Found\r\nlocation: /round\r\ncontent-length: 0\r\n".to_owned(),
                "/file.zip?token=secret" => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", CONTENT.len()),
                "/torn" => "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n".to_owned(),
                _ => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n".to_owned(),
            };
            let body = if answer.contains("200") { CONTENT } else { "" };
            let answer = format!("{answer}connection: close\r\n\r\n{body}");
            connection.write_all(answer.as_bytes()).await.ok();
        }
    });
    port
}

async fn download(service: &Service, url: &str) -> Answer {
    let body = json!({ "fileUrl": url, "importerKey": "slack" });
    service.post("/api/v1/downloadPublicImportFile", &body).await
}

async fn allow(workspace: &Workspace, list: &str) {
    let setting = doc! { "_id": "SSRF_Allowlist", "value": list };
    let settings = workspace.collection("rocketchat_settings");
    settings.replace_one(doc! { "_id": "SSRF_Allowlist" }, setting).upsert(true).await.unwrap();
}

#[tokio::test]
async fn a_url_is_fetched_through_redirects_where_the_allowlist_names_a_private_address() {
    let (workspace, service) = served_with(&[]).await;
    let port = file_server().await;
    let refused = download(&service, &format!("http://127.0.0.1:{port}/redirect")).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert!(refused.body.contains("SSRF_Allowlist"), "{}", refused.body);
    allow(&workspace, &format!("127.0.0.1:{port}")).await;
    for (path, told) in [
        ("elsewhere", "169.254.169.254 is not fetched from"),
        ("round", "redirects too often"),
        ("missing", "Unexpected response status 404"),
        ("torn", "The connection broke before the file was whole"),
    ] {
        let refused = download(&service, &format!("http://127.0.0.1:{port}/{path}")).await;
        assert!(refused.status == 400 && refused.body.contains(told), "{path}: {}", refused.body);
    }
    assert_eq!(count(&workspace, "rocketchat_import").await, 0);
    assert_eq!(count(&workspace, FILES).await, 0);

    let answer = download(&service, &format!("http://127.0.0.1:{port}/redirect?token=secret")).await;
    assert_eq!(answer.status, 400, "a query is part of the path: {}", answer.body);
    let answer = download(&service, &format!("http://127.0.0.1:{port}/redirect")).await;
    assert_eq!(answer.told(), (200, r#"{"success":true}"#));
    assert_eq!(stored(&workspace).await, CONTENT.as_bytes());
    let operation = newest(&workspace).await;
    assert!(operation.get_str("file").unwrap().ends_with("_admin_redirect"), "{operation}");
    assert!(!operation.contains_key("contentType"), "{operation}");
    assert_eq!(service.log_lines("secret"), [""; 0]);
}

#[tokio::test]
async fn a_file_of_the_server_is_read_where_it_is_and_only_below_the_folder_for_such_files() {
    let folder = tempfile::tempdir().unwrap();
    let imports = folder.path().join("imports");
    std::fs::create_dir(&imports).unwrap();
    std::fs::write(imports.join("export.zip"), CONTENT).unwrap();
    std::fs::write(folder.path().join("other"), CONTENT).unwrap();
    let (workspace, service) = served_with(&[("IMPORT_FOLDER", imports.to_str().unwrap())]).await;
    for (path, told) in [
        ("/etc/passwd", "not below IMPORT_FOLDER"),
        ("../other", "not below IMPORT_FOLDER"),
        (
            "none.zip",
            r#""error":"none.zip [error-import-file-missing]","errorType":"error-import-file-missing","details":"downloadPublicImportFile""#,
        ),
    ] {
        let refused = download(&service, path).await;
        assert!(refused.status == 400 && refused.body.contains(told), "{path}: {}", refused.body);
    }
    assert_eq!(count(&workspace, "rocketchat_import").await, 0);
    let path = imports.join("export.zip");
    assert_eq!(download(&service, path.to_str().unwrap()).await.told(), (200, r#"{"success":true}"#));
    let operation = newest(&workspace).await;
    let source = operation.get_document("import").unwrap().get_document("source").unwrap();
    assert_eq!(source, &doc! { "kind": "folder", "path": path.canonicalize().unwrap().to_str().unwrap() });
    assert_eq!(count(&workspace, FILES).await, 0);

    let (_workspace, service) = served_with(&[]).await;
    let refused = download(&service, path.to_str().unwrap()).await;
    assert!(refused.status == 400 && refused.body.contains("set IMPORT_FOLDER"), "{}", refused.body);
}
