//! `import`: a file of rooms, messages and people, from where it is to the account of what became of it.

mod arrival;
mod choice;
mod report;
mod source;
mod watch;

use std::pin::pin;

use clap::{Args, builder::PossibleValuesParser};
use serde_json::Map;

use self::{arrival::Arrival, choice::ChoiceArgs, report::Report, source::Source, watch::Watch};
use super::{CommandError, console::Console, importer::ImporterName, stop_signal::stop_signal, target::ServerArgs};
use crate::{
    client::{Client, ClientError, ReportedState},
    domain::{importer::Importer, matching::OnExisting},
};

/// The server's word for messages that would be removed soon.
const RETENTION: &str = "error-retention-policy";

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct ImportArgs {
    /// A file of this machine; an http or https URL that the server fetches; or, with --on-server, a path of the server
    file: String,

    /// Importer that reads the file, where the file itself does not show it
    #[arg(long, value_enum)]
    importer: Option<ImporterName>,

    /// The file lies on the server, below its `IMPORT_FOLDER`; nothing is sent
    #[arg(long)]
    on_server: bool,

    /// Start the run once the file is loaded, and follow it to its end, with the files and pictures that follow it
    #[arg(long)]
    run: bool,

    /// What happens with a person whose account is there: `link` (as long as nothing else is said) adds the import id and
    /// fills empty fields; `skip` leaves it as it is; `update` takes the values of the file; `fail`
    #[arg(long, value_name = "RULE", value_parser = PossibleValuesParser::new(OnExisting::ALL.map(OnExisting::as_str)))]
    on_existing: Option<String>,

    /// Import messages that the workspace's retention policy removes soon
    #[arg(long)]
    accept_retention: bool,

    /// End an import that is in the way
    #[arg(long)]
    replace: bool,

    /// Print a summary in JSON on standard output
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    choice: ChoiceArgs,

    #[command(flatten)]
    server: ServerArgs,
}

/// Gets the file there, has it loaded, runs it if that is wanted, and tells what became of it.
pub(super) async fn run(args: &ImportArgs) -> Result<(), CommandError> {
    let console = Console::new();
    let client = args.server.client(&console)?;
    let source = Source::of(&args.file, args.on_server, args.importer)?;
    let mut report = Report::new(source.shown(), source.importer());
    let stop = pin!(stop_signal()?);
    let result = tokio::select! {
        result = import(args, &source, &client, &console, &mut report) => result,
        () = stop => Err(CommandError::Failed(
            "stopped; what was begun on the server goes on there, and the same command again goes on with it".to_owned(),
        )),
    };
    console.end();
    report.show(&console);
    if args.json {
        report.print()?;
    }
    result
}

async fn import(
    args: &ImportArgs,
    source: &Source,
    client: &Client,
    console: &Console,
    report: &mut Report,
) -> Result<(), CommandError> {
    let arrival = Arrival { client, console, replaces: args.replace };
    let (operation, records) = arrival.bring(source).await?;
    report.operation = Some(operation.clone());
    let mut watch = Watch::new(client, console, args.server.patience(), operation);
    let loaded = watch.loading(records).await?;
    report.came_to(&loaded);
    report.account = Some(client.file_account(watch.operation()).await?);
    if loaded.state == ReportedState::Ready {
        if !args.run {
            report.wants_run = true;
            return Ok(());
        }
        report.show_content(console);
        let input = args.choice.input(client).await?;
        let mut rules = Map::new();
        if let Some(rule) = &args.on_existing {
            rules.insert("onExisting".to_owned(), rule.as_str().into());
        }
        if args.accept_retention {
            rules.insert("acceptRetention".to_owned(), true.into());
        }
        client.start_file_import(watch.operation(), &input, &rules).await.map_err(not_started)?;
    } else if loaded.state == ReportedState::Importing && !args.choice.is_everything() {
        console.notice("the run was started before, with the selection of then");
    }
    let ended = watch.run().await?;
    report.operation = Some(watch.operation().to_owned());
    report.came_to(&ended);
    let account = client.file_account(watch.operation()).await?;
    let (failed, elements) = (account.sum(|total| total.failed), account.sum(|total| total.elements));
    report.account = Some(account);
    if ended.state == ReportedState::Done {
        report.files = watch.fetching(Importer::PendingFiles).await?;
        report.pictures = watch.fetching(Importer::PendingAvatars).await?;
    }
    let follow_ups = || report.files.iter().chain(&report.pictures);
    let missing: u64 = follow_ups().map(|fetched| fetched.failed).sum();
    let is_cut_short = follow_ups().any(|fetched| !fetched.done);
    match ended.state {
        ReportedState::Done if failed == 0 && is_cut_short => {
            Err(CommandError::UsersFailed("the fetching of files or pictures was ended before it was done".to_owned()))
        }
        ReportedState::Done if failed == 0 && missing > 0 => {
            Err(CommandError::UsersFailed(format!("{missing} files or pictures failed")))
        }
        ReportedState::Done if failed == 0 => Ok(()),
        ReportedState::Done => Err(CommandError::UsersFailed(format!("{failed} of {elements} elements failed"))),
        state => Err(CommandError::UsersFailed(format!("the import is {}", state.in_plain_words()))),
    }
}

/// The sentence for a start that is refused, with the way out.
fn not_started(error: ClientError) -> CommandError {
    match error {
        ClientError::Refused { reason, .. } if reason.contains(RETENTION) => {
            let sentence = reason.split(". ").next().unwrap_or_default();
            CommandError::Server(format!("{sentence}; change the retention policy, or give --accept-retention"))
        }
        other => other.into(),
    }
}
