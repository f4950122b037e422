//! Files as people bring them, and the records that are read out of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_files;
mod csv_zips;
mod other_files;
mod reference;
mod slack_exports;
mod support;
