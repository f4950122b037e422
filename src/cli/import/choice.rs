//! The people and rooms that are imported, by the names a person knows them by.

use std::collections::HashSet;

use clap::Args;
use serde_json::{Value, json};

use super::super::CommandError;
use crate::{
    client::{Client, FileData},
    domain::selection::DIRECT_MESSAGES,
};

/// Stands for all direct messages.
const DIRECT_MESSAGES_WORD: &str = "direct-messages";

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct ChoiceArgs {
    /// People who are left out, by user name, address or id, with commas; what they wrote is kept under a placeholder
    #[arg(long, value_name = "PEOPLE", value_delimiter = ',', requires = "run")]
    without_users: Vec<String>,

    /// Channels that are imported, by name or id, with commas; `direct-messages` are all direct messages
    #[arg(long, value_name = "CHANNELS", value_delimiter = ',', requires = "run")]
    only_channels: Vec<String>,
}

impl ChoiceArgs {
    pub(super) fn is_everything(&self) -> bool {
        self.without_users.is_empty() && self.only_channels.is_empty()
    }

    /// The input of `startImport`.
    ///
    /// # Errors
    /// When a name is not in the file.
    pub(super) async fn input(&self, client: &Client) -> Result<Value, CommandError> {
        let all = json!({ "all": true });
        if self.is_everything() {
            return Ok(json!({ "users": all, "channels": all, "contacts": all }));
        }
        let data = client.file_data().await?;
        Ok(json!({ "users": self.users(&data)?, "channels": self.channels(&data)?, "contacts": all }))
    }

    fn users(&self, data: &FileData) -> Result<Value, CommandError> {
        if self.without_users.is_empty() {
            return Ok(json!({ "all": true }));
        }
        let mut names = Names::new(&self.without_users, '@');
        let left = data.users.iter().filter(|user| {
            let texts = [&user.user_id, &user.username, &user.email];
            !names.take(texts.into_iter().flatten().map(String::as_str))
        });
        let left: Vec<&str> = left.filter_map(|user| user.user_id.as_deref()).collect();
        names.require_all("--without-users", "person")?;
        Ok(json!({ "list": left }))
    }

    fn channels(&self, data: &FileData) -> Result<Value, CommandError> {
        if self.only_channels.is_empty() {
            return Ok(json!({ "all": true }));
        }
        let mut names = Names::new(&self.only_channels, '#');
        let chosen = data.channels.iter().filter(|channel| {
            let word = (channel.channel_id == DIRECT_MESSAGES).then_some(DIRECT_MESSAGES_WORD);
            let texts = [Some(channel.channel_id.as_str()), channel.name.as_deref(), word];
            names.take(texts.into_iter().flatten())
        });
        let chosen: Vec<&str> = chosen.map(|channel| channel.channel_id.as_str()).collect();
        names.require_all("--only-channels", "channel")?;
        Ok(json!({ "list": chosen }))
    }
}

/// Names of the command line, and which of them were found.
struct Names {
    wanted: Vec<String>,
    found: HashSet<String>,
}

impl Names {
    fn new(names: &[String], sign: char) -> Self {
        let plain = |name: &String| name.trim().trim_start_matches(sign).to_lowercase();
        Self { wanted: names.iter().map(plain).collect(), found: HashSet::new() }
    }

    /// Whether one of the texts is one of the names.
    fn take<'a>(&mut self, texts: impl Iterator<Item = &'a str>) -> bool {
        let mut is_named = false;
        for text in texts {
            let text = text.to_lowercase();
            if self.wanted.contains(&text) {
                self.found.insert(text);
                is_named = true;
            }
        }
        is_named
    }

    fn require_all(&self, flag: &str, what: &str) -> Result<(), CommandError> {
        match self.wanted.iter().find(|name| !self.found.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(CommandError::Setting(format!(
                "{flag}: the file has no {what} \"{name}\"; nothing was run, the file stays loaded"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> FileData {
        serde_json::from_value(json!({
            "users": [
                { "user_id": "U1", "username": "ann", "email": "Ann@example.com" },
                { "user_id": "U2", "username": "bob" }
            ],
            "channels": [
                { "channel_id": "C1", "name": "dev" },
                { "channel_id": DIRECT_MESSAGES, "name": "Direct messages" }
            ]
        }))
        .unwrap()
    }

    fn chosen(without_users: &[&str], only_channels: &[&str]) -> (Value, Value) {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let args = ChoiceArgs { without_users: texts(without_users), only_channels: texts(only_channels) };
        let read = |part: Result<Value, CommandError>| part.unwrap_or_else(|error| json!(error.to_string()));
        (read(args.users(&data())), read(args.channels(&data())))
    }

    #[test]
    fn people_and_channels_are_named_by_whatever_a_person_knows_of_them() {
        let all = json!({ "all": true });
        assert_eq!(chosen(&[], &[]), (all.clone(), all));
        let expected = (json!({ "list": ["U2"] }), json!({ "list": ["C1", DIRECT_MESSAGES] }));
        assert_eq!(chosen(&["ann@EXAMPLE.com"], &["#dev", "direct-messages"]), expected);
        assert_eq!(chosen(&["@Ann"], &["C1"]), (json!({ "list": ["U2"] }), json!({ "list": ["C1"] })));
        let (users, channels) = chosen(&["ann", "eve"], &["ops"]);
        assert!(users.as_str().unwrap().contains("no person \"eve\""), "{users}");
        assert!(channels.as_str().unwrap().contains("no channel \"ops\""), "{channels}");
    }
}
