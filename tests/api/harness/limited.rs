//! A caller to whom the rate limit applies.

use reqwest::{Client, Method};

use super::{Answer, Service, Workspace, user};

const LIMIT_CALLS: &str = "API_Enable_Rate_Limiter_Limit_Calls_Default";
const LIMIT_MILLIS: &str = "API_Enable_Rate_Limiter_Limit_Time_Default";

/// The user id and the token of the caller.
pub const LIMITED: (&str, &str) = ("script", "script-token");

impl Workspace {
    /// Somebody who may run imports, but not call as often as they like.
    pub async fn add_limited_caller(&self) {
        self.grant("run-import", &["admin", "importer"]).await;
        self.grant("view-import-operations", &["admin", "importer"]).await;
        self.add_user(user(LIMITED.0).with_roles(&["importer"]).with_token(LIMITED.1)).await;
    }

    /// Stores the limit, as an administrator sets it.
    pub async fn limit_calls(&self, calls: i32, millis: i32) {
        self.set(LIMIT_CALLS, calls).await;
        self.set(LIMIT_MILLIS, millis).await;
    }
}

impl Service {
    /// `import.status` by [`LIMITED`].
    pub async fn limited_status(&self) -> Answer {
        self.status_as(LIMITED.0, LIMITED.1).await
    }

    /// `import.status` by [`LIMITED`] over a connection from this address of the loopback network, with these headers.
    pub async fn limited_status_from(&self, address: &str, headers: &[(&str, &str)]) -> Answer {
        let client = Client::builder().local_address(Some(address.parse().unwrap())).build().unwrap();
        let mut request = client
            .request(Method::GET, format!("{}/api/v1/import.status", self.address))
            .header("X-User-Id", LIMITED.0)
            .header("X-Auth-Token", LIMITED.1);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }
}
