//! The `rocketchat-import` program: reads the command line and hands over.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// An import reads and makes millions of small values. The allocator of the C library takes a third of the time that the
/// service spends on them.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    rocketchat_import::cli::run()
}
