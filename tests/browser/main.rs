//! The web page as its users meet it: the real program, a real database, a real Chromium.
//!
//! `.ci/browser` runs these, and installs what they want. With `BROWSER_TESTS=off` they are left out, and say so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stderr, reason = "that tests were left out has to be seen")]

mod access;
mod accessibility;
mod browser;
mod checking;
mod existing;
mod exports;
mod failed_list;
mod fetching;
#[path = "../api/pending_files/server.rs"]
#[allow(dead_code, reason = "the API's tests use the rest")]
mod file_server;
#[path = "../api/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the API's tests use the rest")]
mod harness;
mod importing;
mod keyboard;
mod looks;
mod narrow;
mod page;
#[path = "../api/command_line/proxy.rs"]
#[allow(dead_code, reason = "the API's tests use the rest")]
mod proxy;
mod reading;
mod standstill;
mod templates;
mod together;
