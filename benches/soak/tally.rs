//! How many requests of each kind there were, and which were not answered as they should be.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard},
};

/// As many examples as fit on a screen.
const MOST_EXAMPLES: usize = 20;
const LONGEST_EXAMPLE: usize = 300;

#[derive(Default)]
pub struct Tally {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    kinds: BTreeMap<&'static str, Kind>,
    examples: Vec<String>,
    imports: u64,
}

#[derive(Default)]
struct Kind {
    expected: u64,
    unexpected: u64,
}

impl Tally {
    pub fn as_expected(&self, what: &'static str) {
        self.lock().kinds.entry(what).or_default().expected += 1;
    }

    pub fn not_expected(&self, what: &'static str, example: &str) {
        let mut counts = self.lock();
        counts.kinds.entry(what).or_default().unexpected += 1;
        if counts.examples.len() < MOST_EXAMPLES {
            let example: String = example.chars().take(LONGEST_EXAMPLE).collect();
            counts.examples.push(format!("{what}: {example}"));
        }
    }

    /// An import has come to its end.
    pub fn imported(&self) {
        self.lock().imports += 1;
    }

    pub fn requests(&self) -> u64 {
        self.lock().kinds.values().map(|kind| kind.expected + kind.unexpected).sum()
    }

    pub fn unexpected(&self) -> u64 {
        self.lock().kinds.values().map(|kind| kind.unexpected).sum()
    }

    pub fn imports(&self) -> u64 {
        self.lock().imports
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.lock();
        writeln!(formatter, "{:<52} {:>10} {:>12}", "", "as expected", "unexpected")?;
        for (what, kind) in &counts.kinds {
            writeln!(formatter, "{what:<52} {:>10} {:>12}", kind.expected, kind.unexpected)?;
        }
        writeln!(formatter, "{:<52} {:>10}", "imports from new to cleared", counts.imports)?;
        for example in &counts.examples {
            writeln!(formatter, "unexpected: {example}")?;
        }
        Ok(())
    }
}
