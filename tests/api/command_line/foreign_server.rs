//! Rocket.Chat's own server at the other end: it refuses nothing itself that it does not know, so the command does.

use super::{
    File, call, csv_of,
    proxy::{Fate, Proxy, Seems},
};
use crate::harness::{served, staged_users};

/// Calls that ask for what Rocket.Chat's own server would pass over, each with the flag to leave out.
const REFUSED: [(&[&str], &str); 8] = [
    (&["--on-existing", "link"], "--on-existing"),
    (&["--on-existing", "update"], "--on-existing"),
    (&["--on-existing", "skip"], "--on-existing"),
    (&["--match-by", "importId"], "--match-by"),
    (&["--on-username-taken", "suffix"], "--on-username-taken"),
    (&["--join-default-channels"], "--join-default-channels"),
    (&["--on-existing", "fail", "--also-update", "roles"], "--also-update"),
    (&["--source", "hr"], "--source"),
];

#[tokio::test]
async fn flags_that_rocketchat_does_not_know_are_refused_before_anything_is_emptied() {
    let (workspace, service) = served().await;
    service.new_import().await;
    service.add_users(&staged_users(0..3)).await;
    let operations = workspace.operations().await;
    let proxy = Proxy::disguised(&service.address, Seems::RocketChat, "/none", |_| Fate::Passed).await;
    let file = File::new("users.csv", csv_of(10..12));
    for (flags, named) in REFUSED {
        for way in [&["--replace"][..], &["--replace", "--run"]] {
            let arguments = [&["users", file.path()], way, flags].concat();
            let refused = call(&proxy.address, &arguments).await;
            assert_eq!(refused.code, Some(2), "{arguments:?}: {refused:?}");
            assert!(refused.errors.contains(named) && refused.errors.contains("this server"), "{refused:?}");
            assert_eq!(workspace.count_staged().await, 3, "{arguments:?} emptied the staging area: {refused:?}");
            assert_eq!(workspace.operations().await, operations, "{arguments:?}");
        }
    }
    let ran = call(&proxy.address, &["users", file.path(), "--replace", "--run", "--on-existing", "fail"]).await;
    assert_eq!((ran.code, workspace.count_imported().await), (Some(0), 2), "{ran:?}");
}
