//! The places where bytes from outside become something of ours, bare.
//!
//! For the fuzzers in `fuzz/` and the benchmarks in `benches/mapping`, behind the feature `fuzzing`. Each name stands for
//! the very function that the service uses.

pub use crate::{
    http::fuzzing::{Refusal, credentials, json_of, part_of_list, takes_no_parameters, users_in_body},
    importers::fuzzing::{csv_messages, elements_from, elements_of_file, slack_messages, slack_text},
    repository::fuzzing::{document_of, fields_of, stored_as},
    user_file::fuzzing::{FileKind, FoundUser, users_in_file},
};
