//! The settings that rooms and messages depend on.

use chrono::TimeDelta;

use super::Settings;
use crate::{
    domain::{
        document::room_names::{DEFAULT_PATTERN, RoomNames},
        field_value::FieldValue,
        retention::{Retention, Spared},
    },
    repository::RepositoryError,
};

const SPECIAL_CHARACTERS: &str = "UI_Allow_room_names_with_special_chars";
const NAME_PATTERN: &str = "UTF8_Channel_Names_Validation";
const RESERVED_NAMES: &str = "Accounts_SystemBlockedUsernameList";
const DEFAULT_RESERVED_NAMES: &str = "admin,administrator,system,user";
const STORE_LAST_MESSAGE: &str = "Store_Last_Message";
const HIDDEN_TYPES: &str = "Hide_System_Messages";
const GUEST_COUNT: &str = "Livechat_guest_count";
/// Whether messages are removed after some time at all; and whether only their files are.
const RETENTION: &str = "RetentionPolicy_Enabled";
const RETENTION_OF_FILES: &str = "RetentionPolicy_FilesOnly";
const RETENTION_SPARES_PINNED: &str = "RetentionPolicy_DoNotPrunePinned";
const RETENTION_SPARES_THREADS: &str = "RetentionPolicy_DoNotPruneThreads";
const RETENTION_SPARES_DISCUSSIONS: &str = "RetentionPolicy_DoNotPruneDiscussion";
/// What the names of the settings of each kind of room end with.
const RETENTION_KINDS: [&str; 3] = ["Channels", "Groups", "DMs"];
const DEFAULT_RETENTION: TimeDelta = TimeDelta::days(30);

impl Settings {
    /// Returns how long messages stay; `None` if the workspace removes none, not even from rooms with rules of their own.
    ///
    /// Source: `apps/meteor/app/retention-policy/server/cronPruneMessages.ts`. Releases before 6.11 hold days instead of
    /// milliseconds, under another name.
    pub async fn retention(&self) -> Result<Option<Retention>, RepositoryError> {
        let of_kinds = RETENTION_KINDS
            .map(|kind| ["AppliesTo", "TTL_", "MaxAge_"].map(|part| format!("RetentionPolicy_{part}{kind}")));
        let mut ids: Vec<&str> = of_kinds.iter().flatten().map(String::as_str).collect();
        ids.extend([RETENTION, RETENTION_OF_FILES]);
        ids.extend([RETENTION_SPARES_PINNED, RETENTION_SPARES_THREADS, RETENTION_SPARES_DISCUSSIONS]);
        let stored = self.values(&ids).await?;
        let is_on = |id: &str| stored.get(id).is_some_and(FieldValue::is_truthy);
        // On unless somebody switched them off.
        let is_not_off = |id: &str| stored.get(id).is_none_or(FieldValue::is_truthy);
        if !is_on(RETENTION) {
            return Ok(None);
        }
        let number = |id: &str| stored.get(id).and_then(FieldValue::as_integer);
        let [channels, groups, direct] = of_kinds.each_ref().map(|[applies, millis, days]| {
            let kept = number(millis).and_then(TimeDelta::try_milliseconds);
            let kept = kept.or_else(|| number(days).and_then(TimeDelta::try_days)).unwrap_or(DEFAULT_RETENTION);
            // Where only files go, rooms with rules of their own still follow those.
            (is_on(applies) && !is_on(RETENTION_OF_FILES)).then_some(kept)
        });
        let spared = Spared { pinned: is_on(RETENTION_SPARES_PINNED), threads: is_not_off(RETENTION_SPARES_THREADS) };
        let spares_discussions = is_not_off(RETENTION_SPARES_DISCUSSIONS);
        Ok(Some(Retention { channels, groups, direct, spared, spares_discussions }))
    }

    /// Returns the rules for names of rooms.
    pub async fn room_names(&self) -> Result<RoomNames, RepositoryError> {
        let stored = self.values(&[SPECIAL_CHARACTERS, NAME_PATTERN, RESERVED_NAMES]).await?;
        let text = |id: &str, default: &'static str| stored.get(id).and_then(FieldValue::as_text).unwrap_or(default);
        let special = stored.get(SPECIAL_CHARACTERS).is_some_and(FieldValue::is_truthy);
        let reserved = text(RESERVED_NAMES, DEFAULT_RESERVED_NAMES).split(',').map(str::to_owned);
        Ok(RoomNames::new(special, text(NAME_PATTERN, DEFAULT_PATTERN), reserved))
    }

    /// Whether rooms hold their last messages.
    pub async fn stores_last_message(&self) -> Result<bool, RepositoryError> {
        self.boolean(STORE_LAST_MESSAGE, true).await
    }

    /// Returns the types of system messages that clients hide everywhere.
    pub async fn hidden_types(&self) -> Result<Vec<String>, RepositoryError> {
        Ok(match self.values(&[HIDDEN_TYPES]).await?.remove(HIDDEN_TYPES) {
            Some(FieldValue::List(types)) => types.iter().filter_map(FieldValue::as_text).map(str::to_owned).collect(),
            _ => Vec::new(),
        })
    }

    /// Returns how many guests have had a number as their name.
    pub async fn guest_count(&self) -> Result<i64, RepositoryError> {
        self.integer(GUEST_COUNT, 0).await
    }
}
