//! On a phone, in the dark, and in pictures.

use std::path::PathBuf;

use bson::doc;

use crate::{
    browser::Browser,
    exports::slack_export,
    harness::{Service, Workspace, operation, staged_users, user},
    page::{doomed_user, set_up, set_up_signed_in},
};

/// The narrowest phones.
const PHONE: (u32, u32) = (320, 640);
/// Where pictures go, in place of `target/browser-pictures`.
const PICTURES_VARIABLE: &str = "BROWSER_PICTURES";

impl Browser {
    async fn assert_fits(&self, what: &str) {
        let wider = "return [...document.querySelectorAll('body *')].filter((node) => node.checkVisibility() \
                     && node.getBoundingClientRect().right > innerWidth + 1).map((node) => node.id || node.tagName)";
        let overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(self.evaluate(overflow).await, 0, "{what}: {}", self.evaluate(wider).await);
    }
}

async fn import_with_failures(workspace: &Workspace, service: &Service) {
    workspace.add_user(user("existing").with("name", "Emil Existing")).await;
    let mut users = staged_users(0..400);
    users.extend((0..60).map(doomed_user));
    service.stage(&users).await;
}

#[tokio::test]
async fn nothing_is_cut_off_or_scrolled_sideways_on_a_phone() {
    let Some((workspace, service, browser)) = set_up().await else { return };
    browser.resize(PHONE.0, PHONE.1, true).await;
    browser.open_page(&service).await;
    browser.shown("#sign-in").await;
    browser.assert_fits("signing in").await;
    browser.sign_in("admin", "admin-token").await;
    browser.shown("#dashboard").await;
    browser.assert_fits("no import").await;

    import_with_failures(&workspace, &service).await;
    browser.says("#state", "Ready").await;
    browser.click("#staged-show").await;
    browser.shown("#staged-table table").await;
    browser.assert_fits("ready").await;
    browser.click("#run").await;
    browser.says("#state", "Done, with failures").await;
    browser.shown("#failed-table table").await;
    for fields in ["#users-reading summary", "#users-format summary"] {
        browser.click(fields).await;
    }
    browser.assert_fits("done").await;
    let _file = browser.choose_file(".csv", &format!("importIds,emails,{}\n1,a@example.com\n", "x".repeat(200))).await;
    browser.shown("#file-problems").await;
    browser.assert_fits("a bad file").await;
    browser.click("#clear").await;
    browser.shown("#question").await;
    browser.assert_fits("a question").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_fits_on_a_phone_from_the_file_to_the_account() {
    let Some((_workspace, _service, browser)) = set_up_signed_in().await else { return };
    for width in [PHONE.0, 360] {
        browser.resize(width, PHONE.1, true).await;
        browser.choose_export(slack_export().to_str().unwrap()).await;
        browser.assert_fits("a chosen export").await;
        browser.click("#export-send").await;
        browser.shown("#selection-body").await;
        browser.shown("#report-lines table").await;
        browser.assert_fits("the choice").await;
        browser.click("#selection-start").await;
        browser.says("#state", "Done").await;
        browser.assert_fits("done").await;
    }
}

#[tokio::test]
async fn the_page_is_dark_for_who_prefers_that_and_still_for_who_prefers_no_motion() {
    let Some((_workspace, _service, browser)) = set_up_signed_in().await else { return };
    let background = "return getComputedStyle(document.body).backgroundColor";
    browser.prefer("prefers-color-scheme", "light").await;
    assert_eq!(browser.evaluate(background).await, "rgb(247, 248, 250)");
    browser.prefer("prefers-color-scheme", "dark").await;
    assert_eq!(browser.evaluate(background).await, "rgb(23, 25, 29)");

    let motion = "return getComputedStyle(document.querySelector('.progress-fill')).transitionDuration";
    assert_eq!(browser.evaluate(motion).await, "0.3s");
    browser.prefer("prefers-reduced-motion", "reduce").await;
    assert_eq!(browser.evaluate(motion).await, "0s");
}

/// Takes pictures of a view in each of its looks.
async fn take(browser: &Browser, name: &str, shown: &str) {
    let folder = std::env::var_os(PICTURES_VARIABLE)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/browser-pictures"), PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    for (looks, scheme, width, height, mobile) in [
        ("light", "light", 1100, 1100, false),
        ("dark", "dark", 1100, 1100, false),
        ("phone", "light", 360, 1100, true),
        ("phone-dark", "dark", 360, 1100, true),
    ] {
        browser.resize(width, height, mobile).await;
        browser.prefer("prefers-color-scheme", scheme).await;
        browser.evaluate(&format!("document.querySelector('{shown}').scrollIntoView()")).await;
        browser.take_picture(&folder.join(format!("{name}-{looks}.png"))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures for people to look at; .ci/browser runs it"]
async fn pictures_of_an_export() {
    let Some((_workspace, _service, browser)) = set_up_signed_in().await else { return };
    browser.choose_export(slack_export().to_str().unwrap()).await;
    take(&browser, "export-chosen", "#export-form").await;
    browser.click("#export-send").await;
    browser.shown("#selection-body").await;
    browser.shown("#report-lines table").await;
    take(&browser, "export-ready", "header").await;
    take(&browser, "export-choice", "#selection").await;
    take(&browser, "export-account", "#file-report").await;
    browser.click("#selection-start").await;
    browser.says("#state", "Done").await;
    take(&browser, "export-done", "header").await;
}

#[tokio::test]
#[ignore = "takes pictures for people to look at; .ci/browser runs it"]
async fn pictures() {
    let Some((workspace, service, browser)) = set_up().await else { return };
    let take = async |name: &str, shown: &str| take(&browser, name, shown).await;
    browser.open_page(&service).await;
    browser.shown("#sign-in").await;
    take("sign-in", "header").await;
    browser.sign_in("admin", "wrong").await;
    browser.shown("#sign-in-error").await;
    take("sign-in-refused", "header").await;
    browser.sign_in("admin", "admin-token").await;
    browser.says("#state", "No import yet").await;
    take("none", "header").await;

    import_with_failures(&workspace, &service).await;
    browser.says("#state", "Ready").await;
    browser.click("#staged-show").await;
    browser.shown("#staged-table table").await;
    take("ready", "header").await;
    browser.click("#run").await;
    browser.says("#state", "Done, with failures").await;
    browser.shown("#failed-table table").await;
    browser.shown("#resume").await;
    take("done", "header").await;
    browser.click("#clear").await;
    browser.shown("#question").await;
    take("question", "header").await;
    browser.click("#question-no").await;
    let _file =
        browser.choose_file(".csv", "importIds,emails,username\n1,a@example.com,anna\n2,,ben\n3,c@c.c,anna\n").await;
    browser.shown("#file-problems").await;
    take("bad-file", "#new-form").await;

    // An import that another process runs, moved by hand so that it can be looked at.
    for completed in (1_550..=12_400).step_by(1_550) {
        let count = doc! { "total": 20_000, "users": 20_000, "completed": completed, "error": completed / 40 };
        let running = operation("running").with("status", "importer_importing_users").with("count", count);
        workspace.only_operation(running.document()).await;
        browser.says("#completed", &format!("{},{:03}", completed / 1000, completed % 1000)).await;
    }
    browser.shown("#left-figure").await;
    take("importing", "header").await;
}
