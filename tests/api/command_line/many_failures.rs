//! Many users who fail, before a run and in it: summed up by reason, and all of them in a file.

use bson::{Bson, bson};
use serde_json::json;

use super::{File, call, csv_of, summary};
use crate::harness::{Service, Workspace, served, user};

/// Users whose names belong to somebody else.
const FAILING: usize = 150;
const REASON: &str = "the user name of … (…) belongs to somebody with another e-mail address: account … (…). With \
                      onUsernameTaken set to suffix, the new account gets the next free name.";

async fn served_with_others() -> (Workspace, Service) {
    let (workspace, service) = served().await;
    for number in 0..FAILING {
        let emails: Bson = bson!([{ "address": format!("other{number}@example.com"), "verified": true }]);
        workspace.add_user(user(&format!("user{number}")).with("emails", emails)).await;
    }
    (workspace, service)
}

fn count_of(errors: &str, words: &str) -> usize {
    errors.lines().filter(|line| line.contains(words)).count()
}

#[tokio::test]
async fn users_who_would_fail_are_summed_up_by_reason_and_all_of_them_go_into_the_file_of_rejects() {
    let (workspace, service) = served_with_others().await;
    let mut lines = csv_of(0..FAILING + 10).replace("username,emails,importIds", "username,emails,importIds,roles");
    lines =
        lines.lines().map(|line| if line.contains('@') { format!("{line},\n") } else { format!("{line}\n") }).collect();
    lines = lines.replace("id140,\n", "id140,Nobody\n").replace("user155@example.com", "");
    let file = File::new("users.csv", lines);
    let left = file.path().replace("users.csv", "left.csv");
    let arguments = ["users", file.path(), "--check", "--skip-bad", "--json"];
    let checked = call(&service.address, &[&arguments[..], &["--rejects", &left]].concat()).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let failing = FAILING - 1;
    let summed = summary(&checked);
    let check = &summed["check"];
    assert_eq!((&check["created"], &check["failed"], &check["refused"]), (&json!(9), &json!(failing), &json!(1)));
    assert_eq!(check["reasons"], json!([{ "reason": REASON, "count": failing }]), "{check}");
    assert_eq!(check["failing"].as_array().unwrap().len(), 100);
    assert_eq!(count_of(&checked.errors, ": would fail: "), 20, "{}", checked.errors);
    assert!(checked.errors.contains(&format!("would fail: {failing} users: {REASON}\n")), "{}", checked.errors);
    assert!(checked.errors.contains("all of them are in the file of --rejects"), "{}", checked.errors);

    let rejects = std::fs::read_to_string(&left).unwrap();
    let rows: Vec<&str> = rejects.lines().collect();
    assert_eq!(
        (rows[0], rows.len(), &summed["rejected"]),
        ("line,reason,username,emails,importIds,roles", 152, &json!(151))
    );
    let begins_and_ends = |row: usize, begin: &str, end: &str| {
        assert!(rows[row].starts_with(begin) && rows[row].ends_with(end), "{row}: {}", rows[row]);
    };
    begins_and_ends(1, "2,\"the user name of id0 (@user0) belongs to somebody", ",user0,user0@example.com,id0,");
    begins_and_ends(141, "142,", ",user140,user140@example.com,id140,Nobody");
    assert!(rows[141].contains("there is no role Nobody"), "{}", rows[141]);
    begins_and_ends(150, "151,\"the user name of id149 (@user149)", ",user149,user149@example.com,id149,");
    begins_and_ends(151, "157,", ",user155,,id155,");
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));

    let again = call(&service.address, &["users", &left, "--check", "--skip-bad", "--json"]).await;
    assert_eq!(summary(&again)["check"]["failed"], json!(failing), "the list is read again: {again:?}");
    assert!(again.errors.contains("--check with --rejects FILE writes all of them to a file"), "{again:?}");
    assert!(!again.errors.contains("all of them are in"), "{again:?}");
}

#[tokio::test]
async fn users_who_failed_are_where_the_flags_of_the_call_have_put_them() {
    let (_workspace, service) = served_with_others().await;
    let file = File::new("users.csv", csv_of(0..30));
    let left = file.path().replace("users.csv", "left.csv");
    let rejects = ["--rejects", left.as_str()];
    let (of_rejects, of_json) = ("in the file of --rejects", "under failed of --json");
    for (flags, named, not_named) in [
        (&[][..], &[][..], &[of_rejects, of_json][..]),
        (&["--json"], &[of_json], &[of_rejects]),
        (&rejects, &[of_rejects], &[of_json]),
    ] {
        let arguments = [&["users", file.path(), "--run", "--replace"], flags].concat();
        let ran = call(&service.address, &arguments).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.errors.contains(&format!("failed: 30 users: {REASON}")), "{ran:?}");
        let last = ran.errors.lines().find(|line| line.starts_with("all of them are")).unwrap_or_default();
        assert!(last.contains("on the web page") && last.contains("rocketchat-import receipt"), "{ran:?}");
        assert!(named.iter().all(|place| last.contains(place)), "{flags:?}: {last}");
        assert!(!not_named.iter().any(|place| last.contains(place)), "{flags:?}: {last}");
    }
    let receipt = call(&service.address, &["receipt", "--format", "jsonl"]).await;
    assert_eq!(count_of(&receipt.output, r#""outcome":"failed""#), 30, "{receipt:?}");
}
