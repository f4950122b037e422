//! What the pure parts cost: `cargo bench --features fuzzing --bench mapping`.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{fmt::Write as _, hint::black_box};

use bson::{DateTime, RawDocumentBuf, doc};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rocketchat_import::{
    domain::user_id::user_id_for,
    fuzzing::{FileKind, document_of, fields_of, json_of, stored_as, users_in_body, users_in_file},
};

/// Users in one body, as scripts send them.
const USERS: u64 = 1000;

/// The operation of the documentation's example, as it is stored.
fn operation() -> RawDocumentBuf {
    let operation = doc! {
        "_id": "64d51ea91558939980aab371",
        "type": "api",
        "importerKey": "api",
        "ts": DateTime::from_millis(1_691_688_617_519),
        "status": "importer_user_selection",
        "valid": true,
        "user": "7TY57bBj3xQXvf2i2",
        "_updatedAt": DateTime::from_millis(1_691_689_280_052),
        "count": { "total": 2, "users": 2 },
    };
    RawDocumentBuf::try_from(&operation).unwrap()
}

fn body() -> String {
    let mut body = String::from(r#"{"users":["#);
    for number in 0..USERS {
        let comma = if number == 0 { "" } else { "," };
        write!(
            body,
            r#"{comma}{{"username":"user{number}","emails":["user{number}@example.com"],"importIds":["id{number}"],"name":"User {number}","roles":["user"],"utcOffset":5.5}}"#
        )
        .unwrap();
    }
    body + "]}"
}

fn csv_file() -> String {
    let mut file = String::from("username,emails,importIds,name,roles,utcOffset\n");
    for number in 0..USERS {
        writeln!(file, "user{number},user{number}@example.com,id{number},User {number},user,5.5").unwrap();
    }
    file
}

fn an_operation(criterion: &mut Criterion) {
    let stored = operation();
    let fields = fields_of(&stored).unwrap();
    let mut group = criterion.benchmark_group("operation");
    group.bench_function("BSON to fields", |bencher| bencher.iter(|| fields_of(black_box(&stored)).unwrap()));
    group.bench_function("fields to JSON", |bencher| bencher.iter(|| json_of(black_box(&fields)).unwrap()));
    group.finish();
}

fn a_thousand_users(criterion: &mut Criterion) {
    let (body, file) = (body(), csv_file());
    let users = users_in_body(body.as_bytes()).unwrap();
    let mut group = criterion.benchmark_group("1,000 users");
    group.throughput(Throughput::Elements(USERS));
    group.bench_function("read and checked", |bencher| {
        bencher.iter(|| users_in_body(black_box(body.as_bytes())).unwrap());
    });
    group.bench_function("to staged documents", |bencher| {
        bencher.iter(|| users.iter().map(|user| document_of(black_box(user)).len()).sum::<usize>());
    });
    group.bench_function("to accounts' bytes", |bencher| {
        bencher.iter(|| users.iter().map(|user| stored_as(black_box(user)).unwrap().len()).sum::<usize>());
    });
    group.bench_function("CSV file checked", |bencher| {
        bencher.iter(|| users_in_file(black_box(file.as_bytes()), FileKind::Csv, false));
    });
    group.finish();
}

fn a_user_id(criterion: &mut Criterion) {
    criterion.bench_function("user id", |bencher| bencher.iter(|| user_id_for(black_box("64d51fa01558939980aab372"))));
}

criterion_group!(benches, an_operation, a_thousand_users, a_user_id);
criterion_main!(benches);
