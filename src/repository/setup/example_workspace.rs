//! A small workspace in Rocket.Chat's shape, for trying the service out without a Rocket.Chat.
//!
//! It holds the user, the login token and the operation of the public documentation's `import.status` example, so that
//! the documented call gets the documented answer.

use std::fmt;

use bson::{DateTime, Document, doc};

use crate::{
    domain::caller::HashedLoginToken,
    repository::{Connection, RepositoryError},
};

/// The `X-User-Id` of the documented call.
pub const USER_ID: &str = "rbAXPnMktTFbNpwtJ";
/// The `X-Auth-Token` of the documented call.
pub const AUTH_TOKEN: &str = "QizJozLOnWMi_2vWaLHhjfd-XYKT6XM40lTZ3zg1UMd";

/// Whether the workspace was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    Yes,
    /// The database holds users already, so it was left alone.
    NotEmpty,
}

impl fmt::Display for Loaded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Yes => "loaded",
            Self::NotEmpty => "not loaded, the database holds users",
        })
    }
}

/// Loads the workspace into a database without users. Any other database is left as it is.
pub async fn load(connection: &Connection) -> Result<Loaded, RepositoryError> {
    let users = connection.collection::<Document>("users");
    if users.find_one(doc! {}).await?.is_some() {
        return Ok(Loaded::NotEmpty);
    }
    make_indexes(connection).await?;
    // Users come last: they are what tells a loaded workspace from one that was left half-way.
    for (collection, documents) in [
        ("rocketchat_roles", roles()),
        ("rocketchat_permissions", permissions()),
        ("rocketchat_settings", settings()),
        ("rocketchat_import", vec![operation()]),
        ("rocketchat_import_data", staged_users()),
        ("users", vec![administrator()]),
    ] {
        let collection = connection.collection::<Document>(collection);
        for document in documents {
            let same = doc! { "_id": document.get("_id").cloned() };
            collection.replace_one(same, document).upsert(true).await?;
        }
    }
    Ok(Loaded::Yes)
}

/// Makes the indexes of Rocket.Chat that people are kept apart and found by: without them a user could be imported twice,
/// and every look-up would read all accounts.
///
/// Source: `packages/models/src/models/Users.ts` (`modelIndexes`).
async fn make_indexes(connection: &Connection) -> Result<(), RepositoryError> {
    let index = |field: &str, name: &str| doc! { "key": { field: 1 }, "name": name, "sparse": true };
    let unique = |field: &str| {
        let mut index = index(field, &format!("{field}_1"));
        index.insert("unique", true);
        index
    };
    let insensitive = |field: &str| {
        let mut index = index(field, &format!("{field}_insensitive"));
        index.insert("collation", doc! { "locale": "en", "strength": 2, "caseLevel": false });
        index
    };
    let indexes = vec![
        unique("username"),
        unique("emails.address"),
        insensitive("username"),
        insensitive("emails.address"),
        index("importIds", "importIds_1"),
    ];
    connection.database().run_command(doc! { "createIndexes": "users", "indexes": indexes }).await?;
    Ok(())
}

fn roles() -> Vec<Document> {
    [("admin", "Admin"), ("user", ""), ("bot", ""), ("guest", "")]
        .map(|(name, description)| {
            doc! {
                "_id": name, "name": name, "description": description, "scope": "Users", "protected": true,
                "_updatedAt": documented_start(),
            }
        })
        .to_vec()
}

fn permissions() -> Vec<Document> {
    let as_at_the_start = [
        ("run-import", vec!["admin"]),
        ("edit-other-user-active-status", vec!["admin"]),
        ("edit-other-user-password", vec!["admin"]),
        ("view-import-operations", vec!["admin"]),
        ("api-bypass-rate-limit", vec!["admin", "bot", "app"]),
    ];
    as_at_the_start.map(|(id, roles)| doc! { "_id": id, "roles": roles, "_updatedAt": documented_start() }).to_vec()
}

fn settings() -> Vec<Document> {
    vec![
        doc! { "_id": "Accounts_Registration_Users_Default_Roles", "value": "user" },
        doc! { "_id": "Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", "value": true },
    ]
}

fn administrator() -> Document {
    doc! {
        "_id": USER_ID,
        "createdAt": documented_start(),
        "username": "import.admin",
        "name": "Import Administrator",
        "emails": [{ "address": "import.admin@example.com", "verified": true }],
        "type": "user",
        "status": "offline",
        "active": true,
        "services": { "resume": { "loginTokens": [{
            "when": documented_start(),
            "hashedToken": HashedLoginToken::of(AUTH_TOKEN).as_str(),
        }] } },
        "roles": ["admin", "user"],
        "_updatedAt": documented_start(),
    }
}

fn operation() -> Document {
    doc! {
        "_id": "64d51ea91558939980aab371",
        "type": "api",
        "importerKey": "api",
        "ts": documented_start(),
        "status": "importer_user_selection",
        "valid": true,
        "user": "7TY57bBj3xQXvf2i2",
        "_updatedAt": DateTime::from_millis(1_691_689_280_052),
        "count": { "total": 2, "users": 2 },
    }
}

fn staged_users() -> Vec<Document> {
    [("64d51fa01558939980aab372", "ada"), ("64d51fa01558939980aab373", "grace")]
        .map(|(id, username)| {
            doc! {
                "_id": id,
                "data": {
                    "username": username,
                    "emails": [format!("{username}@example.com")],
                    "importIds": [format!("example-{username}")],
                    "type": "user",
                    "roles": ["user"],
                },
                "dataType": "user",
            }
        })
        .to_vec()
}

/// 2023-08-10T17:30:17.519Z, when the documented operation was made.
fn documented_start() -> DateTime {
    DateTime::from_millis(1_691_688_617_519)
}
