//! The workspace's settings, `rocketchat_settings`.

use bson::{RawDocumentBuf, doc};
use mongodb::Collection;

use super::{Connection, RepositoryError, bson_fields::read_fields};
use crate::domain::field_value::FieldValue;

const COLLECTION: &str = "rocketchat_settings";
/// Comma-separated ids of the roles that every new account gets.
const NEW_USER_ROLES: &str = "Accounts_Registration_Users_Default_Roles";
const DEFAULT_NEW_USER_ROLES: &str = "user";
const EMAIL_2FA_OPT_IN: &str = "Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In";

/// Reads settings. A setting that is not stored, or not of its kind, has Rocket.Chat's default.
#[derive(Debug, Clone)]
pub struct Settings {
    settings: Collection<RawDocumentBuf>,
}

impl Settings {
    pub(super) fn over(connection: &Connection) -> Self {
        Self { settings: connection.collection(COLLECTION) }
    }

    /// The roles every new account gets.
    ///
    /// Source: `getNewUserRoles`, `apps/meteor/server/services/user/lib/getNewUserRoles.ts`.
    ///
    /// # Errors
    /// When the database does not answer.
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
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn email_2fa_opt_in(&self) -> Result<bool, RepositoryError> {
        Ok(self.value(EMAIL_2FA_OPT_IN).await?.is_none_or(|value| value.is_truthy()))
    }

    /// A whole number; `default` where none is stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn integer(&self, id: &str, default: i64) -> Result<i64, RepositoryError> {
        Ok(self.value(id).await?.and_then(|value| value.as_integer()).unwrap_or(default))
    }

    /// A yes or no; `default` where none is stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn boolean(&self, id: &str, default: bool) -> Result<bool, RepositoryError> {
        Ok(self.value(id).await?.map_or(default, |value| value.is_truthy()))
    }

    async fn value(&self, id: &str) -> Result<Option<FieldValue>, RepositoryError> {
        let setting = self.settings.find_one(doc! { "_id": id }).projection(doc! { "value": 1 }).await?;
        let Some(setting) = setting else { return Ok(None) };
        let fields =
            read_fields(&setting).map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })?;
        Ok(fields.get("value").cloned())
    }
}
