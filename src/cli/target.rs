//! Which server a command talks to, and as whom.

use std::{env, fs, path::PathBuf, time::Duration};

use clap::Args;
use reqwest::Url;

use super::{CommandError, console::Console};
use crate::client::{Client, Token};

const TOKEN_VARIABLE: &str = "ROCKETCHAT_AUTH_TOKEN";
const TOKEN_FILE_VARIABLE: &str = "ROCKETCHAT_AUTH_TOKEN_FILE";

/// A server with the import API, and a user who may run imports.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerArgs {
    /// Where the server is; its API is below `/api/v1` there
    #[arg(long, env = "ROCKETCHAT_URL", hide_env_values = true, default_value = "http://127.0.0.1:3000")]
    url: String,

    /// `_id` of the user
    #[arg(long, env = "ROCKETCHAT_USER_ID", hide_env_values = true, value_name = "ID")]
    user_id: Option<String>,

    // The environment is not asked through clap: a flag of either kind has to win over a variable of either kind.
    /// Login token or personal access token of the user; others on this machine can see it here, so better in a file or
    /// in the environment [env: `ROCKETCHAT_AUTH_TOKEN`]
    #[arg(long, conflicts_with = "token_file")]
    token: Option<String>,

    /// File that holds the token [env: `ROCKETCHAT_AUTH_TOKEN_FILE`]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// How long a server that cannot be reached is tried again
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(super) retry_for: u64,
}

impl ServerArgs {
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.retry_for)
    }

    /// A client that tells `console` about what it has to try again.
    pub(super) fn client(&self, console: &Console) -> Result<Client, CommandError> {
        let url = self.url()?;
        let user_id = self.user_id.as_deref().filter(|id| !id.is_empty()).ok_or_else(|| {
            CommandError::Setting("the user is not told: give --user-id or ROCKETCHAT_USER_ID".to_owned())
        })?;
        let console = console.clone();
        let notice = Box::new(move |error: &_, pause: Duration| {
            console.notice(&format!("{error}; trying again in {:.1} s", pause.as_secs_f64()));
        });
        Client::new(&url, user_id, self.token()?, Some(self.patience()), notice).map_err(CommandError::Setting)
    }

    fn url(&self) -> Result<Url, CommandError> {
        let wrong = |reason: &str| CommandError::Setting(format!("--url cannot be used: {reason}"));
        if !self.url.contains("://") {
            return Err(wrong(&format!("{} has no scheme: give https://{}", self.url, self.url)));
        }
        let url = Url::parse(&self.url).map_err(|error| wrong(&error.to_string()))?;
        match url.scheme() {
            "http" | "https" => Ok(url),
            _ => Err(wrong("it must begin with http:// or https://")),
        }
    }

    fn token(&self) -> Result<Token, CommandError> {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let text = if let Some(token) = &self.token {
            token.clone()
        } else if let Some(file) = &self.token_file {
            token_in(file)?
        } else if let Some(token) = variable(TOKEN_VARIABLE) {
            token
        } else if let Some(file) = variable(TOKEN_FILE_VARIABLE) {
            token_in(&PathBuf::from(file))?
        } else {
            return Err(CommandError::Setting(format!(
                "the token is not told: give --token-file, {TOKEN_FILE_VARIABLE} or {TOKEN_VARIABLE}"
            )));
        };
        Token::new(text).ok_or_else(|| CommandError::Setting("the token cannot be sent in a header".to_owned()))
    }
}

fn token_in(file: &PathBuf) -> Result<String, CommandError> {
    let text = fs::read_to_string(file)
        .map_err(|error| CommandError::Setting(format!("the token file {} cannot be read: {error}", file.display())))?;
    Ok(text.trim().to_owned())
}
