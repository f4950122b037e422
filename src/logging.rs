//! The log: one line of `key=value` pairs for each record, on standard error, steered by `RUST_LOG`.

use std::{env, io::Write as _};

use chrono::{SecondsFormat, Utc};
use env_logger::Builder;
use log::LevelFilter;

use crate::request_id::RequestId;

const FILTER_VARIABLE: &str = "RUST_LOG";
const DEFAULT_FILTER: &str = "info";

/// Libraries that would write headers or commands, and with them tokens and hashes, at their finest levels.
const TALKATIVE: [&str; 11] = [
    "actix_http",
    "actix_web",
    "actix_server",
    "h2",
    "hyper",
    "hyper_util",
    "mio",
    "mongodb",
    "hickory_proto",
    "reqwest",
    "rustls",
];

/// Starts the log.
///
/// # Errors
/// With the reason when `RUST_LOG` cannot be understood.
pub(crate) fn start() -> Result<(), String> {
    let filter =
        env::var(FILTER_VARIABLE).ok().filter(|filter| !filter.is_empty()).unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    env_filter::Builder::new()
        .try_parse(&filter)
        .map_err(|error| format!("{FILTER_VARIABLE} cannot be used: {error}"))?;

    let mut builder = Builder::new();
    builder.parse_filters(&filter);
    for library in TALKATIVE {
        builder.filter_module(library, LevelFilter::Warn);
    }
    builder
        .format(|buffer, record| {
            let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
            write!(buffer, "time={time} level={} target={}", record.level(), record.target())?;
            if let Some(id) = RequestId::current() {
                write!(buffer, " request={id}")?;
            }
            // The access log's message is made of pairs itself.
            if record.target() == "access" {
                writeln!(buffer, " {}", record.args())
            } else {
                writeln!(buffer, " message={:?}", record.args().to_string())
            }
        })
        .try_init()
        .map_err(|error| error.to_string())
}
