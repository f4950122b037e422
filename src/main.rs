//! The `rocketchat-import` program: reads the command line and hands over.

use std::process::ExitCode;

fn main() -> ExitCode {
    rocketchat_import::cli::run()
}
