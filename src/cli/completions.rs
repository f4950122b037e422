//! `completions`: what a shell has to know to complete the program's command line.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::{CommandError, CommandLine, console::print};

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct CompletionsArgs {
    shell: Shell,
}

/// Prints the script that the shell reads.
pub(super) fn run(args: CompletionsArgs) -> Result<(), CommandError> {
    let mut command = CommandLine::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(args.shell, &mut command, name, &mut script);
    print(String::from_utf8_lossy(&script).trim_end())
}
