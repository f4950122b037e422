//! The MongoDB the tests use, run by the program's own `mongo` command.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, OnceLock},
};

/// A running MongoDB. It ends when its standard input does, so with this process however that ends.
pub struct Mongo {
    url: String,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _process: Child,
}

impl Mongo {
    /// The server all tests share that do it no harm.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Mongo> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A server of the test's own, to freeze or to end.
    pub fn own() -> Self {
        Self::start(&["--own"])
    }

    /// A server that wants to know its users; its connection string is an administrator's. Shared, too.
    pub fn with_users() -> &'static Self {
        static WITH_USERS: OnceLock<Mongo> = OnceLock::new();
        WITH_USERS.get_or_init(|| Self::start(&["--own", "--users"]))
    }

    /// A server of the test's own that belongs to no replica set.
    pub fn standalone() -> Self {
        Self::start(&["--own", "--standalone"])
    }

    fn start(arguments: &[&str]) -> Self {
        // Its log goes to our standard error, past the test runner's capture: which server was used must be seen.
        let mut process = Command::new(env!("CARGO_BIN_EXE_rocketchat-import"))
            .arg("mongo")
            .args(arguments)
            .env("RUST_LOG", "info")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut url = String::new();
        output.read_line(&mut url).unwrap();
        assert!(url.starts_with("mongodb"), "no MongoDB for the tests; the reason stands above");
        Self { url: url.trim().to_owned(), pipes: Mutex::new((input, output)), _process: process }
    }

    /// The connection string with the database `name` in its path.
    pub fn url_of(&self, name: &str) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let options = path.split_once('?').map(|(_, options)| format!("?{options}")).unwrap_or_default();
        format!("{scheme}://{authority}/{name}{options}")
    }

    /// Makes the server keep its connections and answer nothing.
    pub fn freeze(&self) {
        self.say("freeze");
    }

    pub fn thaw(&self) {
        self.say("thaw");
    }

    /// Ends the server as a loss of power does, and starts it again with its data.
    pub fn crash(&self) {
        self.say("crash");
    }

    fn say(&self, word: &str) {
        let mut pipes = self.pipes.lock().unwrap();
        writeln!(pipes.0, "{word}").unwrap();
        let mut answer = String::new();
        pipes.1.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "ok", "{word}");
    }
}
