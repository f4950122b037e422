//! `man`: the program's manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_mangen::{Man, generate_to};

use super::{CommandError, CommandLine, console::print};

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Command whose page is printed; without it, the program's own
    command: Option<String>,

    /// Write all pages into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

/// Prints a page, or writes all of them, in troff.
pub(super) fn run(args: &ManArgs) -> Result<(), CommandError> {
    let mut program = CommandLine::command();
    if let Some(folder) = &args.dir {
        return std::fs::create_dir_all(folder)
            .and_then(|()| generate_to(program, folder))
            .map_err(|error| CommandError::Failed(format!("{}: {error}", folder.display())));
    }
    program.build();
    let page = match &args.command {
        None => Man::new(program),
        Some(name) => {
            let command = program.find_subcommand(name).cloned();
            Man::new(command.ok_or_else(|| CommandError::Setting(format!("there is no command {name:?}")))?)
        }
    };
    let mut text = Vec::new();
    page.render(&mut text).map_err(CommandError::failed)?;
    print(String::from_utf8_lossy(&text).trim_end())
}
