//! Wrong settings stop the start, and no setting or request puts a secret into the log.

use std::time::Duration;

use bson::doc;
use tokio::time::timeout;

use crate::harness::{Finished, Service, hashed, run, user, workspace};

const PASSWORD: &str = "s3cr3t-p4ss";
const USABLE_URL: &str = "mongodb://127.0.0.1:1/rocketchat";
const PATIENCE: Duration = Duration::from_secs(20);

async fn assert_refused(command: &str, settings: &[(&str, &str)], named: &str) {
    let finished: Finished = timeout(PATIENCE, run(&[command], settings)).await.expect("it ends by itself");
    assert_eq!(finished.code, Some(2), "{settings:?}: {finished:?}");
    assert_eq!(finished.output, "", "{settings:?}");
    assert_eq!(finished.errors.lines().count(), 1, "{settings:?}: {}", finished.errors);
    assert!(finished.errors.contains(named), "{settings:?}: {}", finished.errors);
    for part in [PASSWORD, "s3cr3t", "p4ss"] {
        assert!(!finished.errors.contains(part), "{settings:?}: {}", finished.errors);
    }
}

#[tokio::test]
async fn a_wrong_setting_stops_the_start_with_one_line_that_names_it() {
    for (name, value) in [
        ("PORT", "no number"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", ""),
        ("BIND_IP", "localhost"),
        ("BIND_IP", "256.0.0.1"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("HTTP_FORWARDED_COUNT", "one"),
        ("HTTP_FORWARDED_COUNT", "-1"),
        ("RUST_LOG", "info,rocketchat_import=loudly"),
    ] {
        assert_refused("serve", &[("MONGO_URL", USABLE_URL), (name, value)], name_in_message(name)).await;
    }
}

/// Flags and variables are one setting; the flag is shown where there is one.
fn name_in_message(variable: &str) -> &str {
    match variable {
        "PORT" => "--port",
        "BIND_IP" => "--bind-ip",
        "TRUSTED_PROXIES" => "--trusted-proxies",
        "HTTP_FORWARDED_COUNT" => "--http-forwarded-count",
        other => other,
    }
}

#[tokio::test]
async fn a_database_url_that_cannot_be_used_stops_the_start_without_showing_its_password() {
    for command in ["serve", "migrate"] {
        assert_refused(command, &[], "MONGO_URL").await;
        for url in [
            "",
            "localhost:27017/rocketchat",
            "http://127.0.0.1/rocketchat",
            "mongodb://",
            &format!("mongodb://rc:{PASSWORD}@/rocketchat"),
            &format!("mongodb://rc:{PASSWORD}@db:port/rocketchat"),
            &format!("mongodb://rc:{PASSWORD}@db:1/rocketchat?w=-1"),
            &format!("mongodb://rc:{PASSWORD}@db:1/rocketchat?authMechanism=guess"),
            &format!("mongodb://rc:{PASSWORD}@db:1/rocketchat?readPreference=primary&maxStalenessSeconds=x"),
            &format!("mongodb://rc:{PASSWORD}%zz@db:1/rocketchat"),
            &format!("mongodb://rc:{PASSWORD}/x@db:1/rocketchat"),
            &format!("mongodb://rc:{PASSWORD}@x@db:1/rocketchat"),
            &format!("mongodb://rc:{PASSWORD}:x@db:1/rocketchat"),
            &format!("mongodb://rc:x:{PASSWORD}@db:1/rocketchat"),
            &format!("mongodb://rc:x/{PASSWORD}@db:1/rocketchat"),
            &format!("mongodb://rc:x?{PASSWORD}@db:1/rocketchat"),
            &format!("mongodb://rc:x#{PASSWORD}@db:y/rocketchat"),
            &format!("mongodb://rc:x@{PASSWORD}@db:1/rocketchat"),
            &format!("http://rc:{PASSWORD}@db:1/rocketchat"),
            &format!("rc:{PASSWORD}@db:1/rocketchat"),
            &format!("mongodb://db:1/rocketchat?authMechanism=PLAIN&password={PASSWORD}&w=-1"),
        ] {
            assert_refused(command, &[("MONGO_URL", url)], "MONGO_URL").await;
        }
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_and_ends_the_start() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let port = service.address.rsplit_once(':').unwrap().1;
    let second = run(&["serve"], &[("MONGO_URL", &workspace.url), ("PORT", port)]).await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert_eq!(second.errors.lines().count(), 1, "{second:?}");
    assert!(second.errors.contains(port), "{second:?}");
}

/// The workspace's URL with a name and a password in it.
fn url_with_password(url: &str, password: &str) -> String {
    url.replacen("mongodb://", &format!("mongodb://rc:{password}@"), 1)
}

#[tokio::test]
async fn no_log_level_shows_a_token_a_hash_or_a_password() {
    let workspace = workspace().await;
    workspace.add_user(user("poller").admin().with_token("t0ken-of-poller")).await;
    workspace.database.run_command(doc! { "createUser": "rc", "pwd": PASSWORD, "roles": ["readWrite"] }).await.unwrap();
    let secrets = [
        "t0ken-of-poller",
        &hashed("t0ken-of-poller"),
        "wr0ng-token",
        &hashed("wr0ng-token"),
        "t0ken-in-query",
        PASSWORD,
        "mistaken-p4ss",
    ];
    for (password, expected) in [(PASSWORD, 200), ("mistaken-p4ss", 503)] {
        for filter in ["trace", "trace,actix_http=trace,actix_http::h1=trace,mongodb=trace,mongodb::cmap=trace"] {
            let url = url_with_password(&workspace.url, password);
            let service = Service::start(&[("MONGO_URL", &url), ("RUST_LOG", filter)]).await;
            let answer = service.status_as("poller", "t0ken-of-poller").await;
            assert_eq!(answer.status, expected, "{}", answer.body);
            let refused = service.status_as("poller", "wr0ng-token").await;
            service.get("/api/v1/import.status?access_token=t0ken-in-query").await;
            service.send_raw(b"GET / HTTP/1.1\r\nX-Auth-Token: t0ken-of-poller\0\r\n\r\n").await;
            service.get("/the-last").await;
            service.logged("path=/the-last ").await;
            for secret in secrets {
                assert_eq!(service.log_lines(secret), [""; 0], "{secret} with {filter}");
                assert!(!answer.body.contains(secret) && !refused.body.contains(secret), "{secret}");
            }
        }
    }
}
