//! The database user that this service runs as: one that may do what the service does and nothing else.
//!
//! Its privileges stand in `deploy/mongodb/role.json` and, for imports of files, `role-for-files.json`: MongoDB commands that
//! are part of the binary. Everything here is done with an administrator's connection, which the service itself never has.

use std::fmt;

use bson::{Bson, Document, doc};
use clap::ValueEnum;
use mongodb::{Client, Database, options::ClientOptions};
use thiserror::Error;

use crate::repository::{
    Connection, RepositoryError,
    connection::{
        ConnectionError,
        error::{UNAUTHORIZED, has_code},
    },
};

const ROLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/mongodb/role.json"));
const ROLE_FOR_FILES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/mongodb/role-for-files.json"));

const ROLE_EXISTS: i32 = 51_002;
const USER_EXISTS: i32 = 51_003;
/// Where MongoDB keeps a user whose connection string names no place.
const DEFAULT_USER_DATABASE: &str = "admin";

/// The user that a connection string names.
#[derive(Clone)]
pub struct DatabaseUser {
    name: String,
    password: String,
    /// The database that the user is kept in.
    kept_in: String,
    options: ClientOptions,
}

/// The imports that a database user is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// Users that are sent to the API. Rooms and messages stay out of reach
    Users,
    /// Files too, which bring rooms, contacts and messages
    Files,
}

impl Purpose {
    const fn roles(self) -> &'static [DatabaseRole] {
        match self {
            Self::Users => &[DatabaseRole::Users],
            Self::Files => &[DatabaseRole::Users, DatabaseRole::Files],
        }
    }
}

/// A role that the service's database user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DatabaseRole {
    Users,
    /// What files take beside it.
    Files,
}

impl DatabaseRole {
    pub(super) const ALL: [Self; 2] = [Self::Users, Self::Files];

    /// The command that makes the role for the workspace in `database`.
    pub(super) fn command(self, database: &str) -> Result<Document, String> {
        let text = match self {
            Self::Users => ROLE,
            Self::Files => ROLE_FOR_FILES,
        };
        let json: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Ok(Bson::Document(mut role)) = Bson::try_from(json) else { return Err("not an object".to_owned()) };
        for privilege in role.get_array_mut("privileges").map_err(|error| error.to_string())? {
            let resource =
                privilege.as_document_mut().and_then(|privilege| privilege.get_document_mut("resource").ok());
            resource.ok_or("a privilege without a resource")?.insert("db", database);
        }
        Ok(role)
    }
}

/// Whether something was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    New,
    /// It was there, and is now as it should be.
    Renewed,
}

/// The user could not be made.
#[derive(Debug, Error)]
pub enum DatabaseUserError {
    #[error("a role in deploy/mongodb is not a MongoDB command: {0}")]
    UnreadableRole(String),
    /// It would lose its other roles, and its users the access to the database.
    #[error("the user {name} exists already and is used for other things: its roles are {roles}. Choose another name")]
    InUse { name: String, roles: String },
    #[error(transparent)]
    Database(#[from] RepositoryError),
}

impl DatabaseUser {
    /// The user that connects with `mongo_url`.
    ///
    /// # Errors
    /// When the string cannot be understood, or names no user.
    pub async fn of(mongo_url: &str) -> Result<Self, ConnectionError> {
        let options = ClientOptions::parse(mongo_url).await.map_err(|error| ConnectionError::new(&error, mongo_url))?;
        let credential = options.credential.clone().unwrap_or_default();
        let (Some(name), Some(password)) = (credential.username, credential.password) else {
            return Err(ConnectionError::because("it names no user with a password"));
        };
        let kept_in = credential.source.unwrap_or_else(|| DEFAULT_USER_DATABASE.to_owned());
        Ok(Self { name, password, kept_in, options })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `host:port` of the first server in the connection string.
    pub fn server(&self) -> Option<String> {
        self.options.hosts.first().map(ToString::to_string)
    }

    /// Makes the user an administrator of a server that has no users yet. Such a server lets everybody who comes from its own
    /// machine do this and nothing else. Users that are there already are left alone.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn make_administrator(&self) -> Result<(), RepositoryError> {
        let mut options = self.options.clone();
        options.credential = None;
        options.repl_set_name = None;
        options.direct_connection = Some(true);
        let database = Client::with_options(options)?.database(&self.kept_in);
        let roles = doc! { "role": "root", "db": "admin" };
        match database.run_command(doc! { "createUser": &self.name, "pwd": &self.password, "roles": [roles] }).await {
            Err(error) if !has_code(&error, &[UNAUTHORIZED, USER_EXISTS]) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Makes the user, and the roles it has in the database of `administrator`; each is renewed where it exists.
    ///
    /// # Errors
    /// When the database refuses or does not answer, or there is such a user with other roles.
    pub async fn make(&self, administrator: &Connection, purpose: Purpose) -> Result<Made, DatabaseUserError> {
        let workspace = administrator.database();
        let mut ours = Vec::new();
        for role in DatabaseRole::ALL {
            let command = role.command(workspace.name()).map_err(DatabaseUserError::UnreadableRole)?;
            ours.push(doc! { "role": command.get_str("createRole").unwrap_or_default(), "db": workspace.name() });
            if purpose.roles().contains(&role) {
                make_role(workspace, &command).await?;
            }
        }
        let wanted = &ours[..purpose.roles().len()];
        let users = workspace.client().database(&self.kept_in);
        let user = doc! { "createUser": &self.name, "pwd": &self.password, "roles": wanted };
        match users.run_command(user.clone()).await {
            Err(error) if has_code(&error, &[USER_EXISTS]) => {}
            created => {
                created.map_err(RepositoryError::from)?;
                return Ok(Made::New);
            }
        }
        let found = users.run_command(doc! { "usersInfo": &self.name }).await.map_err(RepositoryError::from)?;
        let roles = roles_in(&found);
        if roles.iter().any(|role| !ours.contains(role)) {
            let roles = roles.iter().filter_map(|role| role.get_str("role").ok()).collect::<Vec<_>>().join(", ");
            return Err(DatabaseUserError::InUse { name: self.name.clone(), roles });
        }
        users.run_command(renamed(&user, "updateUser")).await.map_err(RepositoryError::from)?;
        Ok(Made::Renewed)
    }
}

/// Never shows the password.
impl fmt::Debug for DatabaseUser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DatabaseUser").field("name", &self.name).finish_non_exhaustive()
    }
}

async fn make_role(workspace: &Database, command: &Document) -> Result<(), RepositoryError> {
    match workspace.run_command(command.clone()).await {
        Err(error) if has_code(&error, &[ROLE_EXISTS]) => {
            workspace.run_command(renamed(command, "updateRole")).await?;
        }
        created => drop(created?),
    }
    Ok(())
}

/// The same command under another name, which comes first.
fn renamed(command: &Document, name: &str) -> Document {
    let mut fields = command.clone().into_iter();
    let first = fields.next().map(|(_, value)| (name.to_owned(), value));
    first.into_iter().chain(fields).collect()
}

fn roles_in(users_info: &Document) -> Vec<Document> {
    let user = users_info.get_array("users").ok().and_then(|users| users.first()?.as_document());
    let roles = user.and_then(|user| user.get_array("roles").ok());
    roles.into_iter().flatten().filter_map(Bson::as_document).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_is_for_the_workspaces_database_and_reaches_no_other() {
        let role = DatabaseRole::Users.command("chat").unwrap();
        assert_eq!(role.keys().next().map(String::as_str), Some("createRole"));
        assert_eq!(role.get_array("roles").unwrap(), &Vec::<Bson>::new());
        let privileges: Vec<&Document> =
            role.get_array("privileges").unwrap().iter().map(|privilege| privilege.as_document().unwrap()).collect();
        assert!(privileges.len() > 5);
        for privilege in privileges {
            let resource = privilege.get_document("resource").unwrap();
            assert_eq!(resource.get_str("db").unwrap(), "chat");
            if resource.get_str("collection").unwrap().is_empty() {
                let free_room = vec![Bson::String("dbStats".to_owned())];
                assert_eq!(
                    *privilege.get_array("actions").unwrap(),
                    free_room,
                    "an empty name stands for every collection"
                );
            }
        }
        assert_eq!(renamed(&role, "updateRole").keys().next().map(String::as_str), Some("updateRole"));
    }

    #[tokio::test]
    async fn a_connection_string_tells_the_user_and_where_it_is_kept() {
        for (url, kept_in) in [
            ("mongodb://importer:s3cret%40@db/chat", "chat"),
            ("mongodb://importer:s3cret%40@db/chat?authSource=admin", "admin"),
            ("mongodb://importer:s3cret%40@db", "admin"),
        ] {
            let user = DatabaseUser::of(url).await.unwrap();
            assert_eq!((user.name(), user.password.as_str(), user.kept_in.as_str()), ("importer", "s3cret@", kept_in));
            assert!(!format!("{user:?}").contains("s3cret"));
        }
        for url in ["mongodb://db/chat", "mongodb://importer@db/chat", "mongo://importer:s3cret@db"] {
            let error = DatabaseUser::of(url).await.unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
