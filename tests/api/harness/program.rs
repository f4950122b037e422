//! The program under test, for commands that end by themselves.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Names the program to test where it is not the one that was built with the tests: that of another release.
const PROGRAM: &str = "TEST_PROGRAM";

/// Everything that could steer the program from the environment of the tests.
const SETTINGS: [&str; 41] = [
    "MONGO_URL",
    "MONGO_URL_FILE",
    "ADMIN_MONGO_URL",
    "ADMIN_MONGO_URL_FILE",
    "CREATE_ADMINISTRATOR",
    "PORT",
    "BIND_IP",
    "METRICS_PORT",
    "MAX_REQUESTS_IN_WORK",
    "RECEIPT_DAYS",
    "RETRY_FOR",
    "IMPORT_PACE",
    "UPLOAD_LIMIT_MB",
    "UPLOAD_QUOTA_MB",
    "UPLOAD_RATE",
    "FILE_DAYS",
    "IMPORT_FOLDER",
    "DOWNLOADS_AT_ONCE",
    "DOWNLOADS_PER_HOST",
    "DNS_SERVERS",
    "FETCH_AFTER_IMPORT",
    "FILE_STORE_FOLDER",
    "GOOGLE_STORAGE_URL",
    "GOOGLE_TOKEN_URL",
    "MISSING_FILE_NOTES",
    "RESUME_AFTER_INVALIDATION",
    "TRUSTED_PROXIES",
    "HTTP_FORWARDED_COUNT",
    "RUST_LOG",
    "INITIATE_REPLICA_SET",
    "LOAD_EXAMPLE_WORKSPACE",
    "IMPORT_WEBHOOK_URL",
    "IMPORT_WEBHOOK_SECRET",
    "TEST_MONGO_URL",
    "TEST_MONGO_IMAGE",
    "MONGOD",
    "MONGOD_CACHE_GB",
    "ROCKETCHAT_URL",
    "ROCKETCHAT_USER_ID",
    "ROCKETCHAT_AUTH_TOKEN",
    "ROCKETCHAT_AUTH_TOKEN_FILE",
];

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub output: String,
    pub errors: String,
}

/// The program with these arguments and settings, and no others.
pub fn program(arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let named = env::var_os(PROGRAM).filter(|named| !named.is_empty());
    let program = named.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_rocketchat-import")), PathBuf::from);
    program_at(&program, arguments, settings)
}

/// The same for the program of another release.
pub fn program_at(path: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(path);
    for setting in SETTINGS {
        command.env_remove(setting);
    }
    command.args(arguments).envs(settings.iter().copied()).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub async fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Finished {
    let command = program(arguments, settings);
    let output = tokio::process::Command::from(command).output().await.expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Finished { code: output.status.code(), output: text(&output.stdout), errors: text(&output.stderr) }
}
