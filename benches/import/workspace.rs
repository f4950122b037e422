//! A database like Rocket.Chat's and the service over it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use bson::{Bson, DateTime, Document, RawDocumentBuf, doc, oid::ObjectId};
use futures::TryStreamExt as _;
use mongodb::{Client, Collection, Database, IndexModel, options::IndexOptions};
use rocketchat_import::domain::caller::HashedLoginToken;
use tokio::time::sleep;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rocketchat-import");
/// The memory of the database for its data, in gigabytes: the default of a server with 9 GB. Those of the tests have less, and
/// a million records do not fit into it.
const CACHE_GIGABYTES: &str = "4";
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Records that the preparation stages with one command.
const STAGED_AT_ONCE: usize = 5000;

/// Plain indexes on `users`. Source: `packages/models/src/models/Users.ts`.
const PLAIN: [&str; 8] =
    ["name", "createdAt", "lastLogin", "status", "statusText", "type", "services.saml.inResponseTo", "importIds"];
/// Sparse ones; those from `services.resume` on are Meteor's.
const SPARSE: [&str; 19] = [
    "__rooms",
    "roles",
    "bio",
    "nickname",
    "statusConnection",
    "appId",
    "federated",
    "federation",
    "isRemote",
    "openBusinessHours",
    "statusLivechat",
    "language",
    "statusExpiresAt",
    "settings.preferences.statusVisibilityDenied",
    "services.resume.haveLoginTokensToDelete",
    "services.resume.loginTokens.when",
    "services.password.reset.when",
    "services.password.enroll.when",
    "services.email2fa.enabled",
];
/// Sparse and unique ones, all but the last Meteor's.
const UNIQUE: [&str; 8] = [
    "username",
    "emails.address",
    "services.resume.loginTokens.hashedToken",
    "services.resume.loginTokens.token",
    "services.email.verificationTokens.token",
    "services.password.reset.token",
    "services.password.enroll.token",
    "freeSwitchExtension",
];

/// A MongoDB that ends with this program.
pub struct Mongo {
    url: String,
    _leash: ChildStdin,
    _process: Child,
}

impl Mongo {
    pub fn start() -> Self {
        let mut process = Command::new(PROGRAM)
            .arg("mongo")
            .env("MONGOD_CACHE_GB", CACHE_GIGABYTES)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("mongodb"), "no MongoDB");
        Self { url: url.trim().to_owned(), _leash: process.stdin.take().unwrap(), _process: process }
    }
}

/// A database of its own.
pub struct Workspace {
    database: Database,
    url: String,
}

impl Workspace {
    /// One with an administrator, and Rocket.Chat's indexes on `users`.
    pub async fn empty(mongo: &Mongo) -> Self {
        let name = format!("bench_{:08x}", rand::random::<u32>());
        let (authority, options) = mongo.url.rsplit_once('/').unwrap();
        let options = options.split_once('?').map_or("", |(_, options)| options);
        let url = format!("{authority}/{name}?{options}");
        let database = Client::with_uri_str(&url).await.unwrap().database(&name);
        let workspace = Self { database, url };
        workspace.make_indexes().await;
        workspace
            .collection("users")
            .insert_one(doc! {
                "_id": "admin", "username": "admin", "roles": ["admin"],
                "services": { "resume": { "loginTokens": [{ "hashedToken": HashedLoginToken::of("token").as_str() }] } },
            })
            .await
            .unwrap();
        workspace
            .collection("rocketchat_permissions")
            .insert_many(["run-import", "api-bypass-rate-limit"].map(|id| doc! { "_id": id, "roles": ["admin"] }))
            .await
            .unwrap();
        workspace
    }

    async fn make_indexes(&self) {
        let index = |field: &str, options| IndexModel::builder().keys(doc! { field: 1 }).options(options).build();
        let sparse = || IndexOptions::builder().sparse(true).build();
        let insensitive = |name: &str| {
            let collation = mongodb::options::Collation::builder().locale("en").build();
            IndexOptions::builder().sparse(true).name(name.to_owned()).collation(collation).build()
        };
        let mut indexes: Vec<IndexModel> = PLAIN.iter().map(|field| index(field, IndexOptions::default())).collect();
        indexes.extend(SPARSE.iter().map(|field| index(field, sparse())));
        indexes
            .extend(UNIQUE.iter().map(|field| index(field, IndexOptions::builder().sparse(true).unique(true).build())));
        indexes.push(index("emails.address", insensitive("emails.address_insensitive")));
        indexes.push(index("username", insensitive("username_insensitive")));
        for second in ["services.email2fa.enabled", "services.totp.enabled"] {
            indexes.push(IndexModel::builder().keys(doc! { "active": 1, second: 1 }).options(sparse()).build());
        }
        self.collection::<Document>("users").create_indexes(indexes).await.unwrap();
        let staged = IndexModel::builder().keys(doc! { "dataType": 1 }).build();
        self.collection::<Document>("rocketchat_import_data").create_index(staged).await.unwrap();
    }

    /// The connection string, with the name of the database.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.database.collection(name)
    }

    /// An operation that is ready, with this many staged users.
    pub async fn stage(&self, users: usize, with_passwords: bool) {
        let operation_id = ObjectId::new().to_hex();
        let record = |number: usize| {
            let mut data = doc! {
                "username": format!("user{number}"),
                "emails": [format!("user{number}@example.com")],
                "importIds": [format!("id{number}")],
                "name": format!("User Number {number}"),
                "type": "user",
                "roles": ["user"],
            };
            if with_passwords {
                data.insert("password", format!("password{number}"));
            }
            doc! { "_id": ObjectId::new().to_hex(), "data": data, "dataType": "user", "operation": &operation_id }
        };
        for first in (0..users).step_by(STAGED_AT_ONCE) {
            let records: Vec<Document> = (first..users.min(first + STAGED_AT_ONCE)).map(record).collect();
            self.collection::<Document>("rocketchat_import_data").insert_many(records).await.unwrap();
        }
        let total = i32::try_from(users).unwrap();
        let operation = doc! {
            "_id": &operation_id, "type": "api", "importerKey": "api", "ts": DateTime::now(),
            "status": "importer_user_selection", "valid": true, "user": "admin", "_updatedAt": DateTime::now(),
            "count": { "total": total, "users": total },
        };
        self.collection("rocketchat_import").insert_one(operation).await.unwrap();
    }

    /// Waits until the database has written down what was done before, so that it is not paid for now.
    pub async fn settle(&self) {
        self.run_on_admin(doc! { "fsync": 1 }).await;
    }

    /// Accounts that may run imports, each with a token.
    pub async fn add_administrators(&self, count: usize) -> Vec<(String, String)> {
        let callers: Vec<_> = (0..count).map(|number| (format!("admin{number}"), format!("token{number}"))).collect();
        let accounts: Vec<_> = callers
            .iter()
            .map(|(id, token)| {
                let hash = HashedLoginToken::of(token);
                doc! {
                    "_id": id, "username": id, "roles": ["admin"],
                    "services": { "resume": { "loginTokens": [{ "hashedToken": hash.as_str() }] } },
                }
            })
            .collect();
        self.collection("users").insert_many(accounts).await.unwrap();
        callers
    }

    pub async fn run_on_admin(&self, command: Document) -> Document {
        self.database.client().database("admin").run_command(command).await.unwrap()
    }

    /// The accounts an import made.
    pub async fn accounts(&self) -> Vec<RawDocumentBuf> {
        let accounts = self.database.collection("users").find(doc! { "_id": { "$ne": "admin" } }).await.unwrap();
        accounts.try_collect().await.unwrap()
    }

    /// The service, once it has prepared the database: the indexes it makes at its first start are no part of an import.
    pub async fn serve(&self) -> Service {
        self.serve_with(&[]).await
    }

    /// The same with further settings.
    pub async fn serve_with(&self, settings: &[(&str, &str)]) -> Service {
        let mut process = Command::new(PROGRAM)
            .arg("serve")
            .envs([("MONGO_URL", self.url.as_str()), ("PORT", "0"), ("RUST_LOG", "info")])
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = log.find(|line| line.contains("listening on ")).expect("the service listens");
        std::thread::spawn(move || log.for_each(drop));
        let (_, address) = line.split_once("listening on ").unwrap();
        let operations = self.collection("rocketchat_import");
        let service = Service { process, address: address.trim_matches('"').to_owned(), operations };
        while !service.is_ready().await {
            sleep(POLL_INTERVAL).await;
        }
        service
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let database = self.database.clone();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async { database.drop().await.ok() });
        });
    }
}

/// The running service.
pub struct Service {
    process: Child,
    address: String,
    operations: Collection<Document>,
}

impl Service {
    async fn is_ready(&self) -> bool {
        reqwest::get(format!("{}/readyz", self.address)).await.is_ok_and(|answer| answer.status().is_success())
    }

    /// Starts the run and waits until the operation is done.
    pub async fn run_import(&self) -> Duration {
        self.watch_import(|_, _| {}).await
    }

    /// Starts the run, shows `completed` and the time since the start to `watcher`, and waits until the operation is done.
    pub async fn watch_import(&self, mut watcher: impl FnMut(i64, Duration)) -> Duration {
        let run = reqwest::Client::new()
            .post(format!("{}/api/v1/import.run", self.address))
            .header("X-User-Id", "admin")
            .header("X-Auth-Token", "token");
        let started = Instant::now();
        let answer = run.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        loop {
            let operation = self.operations.find_one(doc! {}).await.unwrap().unwrap();
            let elapsed = started.elapsed();
            let count = operation.get_document("count").unwrap();
            watcher(whole_number(count.get("completed")), elapsed);
            if operation.get_str("status").is_ok_and(|status| status == "importer_done") {
                assert_eq!(whole_number(count.get("completed")), whole_number(count.get("total")), "{count}");
                return elapsed;
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// `http://host:port`
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `host:port`
    pub fn host(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// The most memory the process ever had resident.
    pub fn peak_memory_kb(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory the process has resident.
    pub fn memory_kb(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, kind: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(kind)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn whole_number(value: Option<&Bson>) -> i64 {
    match value {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        _ => 0,
    }
}

/// Processor time that a process has used, in seconds.
pub fn cpu_seconds(pid: u32) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    // User and system time are the 14th and 15th field, the 12th and 13th after the name.
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}
