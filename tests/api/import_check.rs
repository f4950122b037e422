//! Checking a file of users over HTTP.

use std::time::Duration;

use bson::doc;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

use crate::{
    command_line::workbooks,
    harness::{Answer, Framing, Service, eventually, program, served, user},
};

const CHECK: &str = "/api/v1/import.check";
const GOOD: &str = "username,emails,importIds,roles\nann,ann@corp.example,007,user;bot\nbob,bob@corp.example,8,\n";
const BAD: &str = "username,emails,importIds\nann,ann@corp.example,1\nbob,,2\ncid,CID@corp.example,3\nann,d@corp.example,4\n\
                   eve,cid@corp.example\nfay,cid@corp.example,6\n";

async fn check(service: &Service, query: &str, file: impl Into<Vec<u8>>) -> Answer {
    service.post_body(&format!("{CHECK}{query}"), None, file).await
}

async fn summary(service: &Service, query: &str, file: impl Into<Vec<u8>>) -> Value {
    let answer = check(service, query, file).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")), "{answer:?}");
    answer.json()
}

/// The lines of an answer with users.
async fn lines(service: &Service, query: &str, file: impl Into<Vec<u8>>) -> Vec<Value> {
    let answer = check(service, query, file).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/x-ndjson")));
    answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn users_of(lines: &[Value]) -> Vec<Value> {
    lines.iter().filter_map(|line| line.get("user")).cloned().collect()
}

#[tokio::test]
async fn the_problems_of_a_file_are_those_of_the_command_line() {
    let (_workspace, service) = served().await;
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    std::fs::write(file.path(), BAD).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let command = tokio::task::spawn_blocking(move || {
        program(&["users", &path, "--dry-run", "--json"], &[]).output().unwrap().stdout
    });
    let command: Value = serde_json::from_slice(&command.await.unwrap()).unwrap();
    let answer = summary(&service, "", BAD).await;
    for key in ["users", "badLines", "problemCount", "problems", "warningCount", "warnings"] {
        assert_eq!(answer[key], command[key], "{key}");
    }
    assert_eq!((&answer["success"], &answer["isUnusable"]), (&json!(true), &json!(false)));
    assert_eq!((&answer["badLines"], &answer["problems"][0]["line"]), (&json!(3), &json!(3)), "{answer}");

    let lines = lines(&service, "?users=true", BAD).await;
    let problems: Vec<&Value> = lines.iter().filter_map(|line| line.get("problem")).collect();
    let of_command = ["problems", "warnings"].map(|list| command[list].as_array().unwrap());
    assert_eq!(problems.len(), of_command[0].len() + of_command[1].len(), "{lines:?}");
    assert!(of_command.into_iter().flatten().all(|problem| problems.contains(&problem)), "{lines:?}");
    let end = &lines.last().unwrap()["end"];
    assert_eq!((&end["users"], &end["problemCount"]), (&command["users"], &command["problemCount"]));
}

#[tokio::test]
async fn the_lines_that_cannot_be_imported_are_listed_as_the_command_line_lists_them() {
    let (_workspace, service) = served().await;
    let folder = tempfile::tempdir().unwrap();
    let jsonl =
        "{\"username\":\"ann\",\"importIds\":[\"1\"]}\n{\"emails\":[\"b@corp.example\"],\"importIds\":[\"2\"]}\n";
    let broken = "{\"username\":\"ann\n7\n{\"emails\":[\"b@corp.example\"],\"importIds\":[\"2\"]}\n";
    let ldif = "dn: uid=ann\nobjectClass: person\nuid: ann\ncn:: Sm9z*\n\ndn: uid=bea\nobjectClass: person\nuid: bea\n\
                mail: bea@corp.example\nemployeeNumber: 2\n";
    for (name, file) in
        [("bad.csv", BAD), ("bad.jsonl", jsonl), ("broken.jsonl", broken), ("broken.ldif", ldif), ("good.csv", GOOD)]
    {
        let [path, rejects] = [name, "rejects"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        std::fs::write(&path, file).unwrap();
        let arguments = ["users", &path, "--dry-run", "--rejects", &rejects];
        let ran = crate::harness::run(&arguments, &[]).await;
        let expected = std::fs::read_to_string(&rejects).unwrap();
        assert_eq!(expected.is_empty(), name == "good.csv", "{ran:?}");
        for query in ["rejects=true", "rejects=true&users=true", "rejects=true&workspace=true"] {
            let found = lines(&service, &format!("?{query}&name={name}"), file).await;
            let pieces = found.iter().filter_map(|line| line.get("rejects")?.as_str());
            assert_eq!(pieces.collect::<String>(), expected, "{query}");
            assert_eq!(users_of(&found).is_empty(), !query.contains("users"), "{query}");
            assert!(found.last().unwrap().get("end").is_some(), "{query}");
        }
    }

    let refused = "username,emails,importIds,roles\nann,ann@corp.example,1,nobody\nbob,bob@corp.example,2,\n";
    let found = lines(&service, "?rejects=true&workspace=true", refused).await;
    let list = found.iter().find_map(|line| line.get("rejects")?.as_str()).unwrap();
    let (header, row) = list.trim_end().split_once('\n').unwrap();
    assert_eq!(header, "line,reason,username,emails,importIds,roles");
    assert!(row.starts_with("2,") && row.ends_with(",ann,ann@corp.example,1,nobody"), "{row}");
}

#[tokio::test]
async fn the_users_of_a_file_are_those_that_the_command_stages_and_nothing_is_stored() {
    let (workspace, service) = served().await;
    let found = lines(&service, "?users=true", GOOD).await;
    let ann =
        json!({ "username": "ann", "emails": ["ann@corp.example"], "importIds": ["007"], "roles": ["user", "bot"] });
    assert_eq!(found[0], json!({ "user": ann, "line": 2 }));
    assert_eq!(found[2]["end"]["users"], 2, "{found:?}");
    assert_eq!((workspace.operations().await.len(), workspace.count_staged().await), (0, 0));

    let answer = service.post("/api/v1/import.new", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = service.post("/api/v1/import.addUsers", &json!({ "users": users_of(&found) })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let by_api = workspace.staged_data().await;
    let finished = crate::command_line::call_with_file(&service.address, "good.csv", GOOD).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let mut by_command = workspace.staged_data().await;
    let lines: Vec<_> = by_command.iter_mut().map(|user| user.remove("line").unwrap().as_i32()).collect();
    assert_eq!((by_command, lines), (by_api, vec![Some(2), Some(3)]));
}

#[tokio::test]
async fn every_format_is_seen_by_its_content_or_named() {
    let (_workspace, service) = served().await;
    let ann = json!({ "username": "ann", "emails": ["ann@corp.example"], "importIds": ["7"] });
    let bob = json!({ "username": "bob", "emails": ["bob@corp.example"], "importIds": ["8"] });
    let csv = "username;emails;importIds\nann;ann@corp.example;7\nbob;bob@corp.example;8\n";
    let header = ["username", "emails", "importIds"];
    let rows: [&[&str]; 3] = [&header, &["ann", "ann@corp.example", "7"], &["bob", "bob@corp.example", "8"]];
    let json_text = json!([ann, bob]).to_string();
    let jsonl = format!("{ann}\n{bob}\n");
    for (format, file) in [
        ("csv", csv.as_bytes().to_vec()),
        ("xlsx", workbooks::xlsx(&[("Users", &rows)])),
        ("json", json_text.into_bytes()),
        ("jsonl", jsonl.into_bytes()),
    ] {
        for query in ["?users=true".to_owned(), format!("?users=true&format={format}")] {
            let found = lines(&service, &query, file.clone()).await;
            assert_eq!(users_of(&found), [ann.clone(), bob.clone()], "{query}");
        }
    }
    let ldif = "dn: uid=ann\nobjectClass: person\nuid: ann\nmail: ann@corp.example\nemployeeNumber: 7\ncn: Ann\n";
    let found = lines(&service, "?users=true&format=ldif", ldif).await;
    assert_eq!((&found[0]["user"]["username"], &found[1]["end"]["findings"]["from"]), (&json!("ann"), &json!("ldap")));
    let alone = ann.to_string();
    assert_eq!(users_of(&lines(&service, "?users=true&name=a.jsonl", alone).await), [ann]);
}

#[tokio::test]
async fn the_options_of_the_command_line_are_parameters() {
    let (_workspace, service) = served().await;
    let text = "Login;E-Mail;Dept;Site\nann;ann@corp.example;IT;\u{c4}\n";
    let refused = summary(&service, "", text).await;
    assert_eq!((&refused["isUnusable"], &refused["problems"][0]["severity"]), (&json!(true), &json!("fatal")));
    let query = "?users=true&map=Dept%3Dbio&map=Site=&constant=roles%3Dbot&importIdFrom=username&constant=type%3Dbot";
    let ann = json!({
        "username": "ann", "emails": ["ann@corp.example"], "bio": "IT", "roles": ["bot"], "type": "bot",
        "importIds": ["ann"],
    });
    assert_eq!(users_of(&lines(&service, query, text).await), [ann]);
    let latin = b"username,emails,importIds,name\nann,ann@corp.example,1,\xc4nn\n".to_vec();
    let found = lines(&service, "?users=true&encoding=windows-1252&ignoreUnknown=true", latin).await;
    assert_eq!(found[0]["user"]["name"], "\u{c4}nn");
    let sheets: [(&str, &[&[&str]]); 2] =
        [("A", &[&["x"]]), ("B", &[&["username", "emails", "importIds"], &["ann", "a@corp.example", "1"]])];
    let found = summary(&service, "?sheet=B", workbooks::xlsx(&sheets)).await;
    assert_eq!(found["users"], 1, "{found}");

    for (query, words) in [
        ("?format=pdf", "format: must be one of csv, xlsx"),
        ("?map=a%3Db", "map: b is no field of a user"),
        ("?encoding=klingon", "encoding: klingon is not known"),
        ("?users=maybe", "users: must be true or false"),
        ("?colour=red", "colour: there is no such parameter"),
    ] {
        let answer = check(&service, query, GOOD).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["errorType"]), (400, &json!("error-invalid-params")));
        assert!(answer.json()["error"].as_str().unwrap().starts_with(words), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_thousand_problems_are_listed_and_all_are_counted() {
    let (_workspace, service) = served().await;
    let rows = (0..1500).map(|number| format!("user{number},,{number}\n")).collect::<Vec<_>>().concat();
    let found = summary(&service, "", format!("username,emails,importIds\n{rows}")).await;
    assert_eq!((&found["problemCount"], found["problems"].as_array().unwrap().len()), (&json!(1500), 1000));
}

#[tokio::test]
async fn files_over_the_limit_and_callers_without_the_permission_are_refused() {
    let (workspace, service) = served().await;
    let answer =
        service.post_of_length(("admin", "admin-token"), CHECK, 50 * 1024 * 1024 + 1, Framing::ContentLength).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let bomb = summary(&service, "", workbooks::bomb()).await;
    assert_eq!(bomb["isUnusable"], true, "{bomb}");
    workspace.add_user(user("clerk").with_token("clerk-token")).await;
    let answer = service.send(by(&service, "clerk").body(GOOD)).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    let answer = service.send(service.request(Method::POST, CHECK).body(GOOD)).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
}

fn by(service: &Service, name: &str) -> RequestBuilder {
    let token = format!("{name}-token");
    service.request(Method::POST, CHECK).header("X-User-Id", name).header("X-Auth-Token", token)
}

/// Sends the head of a check and a part of its body.
async fn half_sent(service: &Service, name: &str) -> TcpStream {
    let mut connection = service.connect().await.unwrap();
    let head = format!(
        "POST {CHECK} HTTP/1.1\r\nHost: chat\r\nX-User-Id: {name}\r\nX-Auth-Token: {name}-token\r\nContent-Length: {}\r\n\r\nuser",
        GOOD.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

/// The refusal of a check beside `first`, which is sent anew if another check was before it.
async fn eventually_refused(service: &Service, first: &mut TcpStream) -> Answer {
    let mut refusal = None;
    eventually("a second check is refused", Duration::from_secs(30), async || {
        sleep(Duration::from_millis(300)).await;
        let answer = check(service, "", GOOD).await;
        let is_in_work = first.try_read(&mut [0; 1]).is_err();
        if !is_in_work {
            *first = half_sent(service, "admin").await;
        }
        refusal = (is_in_work && answer.status != 200).then_some(answer);
        refusal.is_some()
    })
    .await;
    refusal.unwrap()
}

#[tokio::test]
async fn a_caller_has_one_check_at_a_time() {
    let (workspace, service) = served().await;
    workspace.add_user(user("bob").admin().with_token("bob-token")).await;
    let mut first = half_sent(&service, "admin").await;
    let refused = eventually_refused(&service, &mut first).await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    let words = "A check of yours is still in work";
    assert!(refused.json()["error"].as_str().unwrap().starts_with(words), "{}", refused.body);
    let other = service.send(by(&service, "bob").body(GOOD)).await;
    assert_eq!(other.status, 200, "another caller is not kept out: {}", other.body);

    first.write_all(&GOOD.as_bytes()["user".len()..]).await.unwrap();
    let mut answer = [0; 15];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    assert_eq!(check(&service, "", GOOD).await.status, 200);
    let broken = half_sent(&service, "admin").await;
    drop(broken);
    eventually("the place of a caller who is gone is free", Duration::from_secs(20), async || {
        check(&service, "", GOOD).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn an_instance_reads_two_files_at_once() {
    let (workspace, service) = served().await;
    let rows: Vec<String> = (0..150_000).map(|number| format!("u{number},u{number}@corp.example,{number}\n")).collect();
    let rows = rows.concat();
    let large = format!("username,emails,importIds\n{rows}");
    let mut taken = Vec::new();
    for name in ["bob", "cid"] {
        workspace.add_user(user(name).admin().with_token(&format!("{name}-token"))).await;
        let request = by(&service, name).query(&[("users", "true")]).body(large.clone());
        // Nobody takes the rest of it.
        taken.push(request.send().await.unwrap());
    }
    assert!(taken.iter().all(|answer| answer.status() == 200));
    let refused = check(&service, "", GOOD).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, Some("5")), "{}", refused.body);
    assert_eq!(refused.json()["errorType"], "error-service-overloaded");
    drop(taken);
    eventually("the places are free again", Duration::from_secs(20), async || {
        check(&service, "", GOOD).await.status == 200
    })
    .await;
    let leftover = workspace.collection("rocketchat_import_data").count_documents(doc! {}).await.unwrap();
    assert_eq!(leftover, 0);
}
