//! What a command tells while it works: a progress bar where a person looks on, plain lines elsewhere.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use log::LevelFilter;
use parking_lot::Mutex;

use super::CommandError;

/// How often a line tells progress where there is no bar.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
const BAR: &str = "{prefix} [{bar:30}] {pos}/{len} {percent}% {msg}";
const BYTES_BAR: &str = "{prefix} [{bar:30}] {bytes}/{total_bytes} {percent}% {msg}";
/// Where nobody knows how much it is in all.
const OPEN_BAR: &str = "{prefix} {pos} {msg}";

/// The kind of the numbers that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Unit {
    #[default]
    Count,
    Bytes,
}

impl Unit {
    /// A bar without an end is none: of a total of 0 it would be drawn full.
    fn style(self, has_end: bool) -> ProgressStyle {
        let template = match self {
            _ if !has_end => OPEN_BAR,
            Self::Count => BAR,
            Self::Bytes => BYTES_BAR,
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        style.progress_chars("=> ")
    }

    fn draw(self, bar: &ProgressBar, done: u64, total: u64, more: &str) {
        bar.set_style(self.style(total > 0));
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(more.to_owned());
    }
}

/// Standard error, shared by whatever has something to say. Clones are the same console.
#[derive(Clone)]
pub(super) struct Console(Arc<Mutex<Shown>>);

#[derive(Default)]
struct Shown {
    bar: Option<ProgressBar>,
    title: &'static str,
    unit: Unit,
    last_line: Option<(Instant, String)>,
}

impl fmt::Debug for Console {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Console")
    }
}

impl Console {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Shown::default())))
    }

    /// Whether a bar is drawn. Not when the log is turned up: its lines would run through it.
    pub(super) fn has_bar() -> bool {
        io::stderr().is_terminal() && log::max_level() <= LevelFilter::Info
    }

    /// Begins a piece of work.
    pub(super) fn begin(&self, title: &'static str) {
        self.begin_with(title, Unit::Count, true);
    }

    /// Begins a piece of work with numbers of this kind. An end that is not known shows no bar.
    pub(super) fn begin_with(&self, title: &'static str, unit: Unit, has_end: bool) {
        self.end();
        self.with(|shown| {
            (shown.title, shown.unit) = (title, unit);
            if Self::has_bar() {
                let bar = ProgressBar::new(0).with_prefix(title);
                bar.set_style(unit.style(has_end));
                shown.bar = Some(bar);
            }
        });
    }

    /// So many are done of a total that is not known.
    pub(super) fn progress_without_end(&self, done: u64, more: &str) {
        self.with(|shown| {
            if let Some(bar) = &shown.bar {
                bar.set_position(done);
                bar.set_message(more.to_owned());
                return;
            }
            shown.tell(format!("{} {done} {more}", shown.title), more.is_empty());
        });
    }

    /// So many of `total` are done.
    pub(super) fn progress(&self, done: u64, total: u64, more: &str) {
        self.with(|shown| {
            if let Some(bar) = &shown.bar {
                shown.unit.draw(bar, done, total, more);
                return;
            }
            let line = match shown.unit {
                Unit::Count => format!("{} {done} of {total} {more}", shown.title),
                Unit::Bytes => format!("{} {} of {} {more}", shown.title, HumanBytes(done), HumanBytes(total)),
            };
            shown.tell(line, done == total);
        });
    }

    /// Ends the piece of work; the bar goes away.
    pub(super) fn end(&self) {
        self.with(|shown| {
            if let Some(bar) = shown.bar.take() {
                bar.finish_and_clear();
            }
            shown.last_line = None;
        });
    }

    /// One line for a person, above the bar if there is one.
    pub(super) fn notice(&self, line: &str) {
        self.with(|shown| match &shown.bar {
            Some(bar) => bar.suspend(|| write_line(line)),
            None => write_line(line),
        });
    }

    fn with(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.0.lock());
    }
}

impl Shown {
    /// Writes a line, unless one was just written or nothing has changed.
    fn tell(&mut self, line: String, is_last: bool) {
        let is_due = is_last || self.last_line.as_ref().is_none_or(|(written, _)| written.elapsed() >= LINE_INTERVAL);
        if is_due && self.last_line.as_ref().is_none_or(|(_, last)| *last != line) {
            write_line(line.trim_end());
            self.last_line = Some((Instant::now(), line));
        }
    }
}

/// Nothing can be done about a standard error that is gone.
fn write_line(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// Writes a line to standard output, for a program or a person to read.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    let mut output = io::stdout();
    let written = writeln!(output, "{text}").and_then(|()| output.flush());
    written.map_err(|error| CommandError::Failed(format!("standard output cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;

    /// Keeps the text that is written.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_of_none_is_not_drawn_full() {
        let drawn = |done, total| {
            let screen = Screen::default();
            let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
            let bar = ProgressBar::with_draw_target(Some(0), target).with_prefix("imported");
            Unit::Count.draw(&bar, done, total, "");
            bar.force_draw();
            screen.0.lock().clone()
        };
        let none = drawn(0, 0);
        assert!(none.contains("imported 0") && !none.contains(['=', '%']), "{none}");
        let half = drawn(5, 10);
        assert!(half.contains("5/10 50%") && half.contains("=="), "{half}");
    }
}
