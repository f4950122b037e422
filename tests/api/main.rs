//! The service as a client sees it: the real program, a real database, real HTTP. One file per topic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod add_users;
mod authentication;
mod client_address;
mod command_line;
mod crashes;
mod cross_origin;
mod failed_users;
mod failures;
mod fidelity;
mod followers;
mod freshness;
mod harness;
mod import_errors;
mod injection;
mod invalidation;
mod least_privilege;
mod lifecycle;
mod metrics;
mod migrations;
mod mongo_process;
mod openapi;
mod operations;
mod overload;
mod page;
mod permission;
mod rate_limit;
mod routing;
mod settings;
mod shutdown;
mod states;
mod stream;
mod token_timing;
mod webhook;
