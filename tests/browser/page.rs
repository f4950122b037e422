//! What the tests do on the page again and again.

use std::io::Write as _;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{
    browser::Browser,
    harness::{Service, Workspace, served},
};

/// A workspace whose administrator may do everything, the service over it, and a browser. `None` when these tests are
/// switched off.
pub async fn set_up() -> Option<(Workspace, Service, Browser)> {
    let browser = Browser::open().await?;
    let (workspace, service) = served().await;
    workspace.grant("view-import-operations", &["admin"]).await;
    Some((workspace, service, browser))
}

/// The same, with the page open and the administrator signed in.
pub async fn set_up_signed_in() -> Option<(Workspace, Service, Browser)> {
    let (workspace, service, browser) = set_up().await?;
    browser.open_page(&service).await;
    browser.sign_in("admin", "admin-token").await;
    browser.shown("#dashboard").await;
    browser.shown("#state").await;
    Some((workspace, service, browser))
}

impl Browser {
    pub async fn open_page(&self, service: &Service) {
        self.open_page_at(&service.address).await;
    }

    /// Opens the page of the service behind this address.
    pub async fn open_page_at(&self, address: &str) {
        self.client.goto(&format!("{address}/import")).await.unwrap();
    }

    pub async fn sign_in(&self, user_id: &str, token: &str) {
        self.shown("#sign-in").await;
        for (field, text) in [("#user-id", user_id), ("#token", token)] {
            self.find(field).await.clear().await.unwrap();
            self.type_into(field, text).await;
        }
        self.click("#sign-in-button").await;
    }

    /// Chooses a file with this content. It is gone when the returned value is.
    pub async fn choose_file(&self, ending: &str, content: impl AsRef<[u8]>) -> NamedTempFile {
        let mut file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
        file.write_all(content.as_ref()).unwrap();
        self.type_into("#file", file.path().to_str().unwrap()).await;
        file
    }

    /// Chooses the option with this value.
    pub async fn choose(&self, list: &str, value: &str) {
        self.find(list).await.select_by_value(value).await.unwrap();
    }

    /// Writes a text into a field in place of its own, and leaves the field.
    pub async fn write_into(&self, field: &str, text: &str) {
        let script = "const field = document.querySelector(arguments[0]);
                      field.value = arguments[1];
                      field.dispatchEvent(new Event('change'));";
        self.client.execute(script, vec![json!(field), json!(text)]).await.unwrap();
    }

    /// The cells of the table there, row by row.
    pub async fn cells(&self, table: &str) -> Vec<Vec<String>> {
        let script = format!(
            "return [...document.querySelectorAll('{table} tbody tr')]\
             .map((row) => [...row.children].map((cell) => cell.textContent))"
        );
        serde_json::from_value(self.evaluate(&script).await).unwrap()
    }
}

/// A CSV file of `users` with all that a user of the harness has.
pub fn csv_of(users: &[Value]) -> String {
    let mut text = "importIds,emails,username,name\n".to_owned();
    for user in users {
        let cell = |value: &Value| value.as_str().unwrap().to_owned();
        let cells = [&user["importIds"][0], &user["emails"][0], &user["username"], &user["name"]].map(cell);
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

/// A user that cannot be imported while another one is called `existing`.
pub fn doomed_user(number: usize) -> Value {
    json!({
        "username": "existing",
        "emails": [format!("doomed{number}@example.com")],
        "importIds": [format!("doomed{number}")],
        "name": format!("Doomed {number}"),
    })
}
