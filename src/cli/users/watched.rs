//! The file of users as its reader sees it, with a bar as soon as the reading takes long.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    time::{Duration, Instant},
};

use crate::cli::{
    console::{Console, Unit},
    pace::Pace,
};

/// As long a file is read without a word.
const QUIET: Duration = Duration::from_secs(1);

/// A file that is being read. The bar shows the place in it; in a workbook that goes to and fro.
pub(super) struct Watched {
    file: File,
    place: u64,
    total: u64,
    begun: Instant,
    pace: Pace,
    is_shown: bool,
    console: Console,
}

impl Watched {
    /// Watches a file that stands at its beginning.
    pub(super) fn new(file: File, console: &Console) -> Self {
        let total = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
        let mut pace = Pace::of(Unit::Bytes);
        pace.note(0, Some(total));
        Self { file, place: 0, total, begun: Instant::now(), pace, is_shown: false, console: console.clone() }
    }

    fn show(&mut self) {
        let note = self.pace.note(self.place, Some(self.total));
        if self.begun.elapsed() < QUIET {
            return;
        }
        if !self.is_shown {
            self.console.begin_with("read", Unit::Bytes, true);
            self.is_shown = true;
        }
        self.console.progress(self.place, self.total, &note);
    }
}

impl Read for Watched {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(target)?;
        self.place += length as u64;
        self.show();
        Ok(length)
    }
}

impl Seek for Watched {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.place = self.file.seek(place)?;
        Ok(self.place)
    }
}
