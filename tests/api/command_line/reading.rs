//! Files that are fit to be imported although no program of ours wrote them.

use std::{io::Write as _, process::Stdio};

use serde_json::{Value, json};

use super::{File, add_roles, call, summary, workbooks};
use crate::harness::{program, run, served};

/// The problems and warnings of a file, as `(line, kind)`.
fn kinds(summary: &Value, list: &str) -> Vec<(u64, String)> {
    let problems = summary[list].as_array().unwrap().iter();
    problems.map(|problem| (problem["line"].as_u64().unwrap(), problem["kind"].as_str().unwrap().to_owned())).collect()
}

async fn checked(name: &str, text: impl AsRef<[u8]>, flags: &[&str]) -> Value {
    let file = File::new(name, text);
    let arguments = [&["users", file.path(), "--dry-run", "--json"], flags].concat();
    summary(&run(&arguments, &[]).await)
}

/// Stages a file and returns the staged users, by user name.
async fn staged(name: &str, text: impl AsRef<[u8]>, flags: &[&str]) -> Vec<Value> {
    let (workspace, service) = served().await;
    add_roles(&workspace).await;
    let file = File::new(name, text);
    let arguments = [&["users", file.path()], flags].concat();
    let finished = call(&service.address, &arguments).await;
    assert!(matches!(finished.code, Some(0 | 1)), "{finished:?}");
    let mut users = workspace.staged_data().await;
    assert!(users.iter_mut().all(|user| user.remove("line").is_some()), "{users:?}");
    users.into_iter().map(|user| bson::Bson::Document(user).into_relaxed_extjson()).collect()
}

#[tokio::test]
async fn lines_that_end_with_a_carriage_return_are_counted_as_lines() {
    let mac = "username,emails,importIds\rann,ann@corp.example,1\rbea,,2\r";
    let summary = checked("mac.csv", mac, &[]).await;
    assert_eq!((&summary["users"], kinds(&summary, "problems")), (&json!(1), vec![(3, "missing".to_owned())]));
    let mixed = "username,emails,importIds,bio\r\nann,ann@corp.example,1,\"two\r\nlines\"\nbea,,2,\r\ncid,c@corp.example,3,\n\n\n";
    let summary = checked("mixed.csv", mixed, &[]).await;
    assert_eq!((&summary["users"], kinds(&summary, "problems")), (&json!(2), vec![(4, "missing".to_owned())]));
    let person = |number: usize| {
        format!("{{\"username\":\"u{number}\",\"emails\":[\"u{number}@corp.example\"],\"importIds\":[\"{number}\"]}}")
    };
    let entry = |number: usize| {
        let id = format!("uid: u{number}\nmail: u{number}@corp.example\nemployeeNumber: {number}\n");
        format!("dn: uid=u{number}\nobjectClass: person\n{id}").trim_end().to_owned()
    };
    for end in ["\n", "\r\n", "\r"] {
        let lines = [person(1), String::new(), "{\"username\":".to_owned(), person(2), person(3)];
        let summary = checked("people.jsonl", lines.join(end), &[]).await;
        let problems = vec![(3, "syntax".to_owned())];
        assert_eq!((&summary["users"], kinds(&summary, "problems")), (&json!(3), problems), "{end:?}: {summary}");
        let entries = [entry(1), entry(2).replace("mail: ", "mail:: "), entry(3), String::new()];
        let summary = checked("people.ldif", entries.join("\n\n").replace('\n', end), &[]).await;
        let problems = vec![(7, "syntax".to_owned())];
        assert_eq!((&summary["users"], kinds(&summary, "problems")), (&json!(2), problems), "{end:?}: {summary}");
    }
    let mixed = format!("{}\r{}\r\n{}\n\r\n{{\r{}", person(1), person(2), person(3), person(4));
    let summary = checked("people", mixed, &[]).await;
    assert_eq!((&summary["users"], kinds(&summary, "problems")), (&json!(4), vec![(5, "syntax".to_owned())]));
}

#[tokio::test]
async fn blanks_round_commas_and_quotation_marks_are_no_part_of_a_value() {
    let text = "username, emails, importIds\nann , \"ann@corp.example\" , 7\n\"bea\", bea@corp.example\u{a0}, 8\n";
    let users = staged("blanks.csv", text, &[]).await;
    let found: Vec<_> =
        users.iter().map(|user| (&user["username"], &user["emails"][0], &user["importIds"][0])).collect();
    assert_eq!(
        found,
        [
            (&json!("ann"), &json!("ann@corp.example"), &json!("7")),
            (&json!("bea"), &json!("bea@corp.example"), &json!("8")),
        ]
    );
    let apostrophes = checked("a.csv", "username,emails,importIds\nbea,'bea@corp.example',8\n", &[]).await;
    assert_eq!(kinds(&apostrophes, "warnings"), [(2, "address".to_owned())], "{apostrophes}");
}

#[tokio::test]
async fn what_a_spreadsheet_leaves_behind_is_passed_over_or_named() {
    let text = "sep=;\r\nusername;emails;importIds;deleted;;\r\nann;ann@corp.example\u{a0};007;;;\r\n\
                bea;„bea@corp.example“;8;WAHR;;\r\ncid;“cid@corp.example”;9;true;;\r\n;;;;;\r\n;;;;;\r\n";
    let summary = checked("sheet.csv", text, &[]).await;
    assert_eq!(summary["users"], 2);
    assert_eq!(kinds(&summary, "problems"), [(4, "value".to_owned())]);
    assert_eq!(kinds(&summary, "warnings"), [(5, "typographic-quotes".to_owned())]);
    let users = staged("sheet.csv", text, &["--skip-bad"]).await;
    assert_eq!((&users[0]["emails"][0], &users[0]["importIds"][0]), (&json!("ann@corp.example"), &json!("007")));
    let empty_first_column = checked("a.csv", ",username,emails,importIds\n,ann,ann@corp.example,1\n", &[]).await;
    assert_eq!(empty_first_column["users"], 1);
    for line_end in ["\n", "\r\n", "\r"] {
        let rows = ["sep=\t", "username\temails\timportIds", "ann\tann@corp.example\t„8“", ""];
        let summary = checked("tabs.csv", &rows.join(line_end), &[]).await;
        assert_eq!(summary["users"], 1, "{line_end:?}: {summary}");
        assert_eq!(kinds(&summary, "warnings"), [(3, "typographic-quotes".to_owned())], "the import id: {summary}");
    }
}

#[tokio::test]
async fn headers_in_other_words_are_understood_and_the_rest_can_be_mapped() {
    let text = "Login Name;E-Mail;Full Name;Employee Number;Kostenstelle\nann;ann@corp.example;Ann Lee;7;K1\n";
    let refused = checked("words.csv", text, &[]).await;
    assert_eq!(kinds(&refused, "problems"), [(1, "unknown-column".to_owned())]);
    for flags in [&["--ignore-unknown"][..], &["--map", "kostenstelle="]] {
        let summary = checked("words.csv", text, flags).await;
        assert_eq!(summary["users"], 1, "{summary}");
    }
    let users =
        staged("words.csv", text, &["--map", "Kostenstelle=bio", "--constant", "roles=user;livechat-agent"]).await;
    let expected = json!({
        "username": "ann", "emails": ["ann@corp.example"], "name": "Ann Lee", "importIds": ["7"], "bio": "K1",
        "roles": ["user", "livechat-agent"],
    });
    assert_eq!(users, [expected]);
    for (flags, words) in [
        (["--map", "a=b"], "b is no field of a user"),
        (["--map", "a"], "is not COLUMN=FIELD"),
        (["--constant", "emails=a@b.example"], "emails cannot be the same for all users"),
        (["--constant", "deleted=maybe"], "deleted must be one of true"),
    ] {
        let file = File::new("words.csv", text);
        let finished = run(&["users", file.path(), "--dry-run", flags[0], flags[1]], &[]).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.errors.contains(flags[0]) && finished.errors.contains(words), "{finished:?}");
    }
}

#[tokio::test]
async fn text_in_any_encoding_that_is_marked_or_named_is_read() {
    let text = "username,emails,importIds,name\nann,ann@corp.example,1,Ännchen Łąka\n";
    let marked = |bytes: Vec<u8>, mark: &[u8]| [mark, &bytes].concat();
    let little = || text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let big = || text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let central_european: Vec<u8> = text
        .chars()
        .map(|sign| match sign {
            'Ä' => 0xc4,
            'Ł' => 0xa3,
            'ą' => 0xb9,
            other => other as u8,
        })
        .collect();
    for (bytes, flags) in [
        (text.as_bytes().to_vec(), &[][..]),
        (marked(text.as_bytes().to_vec(), b"\xef\xbb\xbf"), &[]),
        (marked(little(), b"\xff\xfe"), &[]),
        (marked(big(), b"\xfe\xff"), &[]),
        (little(), &["--encoding", "utf-16le"]),
        (central_european, &["--encoding", "windows-1250"]),
    ] {
        let users = staged("a.csv", bytes, flags).await;
        assert_eq!(users[0]["name"], "Ännchen Łąka", "{flags:?}");
    }
}

#[tokio::test]
async fn workbooks_are_read_as_they_are_shown_from_the_first_sheet_or_the_one_that_is_named() {
    let header: &[&str] = &["Username", "E-Mail", "Employee Number", "Display Name"];
    let first: &[&[&str]] =
        &[header, &["ann", " ann@corp.example\u{a0}", "007", "Ann Lee"], &[""], &["bea", "bea@corp.example", "8"]];
    let second: &[&[&str]] = &[header, &["cid", "cid@corp.example", "9", "Cid"]];
    let workbook = workbooks::xlsx(&[("People", first), ("More", second)]);
    for (name, bytes, flags, expected) in [
        ("a.xlsx", workbook.clone(), &[][..], &["ann", "bea"][..]),
        ("a.bin", workbook.clone(), &["--sheet", "more"], &["cid"]),
        ("a.ods", workbooks::ods(first), &[], &["ann", "bea"]),
    ] {
        let users = staged(name, bytes, flags).await;
        let names: Vec<&str> = users.iter().map(|user| user["username"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{name}");
        if expected[0] == "ann" {
            assert_eq!(
                (&users[0]["importIds"][0], &users[0]["emails"][0]),
                (&json!("007"), &json!("ann@corp.example"))
            );
        }
    }
    let number = workbooks::xlsx_with_number(&["username", "emails", "importIds"], "ann", "a@corp.example", 1523.0);
    let users = staged("a.xlsx", number, &[]).await;
    assert_eq!(users[0]["importIds"], json!(["1523"]));
}

#[tokio::test]
async fn a_template_of_every_kind_is_a_file_that_is_read_again() {
    for kind in ["csv", "json", "xlsx"] {
        let output = program(&["users", "--template", kind], &[]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let summary = checked(&format!("users.{kind}"), output.stdout, &[]).await;
        assert_eq!((&summary["users"], &summary["warningCount"]), (&json!(2), &json!(0)), "{kind}: {summary}");
    }
    let none = run(&["users"], &[]).await;
    assert_eq!(none.code, Some(2), "{none:?}");
}

#[tokio::test]
async fn a_pipe_is_read_once_and_its_users_are_imported() {
    let (workspace, service) = served().await;
    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", super::TOKEN),
    ];
    let mut child = program(&["users", "-", "--run", "--json"], &settings)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(super::csv_of(0..700).as_bytes()).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["file"], &summary["run"]["created"]), (&json!("standard input"), &json!(700)));
    assert_eq!(workspace.count_imported().await, 700);
}

#[tokio::test]
async fn users_that_are_hardly_meant_are_warned_about_and_refused_on_demand() {
    let text = "username,emails,importIds\nEve,Eve@corp.example,1\neve,eve@corp.example,2\nann@corp.example,ann,3\nAnn Lee,ann lee@corp.example,4\n";
    let summary = checked("a.csv", text, &[]).await;
    assert_eq!((&summary["users"], &summary["badLines"]), (&json!(4), &json!(0)), "{summary}");
    let expected = [(3, "case-twins"), (3, "case-twins"), (4, "swapped-columns"), (5, "address"), (5, "username")];
    let expected: Vec<_> = expected.into_iter().map(|(line, kind)| (line, kind.to_owned())).collect();
    assert_eq!(kinds(&summary, "warnings"), expected);
    assert!(summary["warnings"][0]["reason"].as_str().unwrap().contains("line 2"), "{summary}");
    for (flags, line) in
        [(&["--refuse-case-twins"][..], 3), (&["--refuse", "swapped-columns"], 4), (&["--refuse", "address"], 5)]
    {
        let summary = checked("a.csv", text, flags).await;
        assert_eq!(
            (&summary["badLines"], summary["problems"][0]["line"].as_u64()),
            (&json!(1), Some(line)),
            "{summary}"
        );
    }
}

#[tokio::test]
async fn without_the_bad_lines_the_others_are_imported_and_the_mended_list_of_the_bad_ones_too() {
    let (workspace, service) = served().await;
    add_roles(&workspace).await;
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects.csv");
    let rejects = rejects.to_str().unwrap();
    let text = "Login;Mail;Personnel Number;Role\nann;ann@corp.example;1;user\nbea;;=2;user\ncid;cid@corp.example;'3;user;x\ndan;ann@corp.example;4;\n";
    let file = File::new("staff.csv", text);
    let finished = call(&service.address, &["users", file.path(), "--skip-bad", "--rejects", rejects, "--run"]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.errors.contains("1 created, 0 failed of 1"), "{finished:?}");
    assert!(finished.errors.contains("3 bad lines left out"), "{finished:?}");
    let list = std::fs::read_to_string(rejects).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "line,reason,Login,Mail,Personnel Number,Role");
    assert!(lines[1].starts_with("3,\"emails missing") || lines[1].starts_with("3,emails missing"), "{list}");
    assert!(lines[1].ends_with(",bea,,'=2,user") && lines[2].ends_with(",cid,cid@corp.example,'3,user,x"), "{list}");
    let again = call(&service.address, &["users", rejects, "--dry-run"]).await;
    assert_eq!(again.code, Some(2), "nothing is mended yet: {again:?}");
    let mended =
        list.replace("bea,,", "bea,bea@corp.example,").replace(",user,x", ",user").replace("dan,ann@", "dan,dan@");
    std::fs::write(rejects, mended).unwrap();
    let finished = call(&service.address, &["users", rejects, "--run"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(workspace.count_imported().await, 4);
    let same = call(&service.address, &["users", file.path(), "--rejects", file.path(), "--dry-run"]).await;
    assert_eq!(same.code, Some(2), "{same:?}");
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), text, "the file of users is never overwritten");
}

#[tokio::test]
async fn lists_of_bad_objects_keep_their_members_and_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rejects.jsonl");
    let text = "{\"emails\":[\"a@corp.example\"],\"importId\":76561198000000001}\n{\"emails\":[],\"importId\":76561198000000002}\n";
    let file = File::new("users.jsonl", text);
    let finished =
        run(&["users", file.path(), "--dry-run", "--skip-bad", "--rejects", path.to_str().unwrap()], &[]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let list = std::fs::read_to_string(&path).unwrap();
    assert!(list.starts_with("{\"line\":2,\"reason\":\"emails missing"), "{list}");
    assert!(list.ends_with("\"emails\":[],\"importId\":76561198000000002}\n"), "{list}");
    let summary = checked("again.jsonl", list.replace("[]", "[\"b@corp.example\"]"), &[]).await;
    assert_eq!(summary["users"], 1, "{summary}");
}

#[tokio::test]
async fn broken_lines_are_in_the_list_as_they_were_and_are_read_again_once_they_are_mended() {
    let (workspace, service) = served().await;
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("left.jsonl");
    let rejects = rejects.to_str().unwrap();
    let json = "{\"username\":\"bea\",\"emails\":[\"bea@corp.example\"],\"importIds\":[\"2\"]\n\
                {\"username\":\"ann\",\"emails\":[\"ann@corp.example\"],\"importIds\":[\"1\"]}\n";
    let ldif = "dn: uid=dan,\n dc=corp\nobjectClass: person\nuid: dan\nmail:: ZGFu*\nemployeeNumber: 4\n\n\
                dn: uid=cid,dc=corp\nobjectClass: person\nuid: cid\nmail: cid@corp.example\nemployeeNumber: 3\n";
    let unfolded = "dn: uid=dan,dc=corp\nobjectClass: person\nuid: dan\nmail:: ZGFu*\nemployeeNumber: 4";
    let object = json.lines().next().unwrap();
    for (name, text, original, wrong, right) in [
        ("people.jsonl", json, object, "[\\\"2\\\"]", "[\\\"2\\\"]}"),
        ("people.ldif", ldif, unfolded, ":: ZGFu*", ": dan@corp.example"),
    ] {
        let file = File::new(name, text);
        let arguments = ["users", file.path(), "--skip-bad", "--rejects", rejects, "--run", "--json"];
        let finished = call(&service.address, &arguments).await;
        assert_eq!((finished.code, &summary(&finished)["rejected"]), (Some(1), &json!(1)), "{finished:?}");
        let list = std::fs::read_to_string(rejects).unwrap();
        let rejected: Value = serde_json::from_str(&list).unwrap();
        let reason = &summary(&finished)["problems"][0]["reason"];
        assert_eq!(rejected, json!({ "line": 1, "reason": reason, "original": original }));

        let again = call(&service.address, &["users", rejects, "--check"]).await;
        assert_eq!(again.code, Some(2), "nothing is mended yet: {again:?}");
        assert!(again.errors.contains("line 1: original is still broken: "), "{again:?}");
        std::fs::write(rejects, list.replace(wrong, right)).unwrap();
        let finished = call(&service.address, &["users", rejects, "--run"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
    assert_eq!(workspace.count_imported().await, 4);
}

#[tokio::test]
async fn bad_lines_of_a_file_that_is_unusable_as_a_whole_cannot_be_passed_over() {
    let (workspace, service) = served().await;
    let header = "username,emails,importIds\nann,ann@corp.example,1\n";
    for text in [
        format!("{header}\"bob,b@corp.example,2\n"),
        format!("{header}importIds,username,emails\n2,bob,b@corp.example\n"),
    ] {
        let file = File::new("a.csv", text);
        let finished = call(&service.address, &["users", file.path(), "--skip-bad", "--run"]).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert_eq!(workspace.operations().await.len(), 0, "nothing was begun");
    }
}
