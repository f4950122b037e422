//! Servers that cannot be reached or refuse, and settings that are wrong.

use std::{
    process::{Child, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use super::{File, call, csv_of, summary};
use crate::harness::{Finished, Service, eventually, operation, program, run, served, staged_users};

/// As long as an outage is borne.
const PATIENCE_WITH_OUTAGES: Duration = Duration::from_secs(30);

/// Begins a command of the administrator whose output is kept.
fn begun(service: &Service, arguments: &[&str]) -> Child {
    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
    ];
    program(arguments, &settings).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

async fn interrupted(child: Child) -> (Output, String) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    ended(child).await
}

/// What the command printed, once it has ended.
async fn ended(child: Child) -> (Output, String) {
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    (output, errors)
}

#[tokio::test]
async fn a_wrong_token_ends_with_3_and_is_not_shown() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..3));
    for command in [&["status"][..], &["status", "--watch"], &["users", file.path()]] {
        for filter in ["info", "trace"] {
            let settings = [("ROCKETCHAT_AUTH_TOKEN", "wr0ng-token"), ("RUST_LOG", filter)];
            let arguments = [command, &["--url", &service.address, "--user-id", "admin"]].concat();
            let finished = run(&arguments, &settings).await;
            assert_eq!(finished.code, Some(3), "{finished:?}");
            assert!(finished.errors.contains("401"), "{finished:?}");
            assert!(!finished.errors.contains("wr0ng-token") && finished.output.is_empty(), "{finished:?}");
        }
    }
    assert_eq!(workspace.operations().await.len(), 0);
}

#[tokio::test]
async fn a_user_without_the_permission_ends_with_3() {
    let (workspace, service) = served().await;
    workspace.grant("run-import", &[]).await;
    let finished = call(&service.address, &["status"]).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.errors.contains("does not have the permissions"), "{finished:?}");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_ends_with_3() {
    let file = File::new("users.csv", csv_of(0..3));
    for command in [&["status", "--json"][..], &["status", "--watch"], &["users", file.path()]] {
        let arguments = [command, &["--retry-for", "1"]].concat();
        let finished = call("http://127.0.0.1:1", &arguments).await;
        assert_eq!((finished.code, finished.output.as_str()), (Some(3), ""), "{finished:?}");
        assert!(
            finished.errors.contains("trying again") && finished.errors.contains("cannot be reached"),
            "{finished:?}"
        );
    }
}

#[tokio::test]
async fn a_refused_batch_ends_with_3_and_names_its_lines() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", "email,importId,roles\na@b.c,1,\nb@b.c,2,no-such-role\n");
    let finished = call(&service.address, &["users", file.path(), "--batch", "1"]).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.errors.contains("lines 3 to 3") && finished.errors.contains("invalid roles"), "{finished:?}");
    assert!(
        finished.errors.contains("(import id 2: there is no role no-such-role: give the id of one that is there)"),
        "{finished:?}"
    );
    assert_eq!((workspace.count_staged().await, workspace.count_imported().await), (1, 0));
}

#[tokio::test]
async fn an_import_that_runs_is_not_ended_unless_that_is_asked_for() {
    let (workspace, service) = served().await;
    workspace.add_operation(operation("running").with("status", "importer_importing_users")).await;
    let file = File::new("users.csv", csv_of(0..3));
    let refused = call(&service.address, &["users", file.path()]).await;
    assert_eq!((refused.code, workspace.operations().await.len()), (Some(3), 1), "{refused:?}");
    assert!(refused.errors.contains("--replace"), "{refused:?}");
    let replaced = call(&service.address, &["users", file.path(), "--replace"]).await;
    assert_eq!((replaced.code, workspace.operations().await.len()), (Some(0), 2), "{replaced:?}");
}

#[tokio::test]
async fn the_token_may_lie_in_a_file_and_a_flag_wins_over_the_environment() {
    let (_workspace, service) = served().await;
    let token = File::new("token", "admin-token\n");
    let status = |token: &'static [&'static str], settings: Vec<(&'static str, String)>| {
        let arguments: Vec<&str> = [&["status", "--url", &service.address, "--user-id", "admin"], token].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
            run(&arguments, &settings).await.code
        }
    };
    let file = ("ROCKETCHAT_AUTH_TOKEN_FILE", token.path().to_owned());
    let wrong = ("ROCKETCHAT_AUTH_TOKEN", "wr0ng".to_owned());
    assert_eq!(status(&[], vec![file.clone()]).await, Some(0));
    assert_eq!(status(&["--token", "admin-token"], vec![wrong.clone()]).await, Some(0));
    assert_eq!(status(&["--token", "wr0ng"], vec![file]).await, Some(3));
    assert_eq!(status(&["--token-file", "/no/such/file"], vec![wrong]).await, Some(2));
    assert_eq!(status(&[], vec![]).await, Some(2));
}

#[tokio::test]
async fn wrong_usage_ends_with_2() {
    let told = |finished: Finished| (finished.code, finished.output);
    for arguments in [
        &["status", "--url", "ftp://host", "--user-id", "a", "--token", "b"][..],
        &["status", "--url", "http://host", "--token", "b"],
        &["status", "--interval", "0"],
        &["users"],
        &["users", "users.csv", "--dry-run", "--run"],
        &["completions", "teletype"],
    ] {
        assert_eq!(told(run(arguments, &[]).await), (Some(2), String::new()), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_wrong_server_or_token_is_one_sentence_before_the_file_is_read() {
    let (_workspace, service) = served().await;
    // There is no such file, and nobody comes to look for it.
    let wrong_token = run(
        &["users", "/no/such/file.csv", "--url", &service.address, "--user-id", "admin"],
        &[("ROCKETCHAT_AUTH_TOKEN", "wr0ng-token")],
    )
    .await;
    assert_eq!(wrong_token.code, Some(3), "{wrong_token:?}");
    assert!(wrong_token.errors.contains("401") && !wrong_token.errors.contains("file.csv"), "{wrong_token:?}");
    let no_scheme = call("chat.example.com", &["users", "/no/such/file.csv"]).await;
    assert_eq!(no_scheme.code, Some(2), "{no_scheme:?}");
    assert!(
        no_scheme.errors.contains("chat.example.com has no scheme: give https://chat.example.com"),
        "{no_scheme:?}"
    );
}

/// The address of a server whose certificate is for this name and signed by itself, and the certificate.
async fn self_signed(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(acceptor.accept(stream));
        }
    });
    (format!("https://localhost:{port}"), made.cert.pem())
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_and_a_server_without_one_are_one_sentence_and_not_waited_for() {
    let (_workspace, service) = served().await;
    let plain = service.address.replace("http://127.0.0.1", "https://localhost");
    let (unknown, _) = self_signed("localhost").await;
    let (misnamed, certificate) = self_signed("chat.example.com").await;
    let trusted = File::new("authority.pem", certificate);
    for (url, authorities, words) in [
        (plain, "/dev/null", "the server does not speak TLS here: give http://"),
        (unknown, "/dev/null", "certificate is not accepted: nobody whom this machine trusts has signed it"),
        (misnamed, trusted.path(), "certificate is not accepted: it is for another name"),
    ] {
        let settings = [
            ("ROCKETCHAT_URL", url.as_str()),
            ("ROCKETCHAT_USER_ID", "admin"),
            ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
            ("SSL_CERT_FILE", authorities),
        ];
        let begun = Instant::now();
        let finished = run(&["users", "/no/such/file.csv"], &settings).await;
        assert_eq!((finished.code, finished.errors.lines().count()), (Some(3), 1), "{finished:?}");
        assert!(finished.errors.contains(words), "{finished:?}");
        assert!(begun.elapsed() < PATIENCE_WITH_OUTAGES, "{finished:?}");
    }
}

#[tokio::test]
async fn what_a_new_import_takes_the_place_of_is_named_and_without_a_terminal_refused_with_3_unless_replace_is_given() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..3));
    for (status, is_over, words, way_out) in [
        (
            "importer_preparing_users",
            false,
            "a file is being read for operation before (api)",
            "wait for its end, or give --replace to have it ended",
        ),
        (
            "importer_user_selection",
            true,
            "7 users of operation before (api) are staged and were never run",
            "nothing was sent; give --replace=staged to go on",
        ),
        (
            "importer_done",
            true,
            "2 failed users of operation before (api) would leave the staging area",
            "nothing was sent; give --replace=staged to go on",
        ),
    ] {
        let count = bson::doc! { "total": 7, "users": 7, "completed": 5, "error": 2 };
        let before = operation("before").with("status", status).with("count", count).document();
        for (flag, goes) in [("", false), ("--replace=staged", is_over), ("--replace", true)] {
            workspace.only_operation(before.clone()).await;
            let mut arguments = vec!["users", file.path()];
            arguments.extend(Some(flag).filter(|flag| !flag.is_empty()));
            let finished = call(&service.address, &arguments).await;
            assert_eq!(finished.code, Some(if goes { 0 } else { 3 }), "{flag}: {finished:?}");
            if !goes {
                assert!(finished.errors.contains(words) && finished.errors.contains(way_out), "{finished:?}");
            }
            assert_eq!(workspace.operations().await.len(), if goes { 2 } else { 1 }, "{status} {flag}");
        }
    }
}

#[tokio::test]
async fn ctrl_c_during_a_run_says_that_it_goes_on_and_how_to_follow_it() {
    let (workspace, service) = served().await;
    let rows: String = (0..300).flat_map(|n| [format!("user{n},user{n}@example.com,id{n},a pass phrase\n")]).collect();
    let file = File::new("users.csv", format!("username,emails,importIds,password\n{rows}"));
    let child = begun(&service, &["users", file.path(), "--run"]);
    eventually("the run begins", Duration::from_secs(60), async || {
        service.status().await.json()["state"] == "importing"
    })
    .await;
    // It may still be on its way to follow the run.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (output, errors) = interrupted(child).await;
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("the import goes on at the server; rocketchat-import status --watch"), "{errors}");
    service.wait_for_state("done").await;
    assert_eq!(workspace.count_imported().await, 300);
}

#[tokio::test]
async fn a_file_of_which_a_part_is_staged_is_never_advised_to_be_run() {
    let (workspace, service) = served().await;
    let text = |role: &str| {
        let row = |number: usize| {
            let role = if number == 698 { role } else { "user" };
            format!("user{number},user{number}@example.com,id{number},{role}\n")
        };
        std::iter::once("username,emails,importIds,roles\n".to_owned()).chain((0..1000).map(row)).collect::<String>()
    };
    let file = File::new("f.csv", text("ghost"));
    let arguments = ["users", file.path(), "--run", "--json", "--on-existing", "fail"];
    let refused = call(&service.address, &arguments).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    let told = summary(&refused);
    assert_eq!((&told["staged"], &told["run"]), (&json!(500), &Value::Null), "{told}");
    let operation = told["operation"].as_str().unwrap();
    let sentence = format!("only 500 of 1000 users are staged in operation {operation}, and nothing was run");
    let way_on =
        "mend what the error names, then give the same command: it goes on, or starts over if the file was changed";
    assert!(refused.errors.contains(&sentence) && refused.errors.contains(way_on), "{refused:?}");
    assert!(!refused.errors.contains("import.run starts it"), "{refused:?}");
    assert_eq!((workspace.count_staged().await, workspace.count_imported().await), (500, 0));

    std::fs::write(file.path(), text("user")).unwrap();
    let mended = call(&service.address, &arguments).await;
    assert!(mended.errors.contains("so all are staged anew"), "{mended:?}");
    assert_eq!((mended.code, workspace.count_imported().await), (Some(0), 1000), "{mended:?}");
}

#[tokio::test]
async fn after_ctrl_c_while_users_are_staged_the_same_command_goes_on_and_stages_nobody_twice() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..3000));
    let child = begun(&service, &["users", file.path(), "--run", "--on-existing", "fail", "--batch", "1"]);
    eventually("some are staged", Duration::from_secs(60), async || workspace.count_staged().await > 3).await;
    let (output, errors) = interrupted(child).await;
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("of 3000 users are staged in operation") && !errors.contains("import.run"), "{errors}");
    assert!(errors.contains("the same command goes on"), "{errors}");
    assert_eq!(workspace.count_imported().await, 0);
    let few = File::new("users.csv", csv_of(0..3));
    let other = call(&service.address, &["users", few.path(), "--run", "--on-existing", "fail"]).await;
    assert_eq!(other.code, Some(3), "{other:?}");
    assert!(other.errors.contains("by a call that was to stage 3000 and was cut short"), "{other:?}");
    let operation = workspace.operations().await[0].get_str("_id").unwrap().to_owned();
    // In larger requests than before.
    let again = call(&service.address, &["users", file.path(), "--run", "--on-existing", "fail", "--json"]).await;
    assert_eq!((again.code, workspace.count_imported().await), (Some(0), 3000), "{again:?}");
    assert!(again.errors.contains(&format!("going on with operation {operation}")), "{again:?}");
    let told = summary(&again);
    assert_eq!((&told["operation"], &told["run"]["failed"]), (&json!(operation), &json!(0)), "{told}");
}

#[tokio::test]
async fn of_two_equal_commands_at_once_none_stages_anybody_twice() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..1500));
    let arguments = ["users", file.path(), "--run", "--on-existing", "fail", "--batch", "1"];
    let first = begun(&service, &arguments);
    eventually("some are staged", Duration::from_secs(60), async || workspace.count_staged().await > 3).await;
    let (output, errors) = ended(begun(&service, &arguments)).await;
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("another call with the same users is at work"), "{errors}");
    let (first, _) = ended(first).await;
    assert_eq!((first.status.code(), workspace.count_imported().await), (Some(0), 1500), "{first:?}");
}

#[tokio::test]
async fn staged_users_of_an_ended_import_are_named_before_another_file_takes_their_place() {
    let (workspace, service) = served().await;
    let other = File::new("other.csv", csv_of(7..9));
    for end in [bson::doc! { "valid": false }, bson::doc! { "status": "importer_import_cancelled" }] {
        workspace.collection("rocketchat_import").delete_many(bson::doc! {}).await.unwrap();
        let id = service.stage(&staged_users(0..7)).await;
        workspace.change_operation(&id, end).await;
        let refused = call(&service.address, &["users", other.path()]).await;
        assert_eq!((refused.code, workspace.count_staged().await), (Some(3), 7), "{refused:?}");
        let sentence = format!(
            "7 users of operation {id} (api) are still staged, and import.resume goes on with them; this import would take \
             their place; nothing was sent; give --replace=staged to go on"
        );
        assert!(refused.errors.contains(&sentence), "{refused:?}");
        let resumed = service.post("/api/v1/import.resume", &json!({})).await;
        assert_eq!(resumed.json()["operation"]["count"]["users"], 7, "{}", resumed.body);
    }
    let replaced = call(&service.address, &["users", other.path(), "--replace=staged"]).await;
    assert_eq!((replaced.code, workspace.count_staged().await), (Some(0), 2), "{replaced:?}");
}

#[tokio::test]
async fn an_ended_import_of_which_nothing_is_staged_is_not_in_the_way_of_the_next() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(7..9));
    service.stage(&staged_users(0..7)).await;
    assert_eq!(service.post("/api/v1/import.clear", &json!({})).await.status, 200);
    let next = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_eq!((next.code, workspace.count_imported().await), (Some(0), 2), "{next:?}");
    let after_a_run = call(&service.address, &["users", file.path()]).await;
    assert_eq!((after_a_run.code, workspace.count_staged().await), (Some(0), 2), "{after_a_run:?}");
}

#[tokio::test]
async fn loaded_records_that_are_no_users_and_an_import_at_an_unknown_step_are_named_too() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..3));
    for (importer, status, count, words, is_over) in [
        (
            "csv",
            "importer_user_selection",
            bson::doc! { "total": 92, "channels": 2, "messages": 90 },
            "2 channels and 90 messages of operation before (csv) are staged and were never run",
            true,
        ),
        (
            "slack",
            "importer_user_selection",
            bson::doc! { "total": 98, "users": 7, "channels": 1, "messages": 90 },
            "7 users, 1 channel and 90 messages of operation before (slack) are staged and were never run",
            true,
        ),
        (
            "omnichannel_contact",
            "importer_user_selection",
            bson::doc! { "total": 1, "contacts": 1 },
            "1 contact of operation before (omnichannel_contact) is staged and was never run",
            true,
        ),
        (
            "api",
            "importer_melting",
            bson::doc! { "total": 7, "users": 7 },
            "operation before (api) is at a step that this program does not know, with 7 users",
            false,
        ),
    ] {
        let before = operation("before").with("importerKey", importer).with("status", status).with("count", count);
        workspace.only_operation(before.document()).await;
        let refused = call(&service.address, &["users", file.path()]).await;
        assert_eq!((refused.code, workspace.operations().await.len()), (Some(3), 1), "{refused:?}");
        assert!(refused.errors.contains(words) && refused.errors.contains("--replace"), "{words}: {refused:?}");
        let staged = call(&service.address, &["users", file.path(), "--replace=staged"]).await;
        assert_eq!(staged.code, Some(if is_over { 0 } else { 3 }), "{staged:?}");
        let replaced = call(&service.address, &["users", file.path(), "--replace"]).await;
        assert_eq!(replaced.code, Some(0), "{replaced:?}");
    }
}
