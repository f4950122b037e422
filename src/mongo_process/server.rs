//! A `mongod` as a child process, on loopback, in a folder of its own.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use super::{PASSWORD, Topology, come_up, url_of, variable};

/// Takes a folder and a program with its arguments. Runs the program, says its process id, ends it as soon as standard
/// input ends, and then removes the folder.
///
/// The server must not outlive us, however we end, and must not get the Ctrl-C that is meant for us. So it runs in a
/// process group of its own, under a guard that holds the other end of a pipe from us. A server that ends by itself
/// leaves its folder, for its log is in there.
const GUARD: &str = r#"
folder=$1; shift
"$@" >/dev/null 2>&1 & server=$!
echo "$server"
exec 3<&0
{ cat <&3 >/dev/null; : >"$folder/unleashed"; kill -CONT "$server"; kill "$server"; } 2>/dev/null &
exec 3<&-
wait "$server"
[ -e "$folder/unleashed" ] && rm -rf "$folder"
"#;
const LOG_FILE: &str = "mongod.log";
/// By which the members of a replica set know each other. With it mongod asks everybody who they are.
const KEY_FILE: &str = "key";
const STOP_PATIENCE: Duration = Duration::from_secs(15);
/// The gigabytes that a server keeps in memory, where the default is too few: those of the benchmarks hold millions of records.
const CACHE_VARIABLE: &str = "MONGOD_CACHE_GB";
/// Servers of tests hold little data, and several run at once.
const CACHE_GIGABYTES: &str = "0.5";

/// A running server. Dropping it ends it, too, but does not wait.
#[derive(Debug)]
pub(super) struct Server {
    program: PathBuf,
    guard: Child,
    /// One for each time the server was started. Letting go of one ends what it holds.
    leashes: Vec<ChildStdin>,
    pid: Pid,
    port: u16,
    topology: Topology,
    folder: TempDir,
}

/// A server that was just started.
struct Started {
    guard: Child,
    leash: ChildStdin,
    pid: Pid,
}

impl Server {
    /// Starts `program`.
    ///
    /// # Errors
    /// With the reason, when it cannot be started or does not come up.
    pub(super) async fn start(program: PathBuf, topology: Topology) -> Result<Self, String> {
        let version = Command::new(&program).arg("--version").output().await.map_err(|error| error.to_string())?;
        if !version.status.success() {
            return Err(last_line(&String::from_utf8_lossy(&version.stderr)));
        }
        let mut server = Self::make(program, topology).await.map_err(|error| error.to_string())?;
        server.come_up().await?;
        Ok(server)
    }

    async fn make(program: PathBuf, topology: Topology) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("rocketchat-import-mongod-").tempdir()?;
        let port = free_port()?;
        if topology == Topology::WithUsers {
            write_key(&folder.path().join(KEY_FILE))?;
        }
        let Started { guard, leash, pid } = spawn(&program, folder.path(), port, topology).await?;
        Ok(Self { program, guard, leashes: vec![leash], pid, port, topology, folder })
    }

    /// Waits until the server takes writes.
    async fn come_up(&mut self) -> Result<(), String> {
        let member = self.member();
        let reason = tokio::select! {
            came_up = come_up(&member, self.topology) => match came_up {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            _ = self.guard.wait() => "it ended".to_owned(),
        };
        let log = fs::read_to_string(self.folder.path().join(LOG_FILE)).unwrap_or_default();
        Err(format!("{reason}; its log ends with: {}", last_line(&log)))
    }

    /// Ends the server on the spot, as a loss of power does, and starts it again with its data.
    pub(super) async fn crash(&mut self) -> Result<(), String> {
        kill(self.pid, Signal::SIGKILL).map_err(|error| error.to_string())?;
        self.guard.wait().await.map_err(|error| error.to_string())?;
        let spawned = spawn(&self.program, self.folder.path(), self.port, self.topology).await;
        let started = spawned.map_err(|error| error.to_string())?;
        self.guard = started.guard;
        self.pid = started.pid;
        self.leashes.push(started.leash);
        self.come_up().await
    }

    fn member(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn url(&self) -> String {
        url_of(&self.member(), self.topology)
    }

    pub(super) fn freeze(&self) -> Result<(), String> {
        kill(self.pid, Signal::SIGSTOP).map_err(|error| error.to_string())
    }

    pub(super) fn thaw(&self) -> Result<(), String> {
        kill(self.pid, Signal::SIGCONT).map_err(|error| error.to_string())
    }

    pub(super) async fn stop(mut self) -> Result<(), String> {
        drop(self.leashes);
        timeout(STOP_PATIENCE, self.guard.wait())
            .await
            .map_err(|_| format!("still running after {STOP_PATIENCE:?}"))?
            .map_err(|error| error.to_string())?;
        match self.folder.close() {
            // The guard may have been there first.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        }
    }
}

/// Readable by nobody else on this machine, as mongod insists.
fn write_key(file: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(PASSWORD.as_bytes())
}

async fn spawn(program: &Path, folder: &Path, port: u16, topology: Topology) -> io::Result<Started> {
    let key = folder.join(KEY_FILE);
    let replica_set: &[&OsStr] = match topology {
        Topology::ReplicaSet => &["--replSet".as_ref(), "rs0".as_ref()],
        Topology::WithUsers => &["--replSet".as_ref(), "rs0".as_ref(), "--keyFile".as_ref(), key.as_os_str()],
        Topology::Standalone => &[],
    };
    let mut guard = Command::new("sh")
        .args(["-c", GUARD, "guard"])
        .arg(folder)
        .arg(program)
        .arg("--dbpath")
        .arg(folder)
        .arg("--logpath")
        .arg(folder.join(LOG_FILE))
        .args(replica_set)
        .args(["--bind_ip", "127.0.0.1", "--nounixsocket"])
        .args(["--port", &port.to_string()])
        .arg("--wiredTigerCacheSizeGB")
        .arg(variable(CACHE_VARIABLE).unwrap_or_else(|| CACHE_GIGABYTES.to_owned()))
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let (Some(leash), Some(output)) = (guard.stdin.take(), guard.stdout.take()) else {
        return Err(io::Error::other("the guard has no pipes"));
    };
    let said = BufReader::new(output).lines().next_line().await?.unwrap_or_default();
    let pid = said.parse().map(Pid::from_raw).map_err(io::Error::other)?;
    Ok(Started { guard, leash, pid })
}

/// A TCP port nobody listens on at the moment.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn last_line(text: &str) -> String {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("(nothing)").to_owned()
}
