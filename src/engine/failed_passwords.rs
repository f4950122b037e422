//! Clear-text passwords of users who failed: they leave the staging area after a while.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    domain::field_value::Date,
    repository::{Repositories, with_default_timeout},
};

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Removes passwords that are older than `kept_for`, for as long as it is polled. The users stay, with their reasons.
pub(super) async fn sweep(repositories: &Repositories, kept_for: Duration) {
    let age_millis = i64::try_from(kept_for.as_millis()).unwrap_or(i64::MAX);
    loop {
        let before = Date::from_epoch_millis(Date::now().epoch_millis().saturating_sub(age_millis));
        match with_default_timeout(repositories.staging.forget_passwords(before)).await {
            Ok(0) => {}
            Ok(users) => log::info!("removed the staged passwords of {users} users who failed"),
            Err(error) => log::debug!("passwords of failed users cannot be removed now: {error}"),
        }
        sleep(INTERVAL).await;
    }
}
