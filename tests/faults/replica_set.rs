//! A replica set of real servers on loopback, with elections that take seconds instead of half a minute.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bson::{Bson, Document, doc};
use futures::future::join_all;
use mongodb::{Client, Database, options::ClientOptions};
use tokio::{
    sync::OnceCell,
    time::{sleep, timeout},
};

use crate::{
    harness::{Workspace, eventually},
    mongod::{Mongod, PID_FILE},
};

/// How long a primary may be silent before the others elect a new one, and without the others before it steps down.
pub const ELECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// What the service calls itself to the servers.
const SERVICE: &str = "rocketchat-import";
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);
/// How long the servers may take to come up, or to get well.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long a server may take to say how it is; one that is frozen never does.
const HELLO_PATIENCE: Duration = Duration::from_millis(700);

/// Takes the folder of the servers. Ends them, and removes it, as soon as standard input ends: the servers must not
/// outlive the tests, however those end.
const GUARD: &str = r#"
folder=$1
cat >/dev/null
kill -KILL $(cat "$folder"/*/pid) 2>/dev/null
rm -rf "$folder"
"#;

/// The servers, which end with this process at the latest.
pub struct ReplicaSet {
    pub members: Vec<Mongod>,
    /// What each member is known by.
    addresses: Vec<String>,
    _guard: Child,
}

impl ReplicaSet {
    /// The three servers that tests share. Each leaves them well.
    pub async fn of_three() -> &'static Self {
        static SHARED: OnceCell<ReplicaSet> = OnceCell::const_new();
        SHARED
            .get_or_init(|| async {
                Self::start(&[free_port(), free_port(), free_port()], &[], ELECTION_TIMEOUT).await
            })
            .await
    }

    /// Servers on these ports; those of the first are known by the `advertised` ports.
    pub async fn start(ports: &[u16], advertised: &[u16], election_timeout: Duration) -> Self {
        assert_eq!(PID_FILE, "pid", "the guard knows the name");
        let folder = tempfile::Builder::new().prefix("rocketchat-import-faults-").tempdir().unwrap().keep();
        let guard = guard(&folder);
        let members: Vec<Mongod> =
            ports.iter().map(|port| Mongod::start(&folder.join(port.to_string()), *port)).collect();
        let known_by = ports.iter().enumerate().map(|(index, port)| advertised.get(index).unwrap_or(port));
        let addresses: Vec<String> = known_by.map(|port| format!("127.0.0.1:{port}")).collect();
        let set = Self { members, addresses, _guard: guard };
        set.initiate(election_timeout).await;
        set.well().await;
        set
    }

    async fn initiate(&self, election_timeout: Duration) {
        eventually("the servers answer", PATIENCE, async || {
            join_all((0..self.members.len()).map(|member| self.hello(member))).await.iter().all(Option::is_some)
        })
        .await;
        let members = self.addresses.iter().enumerate().map(|(index, address)| {
            doc! { "_id": i32::try_from(index).unwrap(), "host": address }
        });
        let milliseconds = |duration: Duration| i64::try_from(duration.as_millis()).unwrap();
        let config = doc! {
            "_id": "rs0",
            "members": members.map(Bson::from).collect::<Vec<_>>(),
            "settings": {
                "electionTimeoutMillis": milliseconds(election_timeout),
                "heartbeatIntervalMillis": milliseconds(HEARTBEAT_INTERVAL),
            },
        };
        self.admin(0).await.run_command(doc! { "replSetInitiate": config }).await.unwrap();
    }

    /// A database of its own for a test, with an administrator.
    pub async fn workspace(&self) -> Workspace {
        let hosts = self.addresses.join(",");
        let workspace = Workspace::empty_at(|name| format!("mongodb://{hosts}/{name}?replicaSet=rs0")).await;
        workspace.with_administrator().await.ready_for_imports().await
    }

    /// Waits until one member takes writes; its index.
    pub async fn primary(&self) -> usize {
        let mut primary = None;
        eventually("there is a primary", PATIENCE, async || {
            let answers = join_all((0..self.members.len()).map(|member| self.hello(member))).await;
            primary = answers.iter().position(|answer| is(answer.as_ref(), "isWritablePrimary"));
            primary.is_some()
        })
        .await;
        primary.unwrap()
    }

    /// Waits until another member than this one takes writes.
    pub async fn successor(&self, of: usize) -> usize {
        let mut successor = None;
        eventually("there is a new primary", PATIENCE, async || {
            let answers = join_all((0..self.members.len()).map(|member| self.hello(member))).await;
            let primaries = answers.iter().enumerate().filter(|(_, answer)| is(answer.as_ref(), "isWritablePrimary"));
            successor = primaries.map(|(member, _)| member).find(|member| *member != of);
            successor.is_some()
        })
        .await;
        successor.unwrap()
    }

    /// All members but this one.
    pub fn others(&self, member: usize) -> impl Iterator<Item = &Mongod> {
        self.members.iter().enumerate().filter(move |(index, _)| *index != member).map(|(_, other)| other)
    }

    /// Makes the primary one no longer. The others elect the next at once.
    pub async fn step_down(&self) -> usize {
        let primary = self.primary().await;
        let command = doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 5 };
        self.admin(primary).await.run_command(command).await.unwrap();
        primary
    }

    /// Has a member try to become the primary; whether it is.
    pub async fn step_up(&self, member: usize) -> bool {
        let elected = self.admin(member).await.run_command(doc! { "replSetStepUp": 1 }).await;
        elected.is_ok() && self.is_primary(member).await
    }

    /// Makes a member replicate from another one, and waits until it does.
    pub async fn follows(&self, follower: usize, other: usize) {
        let (admin, address) = (self.admin(follower).await, &self.addresses[other]);
        eventually("it follows the other", PATIENCE, async || {
            let status = admin.run_command(doc! { "replSetGetStatus": 1 }).await.unwrap();
            let follows = status.get_str("syncSourceHost").is_ok_and(|source| source == address);
            if !follows {
                admin.run_command(doc! { "replSetSyncFrom": address }).await.ok();
                sleep(HEARTBEAT_INTERVAL).await;
            }
            follows
        })
        .await;
    }

    /// Whether this member takes writes, as far as it knows.
    pub async fn is_primary(&self, member: usize) -> bool {
        is(self.hello(member).await.as_ref(), "isWritablePrimary")
    }

    /// Whether the members but for this one learn of what it stores. Those that do not still elect and are elected.
    pub async fn replicate_from(&self, member: usize, on: bool) {
        let mode = if on { "off" } else { "alwaysOn" };
        for other in (0..self.members.len()).filter(|other| *other != member) {
            let command = doc! { "configureFailPoint": "stopReplProducer", "mode": mode };
            self.admin(other).await.run_command(command).await.unwrap();
        }
    }

    /// Makes a member take its time over what the service asks of it with this command.
    pub async fn delay(&self, member: usize, command: &str, time: Duration) {
        let time = i64::try_from(time.as_millis()).unwrap();
        let delay = doc! { "failCommands": [command], "blockConnection": true, "blockTimeMS": time };
        self.fail(member, Bson::from("alwaysOn"), delay).await;
    }

    /// Lets `what` happen on a member to what the service asks of it: `mode` is how often.
    pub async fn fail(&self, member: usize, mode: impl Into<Bson>, mut what: Document) {
        what.insert("appName", SERVICE);
        let command = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": what };
        self.admin(member).await.run_command(command).await.unwrap();
    }

    /// Waits until one is the primary, all others follow it, and it has heard of that.
    pub async fn well(&self) {
        eventually("every server does its part", PATIENCE, async || {
            let answers = join_all((0..self.members.len()).map(|member| self.hello(member))).await;
            let count = |field| answers.iter().filter(|answer| is(answer.as_ref(), field)).count();
            (count("isWritablePrimary"), count("secondary")) == (1, self.members.len() - 1)
        })
        .await;
        let primary = self.primary().await;
        let fence = doc! {
            "appendOplogNote": 1,
            "data": { "all": "well" },
            "writeConcern": { "w": i32::try_from(self.members.len()).unwrap() },
        };
        while self.admin(primary).await.run_command(fence.clone()).await.is_err() {
            sleep(HEARTBEAT_INTERVAL).await;
        }
    }

    async fn hello(&self, member: usize) -> Option<Document> {
        let admin = self.admin(member).await;
        timeout(HELLO_PATIENCE, async { admin.run_command(doc! { "hello": 1 }).await.ok() }).await.ok().flatten()
    }

    /// The `admin` database of this member, whatever it is to the others.
    pub async fn admin(&self, member: usize) -> Database {
        let port = self.members[member].port;
        let mut options =
            ClientOptions::parse(format!("mongodb://127.0.0.1:{port}/?directConnection=true")).await.unwrap();
        options.server_selection_timeout = Some(PATIENCE);
        Client::with_options(options).unwrap().database("admin")
    }
}

fn is(answer: Option<&Document>, what: &str) -> bool {
    answer.is_some_and(|answer| answer.get_bool(what).unwrap_or(false))
}

fn guard(folder: &PathBuf) -> Child {
    use std::os::unix::process::CommandExt as _;
    Command::new("sh")
        .args(["-c", GUARD, "guard"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a shell")
}

/// A TCP port nobody listens on at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
