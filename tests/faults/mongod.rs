//! One `mongod` as a process of the test's own, to be killed, frozen and started again.

use std::{
    env,
    fs::read_dir,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::harness::Mongo;

/// A server. It lives until it is killed; the owner of its folder sees to that.
pub struct Mongod {
    pub port: u16,
    folder: PathBuf,
    process: Mutex<Child>,
}

impl Mongod {
    /// Starts a server of the replica set `rs0` with its data in a new folder.
    pub fn start(folder: &Path, port: u16) -> Self {
        std::fs::create_dir(folder).unwrap();
        let process = Mutex::new(spawn(folder, port));
        Self { port, folder: folder.to_owned(), process }
    }

    /// Ends it on the spot, as a loss of power does.
    pub fn kill(&self) {
        let mut process = self.process.lock().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts it again with the data it had.
    pub fn start_again(&self) {
        *self.process.lock().unwrap() = spawn(&self.folder, self.port);
    }

    /// Makes it keep its connections and answer nothing.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.process.lock().unwrap().id();
        kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
    }
}

/// The name of the file, in a server's folder, that holds its process id.
pub const PID_FILE: &str = "pid";

fn spawn(folder: &Path, port: u16) -> Child {
    Command::new(program())
        .arg("--dbpath")
        .arg(folder)
        .arg("--logpath")
        .arg(folder.join("log"))
        .arg("--pidfilepath")
        .arg(folder.join(PID_FILE))
        .args(["--logappend", "--replSet", "rs0", "--bind_ip", "127.0.0.1", "--nounixsocket"])
        .args(["--port", &port.to_string(), "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "500"])
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
        // Fail points are test commands.
        .args(["--setParameter", "enableTestCommands=1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("mongod starts")
}

/// The program that the private MongoDB of the other tests is, where it is one.
fn program() -> PathBuf {
    if let Some(named) = env::var_os("MONGOD").filter(|name| !name.is_empty()) {
        return named.into();
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut on_path = env::split_paths(&folders).map(|folder| folder.join("mongod"));
    on_path.find(|program| program.exists()).or_else(cached).unwrap_or_else(|| {
        // Whoever starts a server where there is neither Docker nor a mongod leaves one in the cache.
        drop(Mongo::own());
        cached().expect("a mongod: name one with MONGOD, or install it")
    })
}

fn cached() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    let files = read_dir(cache.join("rocketchat-import")).ok()?;
    files.filter_map(|file| Some(file.ok()?.path())).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("mongod-") && !name.ends_with(".part")
    })
}
