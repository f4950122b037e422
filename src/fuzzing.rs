//! The places where bytes from outside become something of ours, bare.
//!
//! For the fuzzers in `fuzz/` and the benchmarks in `benches/mapping`, behind the feature `fuzzing`. Each name stands for
//! the very function that the service uses.

pub use crate::{
    http::fuzzing::{Refusal, credentials, json_of, part_of_list, takes_no_parameters, users_in_body},
    repository::fuzzing::{document_of, fields_of, stored_as},
    user_file::fuzzing::{FileKind, FoundUser, check_file, users_in_file},
};
