//! Files that are fetched from a URL.
//!
//! The service stands inside a network, and a URL may name what nobody outside reaches. So the name is resolved here, every
//! address it leads to is looked at, and the connection goes to those addresses and no other; the same again after each
//! redirect. No proxy of the environment is used: it would resolve the name anew.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, Response, Url, header::LOCATION, redirect};
use tokio::{net::lookup_host, time::timeout};

use super::{Arrived, FileWriter, UploadRefusal, Uploads};
use crate::{domain::api::outgoing::Allowlist, repository::with_default_timeout};

/// Redirects that are followed.
const REDIRECTS: usize = 5;
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a server may take for the head of its answer, and for each piece of a file.
const PIECE_PATIENCE: Duration = Duration::from_secs(60);
/// How long a whole file may take.
const FILE_PATIENCE: Duration = Duration::from_secs(6 * 60 * 60);
const HTTP_PORT: u16 = 80;

impl Uploads {
    /// Fetches the file and begins the import with it. Returns the operation.
    ///
    /// # Errors
    /// When the file cannot be had; nothing has changed then.
    pub(crate) async fn begin_with_url(&self, url: &str, file: &Arrived<'_>) -> Result<String, UploadRefusal> {
        let (this, url) = (self.clone(), url.to_owned());
        let (user_id, name) = (file.user_id.to_owned(), file.name.to_owned());
        let importer = file.importer;
        // To its end, also if the caller goes away: so it is in Rocket.Chat, which answers before the file is there.
        let fetched = self.shared.engine.shared.runtime.spawn(async move {
            let file = Arrived { user_id: &user_id, importer, name: &name, content_type: None };
            let writer = timeout(FILE_PATIENCE, this.fetch(&url, &user_id)).await;
            let writer = writer.unwrap_or_else(|_| Err(failed("The file took too long")))?;
            this.begin_with(writer, &file).await
        });
        fetched.await.unwrap_or_else(|_| Err(failed("The file could not be fetched")))
    }

    async fn fetch(&self, url: &str, owner: &str) -> Result<FileWriter, UploadRefusal> {
        let url = Url::parse(url).map_err(|_| failed("The URL cannot be understood"))?;
        let allowlist = with_default_timeout(self.repositories().settings.outgoing_allowlist()).await?;
        let mut answer = answer_of(url, &allowlist).await?;
        let expected = answer.content_length();
        self.within_limit(expected.unwrap_or_default())?;
        let mut writer = self.begin_file(owner, expected).await?;
        loop {
            let piece = match timeout(PIECE_PATIENCE, answer.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return Ok(writer),
                Ok(Err(_)) => {
                    writer.give_up().await;
                    return Err(failed("The connection broke before the file was whole"));
                }
                Err(_) => {
                    writer.give_up().await;
                    return Err(failed("The server stopped sending"));
                }
            };
            if let Err(refusal) = writer.write(&piece).await {
                writer.give_up().await;
                return Err(refusal);
            }
        }
    }
}

/// Follows the URL to the answer with the file.
async fn answer_of(mut url: Url, allowlist: &Allowlist) -> Result<Response, UploadRefusal> {
    for _ in 0..=REDIRECTS {
        let answer = ask(&url, allowlist).await?;
        if !answer.status().is_redirection() {
            let status = answer.status();
            // Source: `apps/meteor/server/meteor-methods/import/downloadPublicImportFile.ts`.
            return if status.is_success() {
                Ok(answer)
            } else {
                Err(failed(&format!("Unexpected response status {}", status.as_u16())))
            };
        }
        let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        url = to.and_then(|to| url.join(to).ok()).ok_or_else(|| failed("The server redirects to nowhere"))?;
    }
    Err(failed("The server redirects too often"))
}

async fn ask(url: &Url, allowlist: &Allowlist) -> Result<Response, UploadRefusal> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(failed("Only http and https URLs are fetched"));
    }
    let host = url.host_str().ok_or_else(|| failed("The URL names no host"))?;
    let port = url.port_or_known_default().unwrap_or(HTTP_PORT);
    let addresses = addresses_of(host, port, allowlist).await?;
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_PATIENCE)
        .resolve_to_addrs(host, &addresses)
        .build()
        .map_err(|error| failed(&error.without_url().to_string()))?;
    let asked = timeout(PIECE_PATIENCE, client.get(url.clone()).send()).await;
    let answer = asked.map_err(|_| failed("The server did not answer in time"))?;
    answer.map_err(|_| failed(&format!("{host} cannot be reached")))
}

/// Returns the addresses of a host, all of which have to be allowed.
async fn addresses_of(host: &str, port: u16, allowlist: &Allowlist) -> Result<Vec<SocketAddr>, UploadRefusal> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = timeout(CONNECT_PATIENCE, lookup_host((bare, port))).await;
    let found = found.ok().and_then(Result::ok).ok_or_else(|| failed(&format!("{host} was not found")))?;
    let addresses: Vec<SocketAddr> = found.collect();
    let is_allowed = |address: &SocketAddr| allowlist.allows(bare, port, address.ip());
    if addresses.is_empty() || !addresses.iter().all(is_allowed) {
        return Err(failed(&format!(
            "{host} is not fetched from: it is a private address. Name it in Rocket.Chat's setting SSRF_Allowlist to allow it"
        )));
    }
    Ok(addresses)
}

fn failed(reason: &str) -> UploadRefusal {
    UploadRefusal::Fetch(reason.to_owned())
}
