//! The program's commands, one file each.

mod completions;
mod console;
mod database_user;
#[cfg(feature = "private-mongod")]
mod demo;
mod follow;
mod healthcheck;
mod import;
mod importer;
mod inspect;
mod man;
mod migrate;
#[cfg(feature = "private-mongod")]
mod mongo;
mod pace;
mod receipt;
mod serve;
mod settings;
mod status;
mod stop_signal;
mod target;
mod users;
mod verify;
mod words;

use std::{fmt::Display, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand, error::ErrorKind};
use thiserror::Error;
use tokio::runtime::Runtime;

use crate::{
    cli::settings::DatabaseArgs,
    client::ClientError,
    logging,
    repository::{Connection, Observer},
};

/// What the commands that talk to a server end with.
const EXIT_CODES: &str = "Exit codes:
  0  done
  1  some records failed, the import was stopped, or the accounts differ from the receipt
  2  a setting, an option or the file is wrong; nothing was sent
  3  the server cannot be reached, refuses the user and token, or refuses what was sent";

/// Rocket.Chat's import API as a service of its own, on Rocket.Chat's MongoDB
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API (the default)
    Serve(serve::ServeArgs),
    /// Make the indexes the service wants and say which
    Migrate(migrate::MigrateArgs),
    /// Make the database user of `MONGO_URL`, which may do what the service does and nothing else
    CreateDatabaseUser(database_user::DatabaseUserArgs),
    /// Exit with 0 if the service on this machine is ready
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Tell how the newest import of a server goes
    #[command(after_help = EXIT_CODES)]
    Status(status::StatusArgs),
    /// Print the content of an import file: records, problems and passed-over elements; needs no server
    Inspect(inspect::InspectArgs),
    /// Import a file of users through a server's import API
    #[command(after_help = EXIT_CODES)]
    Users(users::UsersArgs),
    /// Import a file of rooms, messages and people: a Slack export, CSV files, contacts
    #[command(after_help = EXIT_CODES)]
    Import(import::ImportArgs),
    /// Print what became of each record of an import
    #[command(after_help = EXIT_CODES)]
    Receipt(receipt::ReceiptArgs),
    /// Compare the receipt of an import with the accounts that are there
    #[command(after_help = EXIT_CODES)]
    Verify(verify::VerifyArgs),
    /// Print the completion script of a shell
    Completions(completions::CompletionsArgs),
    /// Print a manual page, or write all of them
    Man(man::ManArgs),
    /// From nothing to a running service: a private MongoDB, an example workspace, and the API
    #[cfg(feature = "private-mongod")]
    Demo(demo::DemoArgs),
    /// Run a private MongoDB for development and tests: prints its URL, ends with its standard input
    #[cfg(feature = "private-mongod")]
    Mongo(mongo::MongoArgs),
}

/// A command could not do its work.
#[derive(Debug, Error)]
enum CommandError {
    /// A setting is wrong or missing. Exit code 2.
    #[error("{0}")]
    Setting(String),
    /// A file cannot be used. Exit code 2.
    #[error("{0}")]
    File(String),
    /// Some users were not imported. Exit code 1.
    #[error("{0}")]
    UsersFailed(String),
    /// A server's import API cannot be reached or refuses. Exit code 3.
    #[error("{0}")]
    Server(String),
    /// Anything else. Exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        Self::Server(error.to_string())
    }
}

impl CommandError {
    fn failed(reason: impl Display) -> Self {
        Self::Failed(reason.to_string())
    }

    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Setting(_) | Self::File(_) => 2,
            Self::Server(_) => 3,
            Self::UsersFailed(_) | Self::Failed(_) => 1,
        })
    }
}

/// Runs the command that the command line names and gives the program's exit code: 0 for success, 2 for a wrong
/// setting or file, 3 for a server that cannot be reached or refuses, 1 for any other failure, after one line on standard error that says why.
#[must_use]
pub fn run() -> ExitCode {
    let result = parse().and_then(|command_line| {
        logging::start().map_err(CommandError::Setting)?;
        let runtime = Runtime::new().map_err(CommandError::failed)?;
        runtime.block_on(execute(command_line))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rocketchat-import: {error}");
            error.exit_code()
        }
    }
}

fn parse() -> Result<CommandLine, CommandError> {
    CommandLine::try_parse().map_err(|error| match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            // Its first line says it all; the rest is advice on usage.
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            CommandError::Setting(line.trim_start_matches("error: ").to_owned())
        }
        _ => error.exit(),
    })
}

async fn execute(command_line: CommandLine) -> Result<(), CommandError> {
    match command_line.command.unwrap_or(Command::Serve(command_line.serve)) {
        Command::Serve(args) => serve::run(&args).await,
        Command::Migrate(args) => migrate::run(&args).await,
        Command::CreateDatabaseUser(args) => database_user::run(&args).await,
        Command::Healthcheck(args) => healthcheck::run(args).await,
        Command::Status(args) => status::run(&args).await,
        Command::Inspect(args) => inspect::run(args).await,
        Command::Users(args) => users::run(&args).await,
        Command::Import(args) => import::run(&args).await,
        Command::Receipt(args) => receipt::run(&args).await,
        Command::Verify(args) => verify::run(&args).await,
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(&args),
        #[cfg(feature = "private-mongod")]
        Command::Demo(args) => demo::run(args).await,
        #[cfg(feature = "private-mongod")]
        Command::Mongo(args) => mongo::run(args).await,
    }
}

/// The connection that the settings name.
async fn connect(database: &DatabaseArgs, observer: Option<Arc<dyn Observer>>) -> Result<Connection, CommandError> {
    let url = mongo_url(database)?;
    Connection::open(&url, observer).await.map_err(|error| unusable("MONGO_URL", error))
}

fn mongo_url(database: &DatabaseArgs) -> Result<String, CommandError> {
    let url = database.mongo_url().map_err(|error| unusable("MONGO_URL_FILE", error))?;
    url.ok_or_else(|| {
        CommandError::Setting(
            "MONGO_URL is not set: give the connection string of Rocket.Chat's MongoDB, such as \
             mongodb://localhost:27017/rocketchat?replicaSet=rs0"
                .to_owned(),
        )
    })
}

fn unusable(setting: &str, reason: impl Display) -> CommandError {
    CommandError::Setting(format!("{setting} cannot be used: {reason}"))
}
