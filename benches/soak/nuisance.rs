//! Those who do it wrong.

use std::time::Duration;

use reqwest::Method;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::sleep};

use crate::client::Client;

const STATUS: &str = "/api/v1/import.status";
const ADD_USERS: &str = "/api/v1/import.addUsers";
const PAUSE: Duration = Duration::from_millis(100);
/// How long one listens before he goes away.
const HELD: Duration = Duration::from_millis(20);

/// Requests that are to be refused, each in its own way.
pub async fn be_refused(client: Client) {
    let large = "x".repeat(1_000_000);
    loop {
        let wrong_token =
            client.anonymous(Method::GET, STATUS).header("X-User-Id", "admin").header("X-Auth-Token", "no");
        client.expect("a wrong token", 401, wrong_token).await;
        client.expect("no login", 401, client.anonymous(Method::GET, STATUS)).await;
        let broken = client.request(Method::POST, ADD_USERS).header("Content-Type", "application/json");
        client.expect("a body that is no JSON", 400, broken.body(r#"{"users":["#)).await;
        let wrong = client.request(Method::POST, ADD_USERS).header("Content-Type", "application/json");
        client.expect("a body of another shape", 400, wrong.body(r#"{"users":[{"emails":"x"}]}"#)).await;
        client.expect("a wrong query", 400, client.request(Method::GET, "/api/v1/import.errors?count=-1")).await;
        client.expect("a path that is none", 404, client.request(Method::GET, "/api/v1/import.nothing")).await;
        client.expect("a method that is not for it", 404, client.request(Method::DELETE, STATUS)).await;
        client.expect("a large head", 431, client.request(Method::GET, STATUS).header("X-Large", &large)).await;
        sleep(PAUSE).await;
    }
}

/// Connects, says something or nothing, and is gone before it is answered.
pub async fn go_away(host: String, (id, token): (String, String)) {
    let login = format!("Host: x\r\nX-User-Id: {id}\r\nX-Auth-Token: {token}\r\n");
    let beginnings = [
        String::new(),
        "GET /api/v1/import.st".to_owned(),
        format!("GET {STATUS} HTTP/1.1\r\n{login}\r\n"),
        format!(
            "POST {ADD_USERS} HTTP/1.1\r\n{login}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{"
        ),
        format!("POST {ADD_USERS} HTTP/1.1\r\n{login}Transfer-Encoding: chunked\r\n\r\n10\r\n{{"),
        "\0\0\0\0\r\n\r\n".to_owned(),
    ];
    loop {
        for beginning in &beginnings {
            if let Ok(mut connection) = TcpStream::connect(&host).await {
                connection.write_all(beginning.as_bytes()).await.ok();
                sleep(HELD).await;
            }
        }
        sleep(PAUSE).await;
    }
}
