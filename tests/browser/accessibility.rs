//! The rules that a program can check, by axe-core.

use std::path::PathBuf;

use serde_json::Value;

use crate::{
    browser::Browser,
    exports::slack_export,
    harness::{staged_users, user},
    page::{doomed_user, set_up, set_up_signed_in},
};

/// Names the file with axe-core's script.
const AXE_VARIABLE: &str = "AXE_JS";

const RULES: &str = "
    const done = arguments[arguments.length - 1];
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    axe.run(document, { runOnly: tags }).then(({ violations, passes }) => done({
        passed: passes.length,
        broken: violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`),
    }));";

impl Browser {
    async fn assert_accessible(&self, axe: &str, what: &str) {
        for scheme in ["light", "dark"] {
            self.prefer("prefers-color-scheme", scheme).await;
            self.client.execute(axe, vec![]).await.unwrap();
            let checked = self.client.execute_async(RULES, vec![]).await.unwrap();
            assert_eq!(checked["broken"], Value::Array(vec![]), "{what}, {scheme}");
            assert!(checked["passed"].as_u64().unwrap() > 10, "{what}, {scheme}: {checked}");
        }
    }
}

fn axe() -> String {
    let path = std::env::var_os(AXE_VARIABLE).map(PathBuf::from);
    std::fs::read_to_string(path.expect("AXE_JS names axe-core's script")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants axe-core; .ci/browser fetches it and runs this"]
async fn no_rule_of_accessibility_is_broken_from_an_export_to_its_account() {
    let Some((_workspace, _service, browser)) = set_up_signed_in().await else { return };
    let axe = axe();
    browser.choose_export(slack_export().to_str().unwrap()).await;
    browser.assert_accessible(&axe, "a chosen export").await;
    browser.click("#export-send").await;
    browser.shown("#selection-body").await;
    browser.shown("#report-totals table").await;
    browser.assert_accessible(&axe, "the choice").await;
    browser.resize(360, 800, true).await;
    browser.assert_accessible(&axe, "the choice on a phone").await;
    browser.click("#selection-start").await;
    browser.says("#state", "Done").await;
    browser.assert_accessible(&axe, "done").await;
}

#[tokio::test]
#[ignore = "wants axe-core; .ci/browser fetches it and runs this"]
async fn no_rule_of_accessibility_is_broken_in_any_view() {
    let Some((workspace, service, browser)) = set_up().await else { return };
    let axe = axe();
    workspace.add_user(user("existing")).await;
    browser.open_page(&service).await;
    browser.shown("#sign-in").await;
    browser.sign_in("admin", "wrong").await;
    browser.shown("#sign-in-error").await;
    browser.assert_accessible(&axe, "signing in").await;
    browser.sign_in("admin", "admin-token").await;
    browser.says("#state", "No import yet").await;
    for fields in ["#users-reading summary", "#users-format summary"] {
        browser.click(fields).await;
    }
    browser.assert_accessible(&axe, "no import").await;

    let mut users = staged_users(0..20);
    users.extend((0..60).map(doomed_user));
    service.stage(&users).await;
    browser.says("#state", "Ready").await;
    browser.click("#staged-show").await;
    browser.shown("#staged-table table").await;
    browser.assert_accessible(&axe, "ready").await;
    browser.click("#run").await;
    browser.says("#state", "Done, with failures").await;
    browser.shown("#failed-table table").await;
    browser.shown("#resume").await;
    browser.assert_accessible(&axe, "done").await;
    let _file = browser.choose_file(".csv", "importIds,emails\n1,\n2,b@example.com\n").await;
    browser.shown("#file-problems").await;
    browser.shown("#foreseen").await;
    browser.shown("#leave-bad").await;
    browser.shown("#rejects").await;
    browser.assert_accessible(&axe, "a bad file").await;
    browser.resize(360, 800, true).await;
    browser.assert_accessible(&axe, "on a phone").await;
    browser.click("#clear").await;
    browser.shown("#question").await;
    browser.assert_accessible(&axe, "a question").await;
}
