//! Files with something wrong in them: told line by line, and nothing of them is sent.

use super::{File, call, summary};
use crate::harness::{run, served};

#[tokio::test]
async fn bad_lines_of_every_format_are_told_by_number_and_nothing_is_staged() {
    let (workspace, service) = served().await;
    let csv = "username,emails,importIds,deleted\n\
               ann,a@b.c,1,false\n\
               bob,,2,false\n\
               cid,c@b.c,3,maybe\n\
               dan,d@b.c,4\n\
               ann,a@b.c,5,no\n";
    let csv_lines: &[&str] = &[
        "line 3: emails missing",
        "line 4: deleted must be true or false, not \"maybe\"",
        "line 5: has 3 columns where the header has 4",
        "line 6: username \"ann\" is that of line 2 too; e-mail \"a@b.c\" is that of line 2 too",
    ];
    let json = "[\n{\"emails\":[\"a@b.c\"],\"importIds\":[\"1\"]},\n{\"emails\":\"b@b.c\"},\n{\"emials\":[\"c@b.c\"],\"importIds\":[\"3\"]}\n]";
    let lines = "{\"emails\":[\"a@b.c\"],\"importIds\":[\"1\"]}\n\n{\"emails\":[\"b@b.c\",\n{\"emails\":[7],\"importIds\":[\"3\"]}\n";
    for (name, text, expected) in [
        ("users.csv", csv, csv_lines),
        (
            "users.json",
            json,
            &["line 3: importIds missing", "line 4: unknown column \"emials\", did you mean \"emails\"?"],
        ),
        ("users.jsonl", lines, &["line 3: not valid JSON", "line 4: emails must be a list of texts, but holds 7"]),
        ("users.json", "[{}", &["line 1: not an array of users"]),
        ("header.csv", "username,emial\nann,a@b.c\n", &["line 1: unknown column \"emial\", did you mean \"email\"?"]),
    ] {
        let file = File::new(name, text);
        let finished = call(&service.address, &["users", file.path(), "--run", "--json"]).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        let told: Vec<&str> = finished.errors.lines().collect();
        assert_eq!(told.len(), expected.len() + 1, "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told} is not {expected}");
        }
        assert_eq!(summary(&finished)["badLines"], expected.len(), "{finished:?}");
        assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));
    }
}

#[tokio::test]
async fn of_very_many_bad_lines_a_hundred_are_listed_and_the_others_counted() {
    let file = File::new("users.csv", format!("email,importId\n{}", ",\n".repeat(250)));
    let finished = run(&["users", file.path(), "--dry-run"], &[]).await;
    assert_eq!(finished.code, Some(2));
    assert_eq!(finished.errors.matches("emails and importIds missing").count(), 100, "{finished:?}");
    assert!(finished.errors.contains("line 101: ") && finished.errors.contains("and 150 more"), "{finished:?}");
}

#[tokio::test]
async fn files_that_cannot_be_used_at_all_end_with_2() {
    let empty = File::new("users.csv", "email,importId\n");
    let unknown = File::new("users.xls", "");
    for path in [empty.path(), unknown.path(), "/no/such/users.csv"] {
        let finished = run(&["users", path, "--dry-run"], &[]).await;
        assert_eq!((finished.code, finished.errors.lines().count()), (Some(2), 1), "{finished:?}");
        assert!(finished.errors.contains(path), "{finished:?}");
    }
}
