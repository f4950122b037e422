//! How fast files of users are read and checked, and how much memory that takes: `cargo bench --bench reading`.
//!
//! `rocketchat-import users FILE --dry-run` reads the whole file and checks each line. Beside it a plain reader of the crate
//! for the format takes the same file apart and does nothing with it. Ends with code 1 beyond a limit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use calamine::Reader as _;
use rust_xlsxwriter::Workbook;

const LINES: usize = 1_000_000;
const ROWS: u32 = 100_000;
const CSV_LIMIT: Duration = Duration::from_secs(15);
const XLSX_LIMIT: Duration = Duration::from_secs(10);
const MEMORY_LIMIT_KB: u64 = 200 * 1024;
/// How often the memory of the program is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
const HEADER: [&str; 4] = ["importIds", "emails", "username", "name"];

fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let (csv, xlsx) = (folder.path().join("users.csv"), folder.path().join("users.xlsx"));
    fs::write(&csv, lines()).unwrap();
    write_workbook(&xlsx);
    println!("{:<32} {:>10} {:>10} {:>14} {:>14}", "", "seconds", "limit", "plain reader", "memory");
    let csv_fits = report(&format!("CSV, {LINES} lines"), &csv, CSV_LIMIT, plain_csv);
    let xlsx_fits = report(&format!("XLSX, {ROWS} rows"), &xlsx, XLSX_LIMIT, plain_xlsx);
    if csv_fits && xlsx_fits { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures both and prints the line; whether the program keeps to its limits.
fn report(what: &str, file: &Path, limit: Duration, plainly: fn(&Path) -> usize) -> bool {
    let began = Instant::now();
    let read = plainly(file);
    let plain = began.elapsed();
    let (elapsed, peak_kb) = check(file, read);
    println!(
        "{what:<32} {:>10.1} {:>10} {:>14.1} {:>11} kB",
        elapsed.as_secs_f64(),
        limit.as_secs(),
        plain.as_secs_f64(),
        peak_kb
    );
    elapsed <= limit && peak_kb <= MEMORY_LIMIT_KB
}

/// Has the program check the file, which holds so many users; the time and the most memory that it took.
fn check(file: &Path, users: usize) -> (Duration, u64) {
    let began = Instant::now();
    let mut program = Command::new(env!("CARGO_BIN_EXE_rocketchat-import"))
        .args(["users", file.to_str().unwrap(), "--dry-run", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut peak_kb = 0;
    let status = loop {
        let memory = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap_or_default();
        let most = memory.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let most = most.and_then(|most| most.split_whitespace().next()?.parse().ok());
        peak_kb = peak_kb.max(most.unwrap_or_default());
        match program.try_wait().unwrap() {
            Some(status) => break status,
            None => sleep(LOOK_INTERVAL),
        }
    };
    let elapsed = began.elapsed();
    assert!(status.success(), "{status}");
    let output = program.wait_with_output().unwrap().stdout;
    let summary: serde_json::Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(summary["users"], users, "{summary}");
    (elapsed, peak_kb)
}

fn cells(number: usize) -> [String; 4] {
    [
        format!("emp-{number}"),
        format!("person{number}@corp.example"),
        format!("person{number}"),
        format!("Person Number {number}"),
    ]
}

fn lines() -> String {
    let mut lines = HEADER.join(",") + "\n";
    for number in 0..LINES {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{}", cells(number).join(","));
    }
    lines
}

fn write_workbook(file: &Path) {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, name) in (0..).zip(HEADER) {
        sheet.write_string(0, column, name).unwrap();
    }
    for row in 1..=ROWS {
        for (column, cell) in (0..).zip(cells(row as usize)) {
            sheet.write_string(row, column, cell).unwrap();
        }
    }
    workbook.save(file).unwrap();
}

fn plain_csv(file: &Path) -> usize {
    csv::Reader::from_path(file).unwrap().into_records().flatten().count()
}

fn plain_xlsx(file: &Path) -> usize {
    let mut workbook: calamine::Xlsx<_> = calamine::open_workbook(file).unwrap();
    workbook.worksheet_range_at(0).unwrap().unwrap().rows().count() - 1
}
