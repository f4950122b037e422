//! The service as a client sees it: the real program, a real database, real HTTP. One file per topic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authentication;
mod fidelity;
mod freshness;
mod harness;
mod migrations;
mod permission;
mod routing;
mod states;
