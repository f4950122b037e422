//! Who may look, and what the others see.

use bson::{Bson, doc};

use crate::{
    harness::{staged_users, user},
    page::{set_up, set_up_signed_in},
};

#[tokio::test]
async fn a_wrong_token_is_told_in_plain_words() {
    let Some((_workspace, service, browser)) = set_up().await else { return };
    browser.open_page(&service).await;
    browser.sign_in("admin", "wrong").await;
    browser.says("#sign-in-error", "This user id and token do not go together").await;
    assert!(!browser.is_shown("#dashboard").await);
    assert_eq!(browser.focused().await, "token");

    browser.sign_in("admin", "čaj").await;
    browser.says("#sign-in-error", "characters that none ever has").await;
    browser.sign_in("admin", "admin-token").await;
    browser.shown("#dashboard").await;
    assert!(!browser.is_shown("#sign-in").await);
    browser.assert_no_errors(&["status of 401"]).await;
}

#[tokio::test]
async fn who_lacks_the_permission_is_told_which() {
    let Some((workspace, service, browser)) = set_up().await else { return };
    workspace.add_user(user("member").with_roles(&["user"]).with_token("token")).await;
    browser.open_page(&service).await;
    browser.sign_in("member", "token").await;
    browser.says("#sign-in-error", "it lacks the permission run-import").await;
    assert!(!browser.is_shown("#dashboard").await);
}

#[tokio::test]
async fn who_may_not_see_the_history_sees_the_rest() {
    let Some((workspace, service, browser)) = set_up().await else { return };
    workspace.grant("view-import-operations", &[]).await;
    service.stage(&staged_users(0..2)).await;
    browser.open_page(&service).await;
    browser.sign_in("admin", "admin-token").await;
    browser.says("#history-note", "this account lacks the permission view-import-operations").await;
    browser.says("#state", "Ready").await;
}

#[tokio::test]
async fn a_token_lasts_over_a_reload_and_is_gone_after_signing_out() {
    let Some((_workspace, service, browser)) = set_up_signed_in().await else { return };
    browser.says("#who", "Signed in as admin").await;
    browser.client.refresh().await.unwrap();
    browser.shown("#dashboard").await;
    browser.says("#state", "No import yet").await;
    assert_eq!(browser.client.current_url().await.unwrap().as_str(), format!("{}/import", service.address));

    browser.click("#sign-out").await;
    browser.shown("#sign-in").await;
    assert_eq!(browser.focused().await, "sign-in-title");
    assert_eq!(browser.evaluate("return sessionStorage.length + localStorage.length").await, 0);
    browser.client.refresh().await.unwrap();
    browser.shown("#sign-in").await;
    assert!(!browser.is_shown("#dashboard").await);
}

#[tokio::test]
async fn who_is_signed_in_to_rocket_chat_needs_no_token() {
    let Some((_workspace, service, browser)) = set_up().await else { return };
    browser.open_page(&service).await;
    browser.shown("#sign-in").await;
    assert!(!browser.is_shown("#use-rocket-chat").await);
    browser
        .evaluate(
            "localStorage.setItem('Meteor.userId', 'admin'); localStorage.setItem('Meteor.loginToken', 'admin-token')",
        )
        .await;
    browser.client.refresh().await.unwrap();
    browser.click("#use-rocket-chat").await;
    browser.says("#who", "Signed in as admin").await;
    browser.says("#state", "No import yet").await;
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_the_page() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let none = doc! { "$set": { "services.resume.loginTokens": Bson::Array(vec![]) } };
    workspace.update("users", "admin", none).await;
    browser.says("#sign-in-error", "no longer valid").await;
    assert!(!browser.is_shown("#dashboard").await);
    assert_eq!(browser.evaluate("return sessionStorage.length").await, 0);
}
