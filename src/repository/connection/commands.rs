//! The size of commands that store many documents.

use std::ops::Range;

/// Documents in one command. The database stores those of a command together, and the writes of every other client that
/// come after it wait for a majority until it has: a chat message, too. Longer commands make these waits longer; shorter
/// ones cost the database more for each document.
const COMMAND_DOCUMENTS: usize = 500;

/// Returns the ranges of so many documents that go into one command each, in their order.
pub(in crate::repository) fn commands_for(documents: usize) -> impl DoubleEndedIterator<Item = Range<usize>> {
    (0..documents.div_ceil(COMMAND_DOCUMENTS)).map(move |command| {
        let first = command * COMMAND_DOCUMENTS;
        first..documents.min(first + COMMAND_DOCUMENTS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_in_one_command() {
        for documents in [0, 1, 499, 500, 501, 1250] {
            let all: Vec<usize> = commands_for(documents).flatten().collect();
            assert_eq!(all, (0..documents).collect::<Vec<_>>());
        }
        assert_eq!(commands_for(1250).collect::<Vec<_>>(), [0..500, 500..1000, 1000..1250]);
    }
}
