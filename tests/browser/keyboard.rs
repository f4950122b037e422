//! Without a mouse.

use std::time::Duration;

use fantoccini::{
    actions::{InputSource as _, KeyAction, KeyActions},
    key::Key,
};

use crate::{
    browser::Browser,
    exports::slack_export,
    harness::{eventually, staged_users, user},
    page::{doomed_user, set_up, set_up_signed_in},
};

/// More than there is to step through.
const MOST_STEPS: usize = 60;
const PATIENCE: Duration = Duration::from_secs(20);

impl Browser {
    async fn press(&self, key: Key) {
        let value = char::from(key);
        let keys = KeyActions::new("keyboard".to_owned());
        let keys = keys.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        self.client.perform_actions(keys).await.unwrap();
    }

    /// Steps with the tab key until the element with this `id` has the focus, and looks whether the focus shows.
    async fn tab_to(&self, id: &str) {
        let mut passed = Vec::new();
        while self.focused().await != id {
            assert!(passed.len() < MOST_STEPS, "{id} is not to be reached, only {passed:?}");
            self.press(Key::Tab).await;
            passed.push(self.focused().await);
        }
        let outline = self.evaluate("return getComputedStyle(document.activeElement).outlineStyle").await;
        assert_eq!(outline, "solid", "the focus on {id} cannot be seen");
    }

    async fn has_focus(&self, id: &str) {
        eventually(&format!("{id} has the focus"), PATIENCE, async || self.focused().await == id).await;
    }
}

#[tokio::test]
async fn everything_is_done_by_keyboard_alone() {
    let Some((workspace, service, browser)) = set_up().await else { return };
    workspace.add_user(user("existing")).await;
    let mut users = staged_users(0..30);
    users.push(doomed_user(0));
    service.stage(&users).await;
    browser.open_page(&service).await;
    browser.shown("#sign-in").await;

    browser.tab_to("user-id").await;
    browser.client.active_element().await.unwrap().send_keys("admin").await.unwrap();
    browser.press(Key::Tab).await;
    browser.client.active_element().await.unwrap().send_keys("admin-token").await.unwrap();
    browser.press(Key::Enter).await;
    browser.has_focus("current-title").await;
    browser.says("#state", "Ready").await;

    browser.tab_to("run").await;
    browser.press(Key::Enter).await;
    browser.says("#state", "Done, with failures").await;
    // The button is gone, and the focus is not lost with it.
    browser.has_focus("current-title").await;

    browser.shown("#clear").await;
    browser.tab_to("clear").await;
    browser.press(Key::Enter).await;
    browser.has_focus("question-no").await;
    browser.press(Key::Escape).await;
    browser.gone("#question").await;
    browser.has_focus("clear").await;
    assert_eq!(workspace.count_staged().await, 1);
    browser.press(Key::Enter).await;
    browser.has_focus("question-no").await;
    browser.tab_to("question-yes").await;
    browser.press(Key::Enter).await;
    workspace.left_staged(0).await;
    browser.has_focus("current-title").await;

    for control in ["file", "sign-out"] {
        browser.tab_to(control).await;
    }
    browser.press(Key::Enter).await;
    browser.shown("#sign-in").await;
    browser.assert_no_errors(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_chosen_from_and_started_by_keyboard_alone() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    browser.choose_export(slack_export().to_str().unwrap()).await;
    browser.tab_to("export-importer").await;
    browser.tab_to("export-send").await;
    browser.press(Key::Enter).await;
    browser.shown("#selection-body").await;
    browser.has_focus("current-title").await;
    browser.tab_to("users-search").await;
    browser.client.active_element().await.unwrap().send_keys("alice").await.unwrap();
    browser.tab_to("users-none").await;
    browser.press(Key::Enter).await;
    browser.tab_to("channels-none").await;
    browser.press(Key::Enter).await;
    browser.says("#channels-summary", "0 of ").await;
    browser.press(Key::Tab).await;
    browser.client.active_element().await.unwrap().send_keys(" ").await.unwrap();
    browser.says("#channels-summary", "1 of ").await;
    browser.tab_to("selection-start").await;
    browser.press(Key::Enter).await;
    browser.says("#state", "Done").await;
    browser.has_focus("current-title").await;
    let rooms = workspace.collection("rocketchat_room");
    let made = bson::doc! { "importIds": { "$exists": true } };
    assert_eq!(rooms.count_documents(made).await.unwrap(), 1);
}
