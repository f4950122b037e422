//! The database user that this service runs as: one that may do what the service does and nothing else.
//!
//! What that is stands in `deploy/mongodb/role.json`, a MongoDB command that is part of the binary. Everything here is
//! done with an administrator's connection, which the service itself never has.

use std::fmt;

use bson::{Bson, Document, doc};
use mongodb::{Client, options::ClientOptions};
use thiserror::Error;

use super::{Connection, RepositoryError, connection::ConnectionError, error::has_code};

const ROLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/mongodb/role.json"));

const UNAUTHORIZED: i32 = 13;
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
    #[error("deploy/mongodb/role.json is not a MongoDB command: {0}")]
    UnreadableRole(String),
    /// It would lose its other roles, and whoever uses it the access to the database.
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

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `host:port` of the first server in the connection string.
    #[must_use]
    pub fn server(&self) -> Option<String> {
        self.options.hosts.first().map(ToString::to_string)
    }

    /// Makes the user an administrator of a server that has no users yet. Such a server lets whoever comes from its own
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

    /// Makes the user, and the role it has in the database of `administrator`; what is there of both is renewed.
    ///
    /// # Errors
    /// When the database refuses or does not answer, or there is such a user with other roles.
    pub async fn make(&self, administrator: &Connection) -> Result<Made, DatabaseUserError> {
        let workspace = administrator.database();
        let role = role_in(workspace.name()).map_err(DatabaseUserError::UnreadableRole)?;
        let name = role.get_str("createRole").unwrap_or_default().to_owned();
        match workspace.run_command(role.clone()).await {
            Err(error) if has_code(&error, &[ROLE_EXISTS]) => {
                workspace.run_command(renamed(&role, "updateRole")).await.map_err(RepositoryError::from)?;
            }
            created => drop(created.map_err(RepositoryError::from)?),
        }
        let ours = doc! { "role": name, "db": workspace.name() };
        let users = workspace.client().database(&self.kept_in);
        let user = doc! { "createUser": &self.name, "pwd": &self.password, "roles": [ours.clone()] };
        match users.run_command(user.clone()).await {
            Err(error) if has_code(&error, &[USER_EXISTS]) => {}
            created => {
                created.map_err(RepositoryError::from)?;
                return Ok(Made::New);
            }
        }
        let found = users.run_command(doc! { "usersInfo": &self.name }).await.map_err(RepositoryError::from)?;
        let roles = roles_in(&found);
        if roles.iter().any(|role| *role != ours) {
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

/// The command that makes the role for the workspace in `database`.
fn role_in(database: &str) -> Result<Document, String> {
    let json: serde_json::Value = serde_json::from_str(ROLE).map_err(|error| error.to_string())?;
    let Ok(Bson::Document(mut role)) = Bson::try_from(json) else { return Err("not an object".to_owned()) };
    for privilege in role.get_array_mut("privileges").map_err(|error| error.to_string())? {
        let resource = privilege.as_document_mut().and_then(|privilege| privilege.get_document_mut("resource").ok());
        resource.ok_or("a privilege without a resource")?.insert("db", database);
    }
    Ok(role)
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
        let role = role_in("chat").unwrap();
        assert_eq!(role.keys().next().map(String::as_str), Some("createRole"));
        assert_eq!(role.get_array("roles").unwrap(), &Vec::<Bson>::new());
        let resources: Vec<&Document> = role
            .get_array("privileges")
            .unwrap()
            .iter()
            .map(|privilege| privilege.as_document().unwrap().get_document("resource").unwrap())
            .collect();
        assert!(resources.len() > 5);
        for resource in resources {
            assert_eq!(resource.get_str("db").unwrap(), "chat");
            assert!(!resource.get_str("collection").unwrap().is_empty(), "an empty name stands for every collection");
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
