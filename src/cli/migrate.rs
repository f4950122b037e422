//! `migrate`: applies the migrations and says what it did.

use clap::Args;

use crate::{
    cli::{CommandError, connect, settings::DatabaseArgs},
    repository::migrate,
};

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(super) async fn run(args: &MigrateArgs) -> Result<(), CommandError> {
    let connection = connect(&args.database, None).await?;
    let applied = migrate(&connection).await.map_err(CommandError::failed)?;
    for migration in &applied {
        println!("applied {}", migration.name);
    }
    println!("{} applied, {} is up to date", applied.len(), connection.database_name());
    Ok(())
}
