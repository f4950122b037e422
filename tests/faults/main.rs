//! What the service survives: real servers that are killed, frozen, cut off and that refuse, while an import runs and
//! several clients poll it.
//!
//! `.ci/faults` runs these, one after the other, and prints what came out as a table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod elections;
#[path = "../api/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the API's tests use the rest")]
mod harness;
mod mongod;
mod network;
mod proxy;
mod replica_set;
mod report;
mod trial;
mod witness;
