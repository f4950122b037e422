//! Who is let in, and the answers to the others.

use bson::{Bson, doc};
use futures::future::join_all;
use reqwest::Method;

use crate::harness::{Service, hashed, user, workspace};

const STATUS: &str = "/api/v1/import.status";
const NOT_LOGGED_IN: &str = r#"{"success":false,"error":"You must be logged in to do this.","status":"error","message":"You must be logged in to do this."}"#;

async fn assert_not_logged_in(service: &Service, user_id: &str, token: &str) {
    let answer = service.status_as(user_id, token).await;
    assert_eq!(answer.told(), (401, NOT_LOGGED_IN), "{user_id:?} {token:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_login_token_and_a_personal_access_token_both_let_in() {
    let workspace = workspace().await;
    workspace.add_user(user("second").admin().with_token("login").with_personal_access_token("personal")).await;
    let service = workspace.serve().await;
    for token in ["login", "personal"] {
        assert_eq!(service.status_as("second", token).await.status, 200, "{token}");
    }
}

#[tokio::test]
async fn wrong_missing_or_empty_credentials_are_told_to_log_in() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for (user_id, token) in [
        ("admin", "wrong"),
        ("nobody", "admin-token"),
        ("", "admin-token"),
        ("admin", ""),
        ("", ""),
        // The stored hash is not the token.
        ("admin", &hashed("admin-token")),
        // Text stays text: nothing here is taken for a query.
        (r#"{"$ne":null}"#, "admin-token"),
    ] {
        assert_not_logged_in(&service, user_id, token).await;
    }
    let bare = service.get(STATUS).await;
    assert_eq!(bare.told(), (401, NOT_LOGGED_IN));
    assert_eq!(bare.header("www-authenticate"), None);
}

#[tokio::test]
async fn repeated_and_binary_headers_are_told_to_log_in() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let twice = service
        .request(Method::GET, STATUS)
        .header("X-User-Id", "admin")
        .header("X-Auth-Token", "admin-token")
        .header("X-Auth-Token", "admin-token");
    assert_eq!(service.send(twice).await.status, 401);
    let binary = service
        .request(Method::GET, STATUS)
        .header("X-User-Id", b"\xff\xfe\x80".as_slice())
        .header("X-Auth-Token", b"\xc3\x28".as_slice());
    assert_eq!(service.send(binary).await.body, NOT_LOGGED_IN);
}

#[tokio::test]
async fn a_revoked_token_is_refused_from_the_next_request_on() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    assert_eq!(service.status().await.status, 200);
    workspace.update("users", "admin", doc! { "$set": { "services.resume.loginTokens": [] } }).await;
    assert_not_logged_in(&service, "admin", "admin-token").await;
}

#[tokio::test]
async fn of_many_who_call_at_the_same_time_each_is_let_in_by_its_own_token_alone() {
    let workspace = workspace().await;
    let (ids, tokens): (Vec<_>, Vec<_>) = (0..32).map(|n| (format!("caller-{n}"), format!("token-{n}"))).unzip();
    for (id, token) in ids.iter().zip(&tokens) {
        workspace.add_user(user(id).admin().with_token("of everybody").with_token(token)).await;
    }
    let service = workspace.serve().await;
    for round in 0..20 {
        let calls = (0..ids.len()).flat_map(|n| {
            let other = (n + 1 + round) % tokens.len();
            [(n, tokens[n].as_str(), 200), (n, &tokens[other], 401), (n, "of nobody", 401), (n, "of everybody", 200)]
        });
        let answers = calls.map(|(n, token, expected)| {
            let (service, id) = (&service, &ids[n]);
            async move { (service.status_as(id, token).await.status, expected, id, token) }
        });
        for (status, expected, id, token) in join_all(answers).await {
            assert_eq!(status, expected, "{id} with {token}");
        }
    }
}

#[tokio::test]
async fn an_account_whose_tokens_are_stored_oddly_shuts_nobody_else_out() {
    let workspace = workspace().await;
    let login = |tokens: Bson| doc! { "$set": { "services": { "resume": { "loginTokens": tokens } } } };
    let token = hashed("token");
    let odd = [
        (Bson::from(doc! { "hashedToken": &token }), 200),
        (Bson::from(vec![Bson::Null, Bson::Int32(1), doc! { "hashedToken": &token }.into()]), 200),
        (Bson::from(vec![doc! { "hashedToken": 1 }]), 401),
        (Bson::from(vec![&token]), 401),
        (Bson::from(token.as_str()), 401),
        (Bson::Null, 401),
    ];
    for (number, (tokens, _)) in odd.iter().enumerate() {
        let id = format!("odd-{number}");
        workspace.add_user(user(&id).admin()).await;
        workspace.update("users", &id, login(tokens.clone())).await;
    }
    let service = workspace.serve().await;
    for _ in 0..20 {
        let ids: Vec<_> = (0..odd.len()).map(|number| format!("odd-{number}")).collect();
        let answers = join_all(ids.iter().map(|id| service.status_as(id, "token")));
        let (answers, admin) = futures::join!(answers, service.status());
        assert_eq!(admin.status, 200);
        for (answer, (tokens, expected)) in answers.iter().zip(&odd) {
            assert_eq!(answer.status, *expected, "{tokens}");
        }
    }
}
