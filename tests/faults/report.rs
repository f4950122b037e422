//! What came out of a trial, as a line of a table.

use std::{env, fs::OpenOptions, io::Write as _, time::Duration};

/// Names the file that collects the lines of all trials.
const TABLE_VARIABLE: &str = "FAULTS_TABLE";

/// What a fault did to an import and to those who followed it.
#[derive(Debug)]
pub struct Row<'a> {
    pub fault: &'a str,
    pub users: u64,
    pub lost: usize,
    pub doubled: usize,
    pub answers: usize,
    pub unavailable: usize,
    pub wrong: usize,
    /// From the fault's end to the first answer with a status.
    pub told_again: Option<Duration>,
    /// From the fault's end until more users are counted than before.
    pub goes_on: Option<Duration>,
}

impl<'a> Row<'a> {
    /// Of an import that is not to be finished: nobody is lost who was counted.
    pub fn of_dropped(fault: &'a str, users: u64, answers: usize, wrong: usize) -> Self {
        Self { fault, users, lost: 0, doubled: 0, answers, unavailable: 0, wrong, told_again: None, goes_on: None }
    }

    /// Of a file whose messages are all there, once; it took so long to its end after the fault.
    pub fn of_file(fault: &'a str, messages: u64, took: Duration) -> Self {
        Self { goes_on: Some(took), ..Self::of_dropped(fault, messages, 0, 0) }
    }

    /// Prints the line, and adds it to the table that is being collected.
    #[allow(clippy::print_stdout, reason = "the numbers are to be seen")]
    pub fn tell(&self) {
        let seconds =
            |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        let (wrong, unavailable) = if self.answers == 0 {
            ("-".to_owned(), "-".to_owned())
        } else {
            (format!("{} of {}", self.wrong, self.answers), self.unavailable.to_string())
        };
        let line = format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            self.fault,
            self.users,
            self.lost,
            self.doubled,
            wrong,
            unavailable,
            seconds(self.told_again),
            seconds(self.goes_on),
        );
        println!("{line}");
        if let Some(table) = env::var_os(TABLE_VARIABLE).filter(|table| !table.is_empty()) {
            let mut table = OpenOptions::new().create(true).append(true).open(table).unwrap();
            writeln!(table, "{line}").unwrap();
        }
    }
}
