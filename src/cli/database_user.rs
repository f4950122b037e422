//! `create-database-user`: the user that the service runs as, made by an administrator of the database.

use std::time::Duration;

use clap::Args;

use crate::{
    cli::{
        CommandError, mongo_url,
        settings::{AdministratorArgs, DatabaseArgs, PreparationArgs},
        unusable,
    },
    repository::{
        Connection, DatabaseUser, DatabaseUserError, Made, Purpose, initiate_replica_set_at, setup::example_workspace,
    },
};

/// How long a fresh server may take to become a primary.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Args)]
pub(super) struct DatabaseUserArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    administrator: AdministratorArgs,
    #[command(flatten)]
    preparation: PreparationArgs,

    /// The imports that the user is for
    #[arg(long = "for", env = "DATABASE_USER_FOR", value_enum, default_value = "users")]
    purpose: Purpose,
}

/// Makes the user that `MONGO_URL` names, and its role in the database that it names. Does no harm a second time.
pub(super) async fn run(args: &DatabaseUserArgs) -> Result<(), CommandError> {
    let service_url = mongo_url(&args.database)?;
    let user = DatabaseUser::of(&service_url).await.map_err(|error| unusable("MONGO_URL", error))?;
    let service = Connection::open(&service_url, None).await.map_err(|error| unusable("MONGO_URL", error))?;
    let admin_url = args.administrator.mongo_url().map_err(|error| unusable("ADMIN_MONGO_URL_FILE", error))?;
    let admin_url = admin_url.ok_or_else(|| {
        CommandError::Setting(
            "ADMIN_MONGO_URL is not set: give the connection string of somebody who may make users".to_owned(),
        )
    })?;
    prepare_server(args, &admin_url).await?;
    let administrator = Connection::open(&admin_url, None).await.map_err(|error| unusable("ADMIN_MONGO_URL", error))?;
    let administrator = administrator.in_database(service.database_name());
    let made = user.make(&administrator, args.purpose).await.map_err(|error| match error {
        DatabaseUserError::InUse { .. } => unusable("MONGO_URL", error),
        error => CommandError::failed(error),
    })?;
    let what = match made {
        Made::New => "made",
        Made::Renewed => "was there, renewed",
    };
    println!("user {} for the database {}: {what}", user.name(), service.database_name());
    if args.preparation.load_example_workspace {
        let loaded = example_workspace::load(&administrator).await.map_err(CommandError::failed)?;
        println!("example workspace: {loaded}");
    }
    Ok(())
}

/// A fresh server first has to become a replica set, and to get an administrator.
async fn prepare_server(args: &DatabaseUserArgs, admin_url: &str) -> Result<(), CommandError> {
    let administrator = DatabaseUser::of(admin_url).await.map_err(|error| unusable("ADMIN_MONGO_URL", error))?;
    if let (Some(member), Some(server)) = (args.preparation.initiate_replica_set(), administrator.server()) {
        initiate_replica_set_at(&server, member, PATIENCE).await.map_err(CommandError::failed)?;
    }
    if args.administrator.create_administrator {
        administrator.make_administrator().await.map_err(CommandError::failed)?;
    }
    Ok(())
}
