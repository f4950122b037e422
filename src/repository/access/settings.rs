//! The workspace's settings, `rocketchat_settings`.

use std::collections::HashMap;

use bson::{RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use crate::{
    domain::{
        api::{
            call_window::CallLimit,
            outgoing::Allowlist,
            policy::{CrossOrigin, call_limit},
        },
        field_value::{FieldValue, Fields},
        sign_up::{SignUpRules, SignUpSettings},
    },
    repository::{Connection, RepositoryError, bson::read::read_fields},
};

const COLLECTION: &str = "rocketchat_settings";
/// Comma-separated ids of the roles that every new account gets.
const NEW_USER_ROLES: &str = "Accounts_Registration_Users_Default_Roles";
const DEFAULT_NEW_USER_ROLES: &str = "user";
/// Whether calls of the API are limited at all.
const RATE_LIMITER: &str = "API_Enable_Rate_Limiter";
const RATE_LIMITER_CALLS: &str = "API_Enable_Rate_Limiter_Limit_Calls_Default";
const DEFAULT_CALLS: i64 = 10;
const RATE_LIMITER_MILLIS: &str = "API_Enable_Rate_Limiter_Limit_Time_Default";
const DEFAULT_MILLIS: i64 = 60_000;
/// Whether pages of other origins may call the API.
const CORS: &str = "API_Enable_CORS";
/// Which ones: `*`, or a list with commas.
const CORS_ORIGIN: &str = "API_CORS_Origin";
const DEFAULT_CORS_ORIGIN: &str = "*";
/// Private hosts and addresses that may be fetched from.
const SSRF_ALLOWLIST: &str = "SSRF_Allowlist";
/// Whether somebody has to approve new accounts.
const APPROVE_MANUALLY: &str = "Accounts_ManuallyApproveNewUsers";
/// The beginning of user names that are suggested to people without a name.
const USERNAME_PREFIX: &str = "Accounts_DefaultUsernamePrefixSuggestion";
const DEFAULT_USERNAME_PREFIX: &str = "user";
const EMAIL_2FA_OPT_IN: &str = "Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In";

/// The rules for people who sign up.
const USERNAME_PATTERN: &str = "UTF8_User_Names_Validation";
const BLOCKED_USERNAMES: &str = "Accounts_BlockedUsernameList";
const RESERVED_USERNAMES: &str = "Accounts_SystemBlockedUsernameList";
const DEFAULT_RESERVED_USERNAMES: &str = "admin,administrator,system,user";
const ALLOWED_DOMAINS: &str = "Accounts_AllowedDomainsList";
const BLOCKED_DOMAINS: &str = "Accounts_BlockedDomainsList";

/// Reads settings. A setting that is not stored, or not of its kind, has Rocket.Chat's default.
#[derive(Debug, Clone)]
pub struct Settings {
    settings: Collection<RawDocumentBuf>,
}

impl Settings {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { settings: connection.collection(COLLECTION) }
    }

    /// The roles every new account gets.
    ///
    /// Source: `getNewUserRoles`, `apps/meteor/server/services/user/lib/getNewUserRoles.ts`.
    pub async fn new_user_roles(&self) -> Result<Vec<String>, RepositoryError> {
        let stored = self.value(NEW_USER_ROLES).await?;
        let list = stored.as_ref().and_then(FieldValue::as_text).unwrap_or(DEFAULT_NEW_USER_ROLES);
        let mut roles: Vec<String> = Vec::new();
        for role in list.split(',').map(str::trim).filter(|role| !role.is_empty()) {
            if !roles.iter().any(|known| known == role) {
                roles.push(role.to_owned());
            }
        }
        Ok(roles)
    }

    /// Whether new accounts have two-factor authentication by e-mail switched on.
    pub async fn email_2fa_opt_in(&self) -> Result<bool, RepositoryError> {
        Ok(self.value(EMAIL_2FA_OPT_IN).await?.is_none_or(|value| value.is_truthy()))
    }

    /// Whether new accounts wait for approval.
    pub async fn approves_new_users_manually(&self) -> Result<bool, RepositoryError> {
        self.boolean(APPROVE_MANUALLY, false).await
    }

    /// The beginning of suggested user names.
    pub async fn username_prefix(&self) -> Result<String, RepositoryError> {
        let stored = self.value(USERNAME_PREFIX).await?;
        Ok(stored.as_ref().and_then(FieldValue::as_text).unwrap_or(DEFAULT_USERNAME_PREFIX).to_owned())
    }

    /// The rules for people who sign up.
    pub async fn sign_up_rules(&self) -> Result<SignUpRules, RepositoryError> {
        let ids = [USERNAME_PATTERN, BLOCKED_USERNAMES, RESERVED_USERNAMES, ALLOWED_DOMAINS, BLOCKED_DOMAINS];
        let stored = self.values(&ids).await?;
        let text = |id| stored.get(id).and_then(FieldValue::as_text);
        Ok(SignUpRules::new(SignUpSettings {
            names: text(USERNAME_PATTERN).unwrap_or_default(),
            blocked_names: text(BLOCKED_USERNAMES).unwrap_or_default(),
            reserved_names: text(RESERVED_USERNAMES).unwrap_or(DEFAULT_RESERVED_USERNAMES),
            allowed_domains: text(ALLOWED_DOMAINS).unwrap_or_default(),
            blocked_domains: text(BLOCKED_DOMAINS).unwrap_or_default(),
        }))
    }

    /// How often everybody may call the API, and from where a browser may.
    ///
    /// Source: `apps/meteor/server/settings/rate.ts`; `apps/meteor/server/api/ApiClass.ts` (`shouldVerifyRateLimit`).
    pub(in crate::repository) async fn api_limits(&self) -> Result<(Option<CallLimit>, CrossOrigin), RepositoryError> {
        let stored = self.values(&[RATE_LIMITER, RATE_LIMITER_CALLS, RATE_LIMITER_MILLIS, CORS, CORS_ORIGIN]).await?;
        let number = |id, default| match stored.get(id) {
            Some(value) if !value.is_truthy() => 0,
            value => value.and_then(FieldValue::as_integer).unwrap_or(default),
        };
        let is_limited = stored.get(RATE_LIMITER).is_none_or(|value| *value == FieldValue::Boolean(true));
        let limit = call_limit(number(RATE_LIMITER_CALLS, DEFAULT_CALLS), number(RATE_LIMITER_MILLIS, DEFAULT_MILLIS));
        let has_cors = stored.get(CORS).is_some_and(FieldValue::is_truthy);
        let origins = stored.get(CORS_ORIGIN).and_then(FieldValue::as_text).unwrap_or(DEFAULT_CORS_ORIGIN);
        Ok((limit.filter(|_| is_limited), CrossOrigin::new(has_cors, origins)))
    }

    /// The private addresses from which a file may be fetched.
    pub async fn outgoing_allowlist(&self) -> Result<Allowlist, RepositoryError> {
        let stored = self.value(SSRF_ALLOWLIST).await?;
        Ok(Allowlist::read(stored.as_ref().and_then(FieldValue::as_text).unwrap_or_default()))
    }

    /// A whole number; `default` where none is stored.
    pub async fn integer(&self, id: &str, default: i64) -> Result<i64, RepositoryError> {
        Ok(self.value(id).await?.and_then(|value| value.as_integer()).unwrap_or(default))
    }

    /// A yes or no; `default` where none is stored.
    pub async fn boolean(&self, id: &str, default: bool) -> Result<bool, RepositoryError> {
        Ok(self.value(id).await?.map_or(default, |value| value.is_truthy()))
    }

    async fn value(&self, id: &str) -> Result<Option<FieldValue>, RepositoryError> {
        let setting = self.settings.find_one(doc! { "_id": id }).projection(doc! { "value": 1 }).await?;
        let Some(setting) = setting else { return Ok(None) };
        Ok(fields_of(&setting)?.get("value").cloned())
    }

    /// The stored values of these settings, by their ids.
    pub(super) async fn values(&self, ids: &[&str]) -> Result<HashMap<String, FieldValue>, RepositoryError> {
        let stored = self.settings.find(doc! { "_id": { "$in": ids } }).projection(doc! { "value": 1 }).await?;
        let stored: Vec<RawDocumentBuf> = stored.try_collect().await?;
        let mut values = HashMap::new();
        for setting in stored {
            let fields = fields_of(&setting)?;
            if let (Some(id), Some(value)) = (fields.get("_id").and_then(FieldValue::as_text), fields.get("value")) {
                values.insert(id.to_owned(), value.clone());
            }
        }
        Ok(values)
    }
}

fn fields_of(setting: &RawDocumentBuf) -> Result<Fields, RepositoryError> {
    read_fields(setting).map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })
}
