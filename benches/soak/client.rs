//! A caller of the API whose requests are counted.

use std::sync::Arc;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::tally::Tally;

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    caller: (String, String),
    pub tally: Arc<Tally>,
}

impl Client {
    pub fn new(address: &str, caller: (String, String), tally: &Arc<Tally>) -> Self {
        Self::over(reqwest::Client::new(), address, caller, tally)
    }

    /// One that makes a connection for each request, because the service closes those it refuses.
    pub fn without_reuse(address: &str, caller: (String, String), tally: &Arc<Tally>) -> Self {
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self::over(http, address, caller, tally)
    }

    fn over(http: reqwest::Client, address: &str, caller: (String, String), tally: &Arc<Tally>) -> Self {
        Self { http, address: address.to_owned(), caller, tally: Arc::clone(tally) }
    }

    /// By nobody in particular.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address))
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).header("X-User-Id", &self.caller.0).header("X-Auth-Token", &self.caller.1)
    }

    /// Sends a request that is to be answered with this status; the body if it was and is JSON.
    pub async fn expect(&self, what: &'static str, expected: u16, request: RequestBuilder) -> Option<Value> {
        let answer = match request.send().await {
            Ok(answer) => self.whole(answer).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok((status, body)) if status == expected => {
                self.tally.as_expected(what);
                serde_json::from_str(&body).ok()
            }
            Ok((status, body)) => {
                self.tally.not_expected(what, &format!("{status} instead of {expected}: {body}"));
                None
            }
            Err(error) => {
                self.tally.not_expected(what, &format!("{error:?}"));
                None
            }
        }
    }

    async fn whole(&self, answer: Response) -> reqwest::Result<(u16, String)> {
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    pub async fn get(&self, path: &'static str) -> Option<Value> {
        self.expect(path, 200, self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &'static str, body: &Value) -> Option<Value> {
        self.expect(path, 200, self.request(Method::POST, path).json(body)).await
    }
}
