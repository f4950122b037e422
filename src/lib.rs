//! Rocket.Chat's import API as a service of its own, on Rocket.Chat's MongoDB.
//!
//! `http` answers requests through `repository`, in terms of `domain`, and lets many follow an import by `live`; `cli`
//! holds the commands of the program, and `webhook` tells others when an import is over.
//! `client` is the other side of the API, which some of the commands use with `user_file`.

pub mod cli;
mod client;
pub mod domain;
mod engine;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http;
pub mod importers;
mod live;
mod logging;
mod metrics;
#[cfg(feature = "private-mongod")]
mod mongo_process;
mod repository;
mod request_id;
mod service;
mod user_file;
mod webhook;
mod wire;
