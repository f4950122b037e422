//! One import followed in every way at once: the stream of events, the page, and the command line.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::{
    harness::{Event, run, staged_users, states, user},
    page::{doomed_user, set_up_signed_in},
};

const IMPORTED: usize = 19_900;
const DOOMED: usize = 100;

/// How long the import may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn an_import_of_20000_users_ends_on_the_same_numbers_for_all_who_follow_it() {
    let Some((workspace, service, browser)) = set_up_signed_in().await else { return };
    workspace.add_user(user("existing")).await;
    let mut users = staged_users(0..IMPORTED);
    users.extend((0..DOOMED).map(doomed_user));
    service.stage(&users).await;
    browser.says("#state", "Ready").await;

    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
    ];
    let mut events = service.events().await;
    let all_of_them = async {
        tokio::join!(
            events.until(|event| event.state() == "done"),
            service.events_in_pieces(3),
            run(&["status", "--watch", "--json"], &settings),
            browser.says("#state", "Done, with failures"),
            service.run_import(),
        )
    };
    let (steady, interrupted, watched, ..) = timeout(PATIENCE, all_of_them).await.expect("all see the end");

    let stored: Value = service.status().await.json()["operation"]["count"].clone();
    let (imported, doomed) = (IMPORTED as u64, DOOMED as u64);
    assert_eq!((stored["completed"].as_u64(), stored["error"].as_u64()), (Some(imported), Some(doomed)));
    for (who, events) in [("steady", &steady), ("interrupted", &interrupted)] {
        assert_eq!(states(events), ["ready", "importing", "done"], "{who}");
        let percent = |event: &Event| event.data["progress"]["percent"].as_u64().unwrap();
        assert!(events.is_sorted_by_key(|event| event.count("completed")), "{who}: {events:?}");
        assert!(events.is_sorted_by_key(|event| event.count("error")), "{who}: {events:?}");
        assert!(events.is_sorted_by_key(percent), "{who}: {events:?}");
        let last = events.last().unwrap();
        assert_eq!((last.count("completed"), last.count("error"), percent(last)), (imported, doomed, 100), "{who}");
    }
    assert!(interrupted.len() > 3, "it was interrupted");

    // One user failed at least, which the exit code says.
    assert_eq!(watched.code, Some(1), "{watched:?}");
    let last: Value = serde_json::from_str(watched.output.lines().last().unwrap()).unwrap();
    assert_eq!(last["operation"]["count"], stored);
    for (figure, number) in [("#completed", "19,900"), ("#failed", "100"), ("#total", "20,000"), ("#percent", "100%")] {
        browser.says(figure, number).await;
    }
    browser.assert_no_errors(&[]).await;
}
