//! The lines that cannot be imported, as the pieces of a file.

use csv::StringRecord;
use serde::Serialize;

use crate::{
    http::streamed::json,
    user_file::{Entry, Rejects},
};

/// The list of lines that cannot be imported, where the caller wants it.
pub(super) struct RejectedLines(Option<Rejects<Vec<u8>>>);

/// A line of the answer. The texts of all of them, one behind the other, are the list.
#[derive(Serialize)]
struct Piece<'a> {
    rejects: &'a str,
}

impl RejectedLines {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self(is_wanted.then(|| Rejects::new(Vec::new())))
    }

    /// Adds a line of the file, for the reason that the workspace has or else for its errors.
    pub(super) fn add(&mut self, entry: &Entry, reason: Option<&str>, header: Option<&StringRecord>) {
        let Some(rejects) = &mut self.0 else { return };
        let added = match reason {
            Some(reason) => rejects.add_for(reason, entry, header),
            None => rejects.add(entry, header),
        };
        if let Err(error) = added {
            log::error!("a line that cannot be imported could not be listed: {error}");
        }
    }

    /// Moves the lines that were added since the last call into the answer.
    pub(super) fn move_into(&mut self, answer: &mut String) {
        let written = self.0.as_mut().map(Rejects::take_written).unwrap_or_default();
        if !written.is_empty() {
            answer.push_str(&json(&Piece { rejects: &String::from_utf8_lossy(&written) }));
            answer.push('\n');
        }
    }
}
