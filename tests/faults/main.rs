//! What the service survives: real servers that are killed, frozen, cut off and that refuse, while an import runs and
//! several clients poll it.
//!
//! `.ci/faults` runs these, one after the other, and prints what came out as a table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod claims;
mod clock;
mod defects;
mod dropped;
mod elections;
mod fetching;
#[path = "../api/pending_files/server.rs"]
#[allow(dead_code, reason = "the API's tests use the rest")]
mod file_server;
mod files;
#[path = "../api/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the API's tests use the rest")]
mod harness;
mod instances;
mod invariants;
mod mongod;
mod neighbours;
mod network;
mod partition;
mod passing_errors;
mod proxy;
mod replica_set;
mod report;
mod stop;
mod trial;
mod witness;
mod write_errors;
