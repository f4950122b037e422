//! Files before the accounts of the workspace: `--check`, and runs that have nothing to do.

use std::time::{Duration, Instant};

use bson::{Document, doc};
use serde_json::{Value, json};

use super::{
    File, call, csv_of,
    proxy::{Fate, Proxy, Seems},
    summary,
};
use crate::harness::{Workspace, served, user};

const TOO_LARGE: &str = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

fn address(address: &str, verified: bool) -> bson::Bson {
    bson::bson!([{ "address": address, "verified": verified }])
}

/// How often the collection was written to, by the database's own counters.
async fn writes(workspace: &Workspace, collection: &str) -> i64 {
    let client = workspace.database.client();
    let top = client.database("admin").run_command(doc! { "top": 1 }).await.unwrap();
    let name = format!("{}.{collection}", workspace.database.name());
    let Ok(counters) = top.get_document("totals").unwrap().get_document(&name) else { return 0 };
    ["insert", "update", "remove"]
        .iter()
        .map(|kind| match counters.get_document(kind).unwrap().get("count") {
            Some(bson::Bson::Int32(count)) => i64::from(*count),
            Some(bson::Bson::Int64(count)) => *count,
            other => panic!("{other:?}"),
        })
        .sum()
}

#[tokio::test]
async fn a_check_says_what_a_run_would_do_and_stages_nothing() {
    let (workspace, service) = served().await;
    workspace.add_user(user("known1").with("emails", address("USER1@example.com", true))).await;
    workspace.add_user(user("known2").with("emails", address("user2@example.com", false))).await;
    workspace.add_user(user("user3").with("emails", address("other@example.com", true))).await;
    let file = File::new("users.csv", csv_of(0..10));
    let checked = call(&service.address, &["users", file.path(), "--check", "--json", "--on-existing", "link"]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let check = &summary(&checked)["check"];
    assert_eq!(
        (&check["created"], &check["linked"], &check["failed"], &check["refused"]),
        (&json!(7), &json!(2), &json!(1), &json!(0)),
        "{check}"
    );
    assert_eq!((&check["failing"][0]["line"], &check["failing"][0]["importIds"]), (&json!(5), &json!(["id3"])));
    assert_eq!(check["unsure"], json!([{ "importIds": ["id2"], "account": "known2", "foundBy": "unverifiedEmail" }]));
    assert!(checked.errors.contains("line 5: would fail: the user name of id3 (@user3)"), "{checked:?}");
    assert!(checked.errors.contains("look at id2: the account known2"), "{checked:?}");
    assert!(checked.errors.contains("a run: 7 created, 2 linked, 1 failed"), "{checked:?}");
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));

    let ran = call(&service.address, &["users", file.path(), "--run", "--json", "--on-existing", "link"]).await;
    let run = &summary(&ran)["run"];
    for outcome in ["created", "linked", "failed"] {
        assert_eq!(run[outcome], check[outcome], "{outcome}: {ran:?}");
    }
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_a_bad_line_before_anything_is_staged() {
    let (workspace, service) = served().await;
    let teacher = doc! { "_id": "k9Xw3fTtQmR2aZ7pL", "name": "Teacher" };
    workspace.collection("rocketchat_roles").insert_one(teacher).await.unwrap();
    let file = File::new("users.csv", "email,importId,roles\na@b.c,1,\nb@b.c,2,Teacher\nc@b.c,3,\n");
    for way in ["--run", "--check"] {
        let refused = call(&service.address, &["users", file.path(), way]).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        let sentence = "line 3: there is no role Teacher: Teacher is the name of the role k9Xw3fTtQmR2aZ7pL, give \
                        k9Xw3fTtQmR2aZ7pL (import id 2)";
        assert!(
            refused.errors.contains(sentence) && refused.errors.contains("1 bad line, nothing was sent"),
            "{refused:?}"
        );
    }
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));
    let ran = call(&service.address, &["users", file.path(), "--run", "--skip-bad"]).await;
    assert_eq!((ran.code, workspace.count_imported().await), (Some(1), 2), "{ran:?}");
}

#[tokio::test]
async fn accounts_that_stay_without_the_import_id_are_counted_until_link_adds_it() {
    let (workspace, service) = served().await;
    for name in ["ann", "bob"] {
        workspace.add_user(user(name).with("emails", address(&format!("{name}@corp.example"), true))).await;
    }
    let file = File::new("users.csv", "importIds,emails\nA,ann@corp.example\nB,bob@corp.example\n");
    let sentence = "2 accounts that are there lack the import id of the file";
    for mode in ["--check", "--run"] {
        let finished = call(&service.address, &["users", file.path(), mode, "--json"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(finished.errors.contains(sentence) && finished.errors.contains("--on-existing link"), "{finished:?}");
        assert_eq!(summary(&finished)[&mode[2..]]["lackingImportId"], 2, "{finished:?}");
    }
    let linked = call(&service.address, &["users", file.path(), "--run", "--on-existing", "link"]).await;
    assert!(linked.errors.contains("2 linked") && !linked.errors.contains("import id of the file"), "{linked:?}");
    let again = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_eq!((again.code, again.errors.contains("import id of the file")), (Some(0), false), "{again:?}");
}

#[tokio::test]
async fn the_same_file_every_night_stages_nothing_and_writes_nothing() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..3000));
    let first = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_eq!((first.code, workspace.count_imported().await), (Some(0), 3000), "{first:?}");
    workspace.left_staged(0).await;
    let operations = workspace.operations().await;
    let before = (writes(&workspace, "users").await, writes(&workspace, "rocketchat_subscription").await);
    assert!(before.0 > 0, "the counters count");
    for rule in ["skip", "link", "update"] {
        let again = call(&service.address, &["users", file.path(), "--run", "--json", "--on-existing", rule]).await;
        assert_eq!(again.code, Some(0), "{again:?}");
        let summary = summary(&again);
        assert_eq!((&summary["staged"], &summary["operation"]), (&json!(0), &Value::Null), "{summary}");
        let run = &summary["run"];
        assert_eq!(
            (&run["created"], &run["same"], &run["failed"], &run["total"]),
            (&json!(0), &json!(3000), &json!(0), &json!(3000)),
            "{run}"
        );
        assert!(again.errors.contains("nothing to do; 3000 users already there"), "{again:?}");
    }
    let after = (writes(&workspace, "users").await, writes(&workspace, "rocketchat_subscription").await);
    assert_eq!((after, workspace.operations().await), (before, operations));
    assert_eq!(workspace.count_staged().await, 0);

    let longer = File::new("users.csv", csv_of(0..3010));
    let more = call(&service.address, &["users", longer.path(), "--run", "--json"]).await;
    assert_eq!(more.code, Some(0), "{more:?}");
    let summary = summary(&more);
    assert_eq!((&summary["staged"], &summary["run"]["created"]), (&json!(10), &json!(10)), "{summary}");
    assert!(more.errors.contains("10 created, 3000 already there, 0 failed of 3010"), "{more:?}");

    // The import id says that he is the same person.
    let moved = csv_of(0..3010).replace("user1523@example.com", "fifteen.23@example.com");
    let moved = File::new("users.csv", moved);
    for (rule, same, updated) in [("skip", 3010, 0), ("update", 3009, 1)] {
        let fourth = call(&service.address, &["users", moved.path(), "--run", "--json", "--on-existing", rule]).await;
        assert_eq!(fourth.code, Some(0), "{fourth:?}");
        let summary = super::summary(&fourth);
        let run = &summary["run"];
        let told = (&run["created"], &run["same"], &run["updated"], &run["failed"]);
        assert_eq!(told, (&json!(0), &json!(same), &json!(updated), &json!(0)), "{rule}: {summary}");
    }
    assert_eq!(workspace.count_imported().await, 3010);
}

#[tokio::test]
async fn one_address_that_changed_is_all_that_is_staged_and_written() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..500));
    call(&service.address, &["users", file.path(), "--run"]).await;
    let before = writes(&workspace, "users").await;
    let changed = File::new("users.csv", csv_of(0..500).replace("user77@example.com", "seventy.seven@example.com"));
    let arguments = ["users", changed.path(), "--run", "--json", "--on-existing", "update"];
    let updated = call(&service.address, &arguments).await;
    assert_eq!((updated.code, &summary(&updated)["staged"]), (Some(0), &json!(1)), "{updated:?}");
    assert_eq!(writes(&workspace, "users").await - before, 1);
    let found: Vec<Document> = workspace.imported().await;
    let person = found.iter().find(|account| account.get_str("username").is_ok_and(|name| name == "user77")).unwrap();
    let emails = person.get_array("emails").unwrap();
    assert_eq!(emails, &vec![doc! { "address": "seventy.seven@example.com", "verified": false }.into()]);
}

#[tokio::test]
async fn a_server_that_cannot_say_what_a_run_would_do_is_named_as_that() {
    let (workspace, service) = served().await;
    let proxy = Proxy::disguised(&service.address, Seems::RocketChat, "/none", |_| Fate::Passed).await;
    let file = File::new("users.csv", csv_of(0..3));
    let checked = call(&proxy.address, &["users", file.path(), "--check"]).await;
    assert_eq!(checked.code, Some(2), "{checked:?}");
    assert!(checked.errors.contains("this server cannot say what a run would do; --dry-run"), "{checked:?}");
    assert!(workspace.operations().await.is_empty());
}

#[tokio::test]
async fn a_body_that_a_proxy_does_not_take_is_halved() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..100));
    let fate = |n: usize| if n == 0 || n == 2 { Fate::Answered(TOO_LARGE) } else { Fate::Passed };
    let proxy = Proxy::before(&service.address, "/api/v1/import.addUsers", fate).await;
    let staged = call(&proxy.address, &["users", file.path(), "--run"]).await;
    assert_eq!(staged.code, Some(0), "{staged:?}");
    assert!(staged.errors.contains("going on with half of that") && staged.errors.contains("client_max_body_size"));
    assert_eq!(workspace.count_imported().await, 100);

    let proxy = Proxy::before(&service.address, "/api/v1/import.addUsers", |_| Fate::Answered(TOO_LARGE)).await;
    let alone = call(&proxy.address, &["users", file.path(), "--run", "--on-existing", "fail"]).await;
    assert_eq!(alone.code, Some(3), "{alone:?}");
    assert!(alone.errors.contains("the user of line 2 alone makes a request of"), "{alone:?}");
}

#[tokio::test]
async fn a_check_that_a_proxy_takes_neither_whole_nor_as_an_upload_is_halved_and_a_user_who_is_too_large_is_named() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..100));
    let fate = |n: usize| if [0, 1, 3].contains(&n) { Fate::Answered(TOO_LARGE) } else { Fate::Passed };
    let proxy = Proxy::before(&service.address, "/api/v1/import.check", fate).await;
    let staged = call(&proxy.address, &["users", file.path(), "--run"]).await;
    assert_eq!(staged.code, Some(0), "{staged:?}");
    assert!(staged.errors.contains("going on with half of that") && staged.errors.contains("client_max_body_size"));
    assert_eq!(workspace.count_imported().await, 100);

    let proxy = Proxy::before(&service.address, "/api/v1/import.check", |_| Fate::Answered(TOO_LARGE)).await;
    let alone = call(&proxy.address, &["users", file.path(), "--run"]).await;
    assert_eq!(alone.code, Some(3), "{alone:?}");
    assert!(alone.errors.contains("the user of line 2 alone makes a request of"), "{alone:?}");
    assert_eq!(workspace.operations().await.len(), 1, "nothing new was begun");
}

#[tokio::test]
async fn users_go_through_a_proxy_with_the_default_limit_of_nginx_and_one_above_it_is_named() {
    let (workspace, service) = served().await;
    let row = |number: usize, bio: usize| format!("user{number},user{number}@x.io,{number},{}\n", "x".repeat(bio));
    let rows: String = (0..500).map(|number| row(number, 3000)).collect();
    let file = File::new("users.csv", format!("username,emails,importIds,bio\n{rows}"));
    let proxy = Proxy::narrow(&service.address, 1024 * 1024).await;
    let staged = call(&proxy.address, &["users", file.path(), "--run"]).await;
    assert_eq!(staged.code, Some(0), "{staged:?}");
    assert!(staged.errors.contains("going on with half of that") && staged.errors.contains("client_max_body_size"));
    assert_eq!(workspace.count_imported().await, 500);

    let rows: String = (500..600).map(|number| row(number, if number == 570 { 1024 * 1024 } else { 10 })).collect();
    let file = File::new("users.csv", format!("username,emails,importIds,bio\n{rows}"));
    let alone = call(&proxy.address, &["users", file.path(), "--run"]).await;
    assert_eq!(alone.code, Some(3), "{alone:?}");
    assert!(alone.errors.contains("the user of line 72 alone makes a request of"), "{alone:?}");
}

/// Of a thousand lines three lack an address, one has a role that is not there, and two have names of others.
fn thousand_lines() -> String {
    let row = |number: usize| {
        let address = if number % 300 == 100 { String::new() } else { format!("user{number}@example.com") };
        let role = if number == 750 { "Teacher" } else { "" };
        format!("user{number},{address},id{number},{role}\n")
    };
    std::iter::once("username,emails,importIds,roles\n".to_owned()).chain((0..1000).map(row)).collect()
}

#[tokio::test]
async fn the_check_of_a_thousand_lines_and_the_run_name_the_same_six_with_the_same_reasons() {
    let (workspace, service) = served().await;
    for number in [200, 201] {
        let other = user(&format!("user{number}")).with("emails", address(&format!("other{number}@example.com"), true));
        workspace.add_user(other).await;
    }
    let file = File::new("users.csv", thousand_lines());
    let arguments = |way: &'static str| ["users", file.path(), way, "--skip-bad", "--json"];
    let checked = call(&service.address, &arguments("--check")).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let foreseen = summary(&checked);
    let check = &foreseen["check"];
    assert_eq!(
        (&check["created"], &check["failed"], &check["refused"], &foreseen["badLines"]),
        (&json!(994), &json!(2), &json!(1), &json!(4)),
        "{foreseen}"
    );
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));

    let ran = call(&service.address, &arguments("--run")).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let summary = summary(&ran);
    assert_eq!((&summary["run"]["created"], &summary["run"]["failed"]), (&json!(994), &json!(2)), "{summary}");
    assert_eq!((&summary["badLines"], &summary["problems"]), (&foreseen["badLines"], &foreseen["problems"]));
    let reasons: Vec<&Value> = summary["failed"].as_array().unwrap().iter().map(|user| &user["errors"][0]).collect();
    let told: Vec<&Value> = check["failing"].as_array().unwrap().iter().map(|user| &user["reason"]).collect();
    assert_eq!(reasons, told);
    assert_eq!(workspace.count_imported().await, 994 + 2);
}

/// The same 100,000 users twice, under every rule; prints how long it takes.
#[tokio::test]
#[ignore = "takes minutes, and measures"]
async fn a_hundred_thousand_users_every_night() {
    let (workspace, service) = served().await;
    let collation = mongodb::options::Collation::builder()
        .locale("en")
        .strength(mongodb::options::CollationStrength::Secondary)
        .build();
    for (field, collation) in
        [("importIds", None), ("username", Some(collation.clone())), ("emails.address", Some(collation))]
    {
        let options =
            mongodb::options::IndexOptions::builder().name(format!("{field}_like")).collation(collation).build();
        let index = mongodb::IndexModel::builder().keys(doc! { field: 1 }).options(options).build();
        workspace.collection("users").create_index(index).await.unwrap();
    }
    let file = File::new("users.csv", csv_of(0..100_000));
    let began = Instant::now();
    let first = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    println!("first night: {:.1} s", began.elapsed().as_secs_f64());
    let before = (writes(&workspace, "users").await, writes(&workspace, "rocketchat_subscription").await);
    for rule in ["skip", "link", "update"] {
        let began = Instant::now();
        let again = call(&service.address, &["users", file.path(), "--run", "--json", "--on-existing", rule]).await;
        println!("{rule}: {:.1} s, {}", began.elapsed().as_secs_f64(), summary(&again)["run"]);
        assert_eq!((again.code, &summary(&again)["staged"]), (Some(0), &json!(0)));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let after = (writes(&workspace, "users").await, writes(&workspace, "rocketchat_subscription").await);
    println!("writes to users and rocketchat_subscription: {before:?} before, {after:?} after");
    assert_eq!(after, before);
}
