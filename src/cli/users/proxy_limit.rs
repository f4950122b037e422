//! Requests that are larger than a server, or a proxy before it, takes.

use crate::cli::CommandError;

/// Says that smaller requests follow a request of so many bytes.
pub(super) fn halved(bytes: usize) -> String {
    let kilobytes = kilobytes(bytes);
    format!(
        "the server or a proxy before it takes no request of {kilobytes} kB; going on with half of that. Fewer requests do if \
         the limit is raised (nginx: client_max_body_size)"
    )
}

/// Says that pieces of an upload follow a request of so many bytes.
pub(super) fn in_pieces(bytes: usize) -> String {
    let kilobytes = kilobytes(bytes);
    format!(
        "the server or a proxy before it takes no request of {kilobytes} kB; the list goes there in pieces, to be checked as a \
         whole"
    )
}

/// The error of a user whose request has so many bytes and cannot be halved.
pub(super) fn too_large_alone(line: u64, bytes: usize) -> CommandError {
    let kilobytes = kilobytes(bytes);
    CommandError::Server(format!(
        "the user of line {line} alone makes a request of {kilobytes} kB, more than the server or a proxy before it takes: \
         shorten it, or raise the limit (nginx: client_max_body_size)"
    ))
}

const fn kilobytes(bytes: usize) -> usize {
    bytes.div_ceil(1000)
}
