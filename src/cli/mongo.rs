//! `mongo`: a private MongoDB for development and tests.

use clap::Args;
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

use super::{CommandError, stop_signal::stop_signal};
use crate::mongo_process::{PrivateMongo, Source, Topology};

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct MongoArgs {
    /// Start a server even if the environment names one, so that it can be frozen without harm to others
    #[arg(long)]
    own: bool,

    /// Start a server that belongs to no replica set
    #[arg(long, requires = "own")]
    standalone: bool,

    /// Start a server that lets in only users it knows; its URL is an administrator's
    #[arg(long, requires = "own", conflicts_with = "standalone")]
    users: bool,
}

/// Prints the server's URL, then obeys the words on its standard input, each with a line in answer: `freeze`, `thaw`,
/// `crash` (and come back).
/// Ends, and the server with it, when the input ends or the process gets a signal to stop.
pub(super) async fn run(args: MongoArgs) -> Result<(), CommandError> {
    let stop = stop_signal()?;
    let source = if args.own { Source::Own } else { Source::Any };
    let topology = match (args.standalone, args.users) {
        (true, _) => Topology::Standalone,
        (false, true) => Topology::WithUsers,
        (false, false) => Topology::ReplicaSet,
    };
    let mut mongo = PrivateMongo::start(source, topology).await.map_err(CommandError::failed)?;
    log::info!("MongoDB: {}", mongo.description());
    println!("{}", mongo.url());
    tokio::select! {
        () = stop => {}
        () = obey(&mut mongo) => {}
    }
    mongo.stop().await;
    Ok(())
}

async fn obey(mongo: &mut PrivateMongo) {
    let mut words = BufReader::new(stdin()).lines();
    while let Ok(Some(word)) = words.next_line().await {
        let result = match word.trim() {
            "freeze" => mongo.freeze().await,
            "thaw" => mongo.thaw().await,
            "crash" => mongo.crash().await,
            other => Err(format!("unknown word {other:?}")),
        };
        match result {
            Ok(()) => println!("ok"),
            Err(error) => println!("error: {error}"),
        }
    }
}
