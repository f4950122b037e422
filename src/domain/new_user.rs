//! The account a staged user becomes.

use super::field_value::{Date, FieldValue, Fields};

/// The field by which Rocket.Chat has a person choose another password at the next log-in. Its own imports never set it.
///
/// Source: `packages/core-typings/src/IUser.ts`.
pub const REQUIRE_PASSWORD_CHANGE: &str = "requirePasswordChange";

/// What a staged user lacks to become an account.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The account's `_id`.
    pub id: String,
    /// The bcrypt text of its password, see [`password_of`].
    pub bcrypt: String,
    /// Whether two-factor authentication by e-mail is switched on for it.
    pub email_2fa: bool,
    pub now: Date,
}

/// The password that was staged in clear text; an empty one is none.
#[must_use]
pub fn password_of(staged: &Fields) -> Option<&str> {
    staged.get("password")?.as_text().filter(|password| !password.is_empty())
}

/// Whether the person can log in with a password that came with the record: in clear text, or as a hash.
#[must_use]
pub fn has_password(staged: &Fields) -> bool {
    password_of(staged).is_some() || hash_of(staged).is_some()
}

/// The hash of a password that was staged. It goes before a password in clear text.
#[must_use]
pub fn hash_of(staged: &Fields) -> Option<&FieldValue> {
    stored_hash(staged).filter(|hash| hash.is_truthy())
}

/// The value in the place of the hash of a password, in an account as in a staged user.
#[must_use]
pub fn stored_hash(account: &Fields) -> Option<&FieldValue> {
    staged_services(account)?.get("password")?.as_object()?.get("bcrypt")
}

/// The user names and e-mail addresses that no other account may have.
#[must_use]
pub fn username_of(staged: &Fields) -> Option<&str> {
    staged.get("username")?.as_text().filter(|username| !username.is_empty())
}

/// The e-mail addresses, as staged.
pub fn emails_of(staged: &Fields) -> impl Iterator<Item = &str> {
    list_of(staged, "emails").iter().filter_map(FieldValue::as_text)
}

/// Whether the record can become an account at all.
///
/// # Errors
/// With Rocket.Chat's own word for the missing value.
pub fn check(staged: &Fields) -> Result<(), &'static str> {
    if list_of(staged, "emails").is_empty() && username_of(staged).is_none() {
        return Err("importer-user-missing-email-and-username");
    }
    Ok(())
}

/// The fields of the account, in the order Rocket.Chat stores them.
///
/// Source: `apps/meteor/app/importer/server/classes/converters/UserConverter.ts` (`buildNewUserObject`,
/// `buildUserBatch`), the quick path.
#[must_use]
pub fn new_user(staged: &Fields, enrolment: Enrolment) -> Fields {
    let text = |text: &str| FieldValue::Text(text.into());
    let truthy = |field: &str| staged.get(field).filter(|value| value.is_truthy()).cloned();
    let mut user: Vec<(&str, FieldValue)> = vec![
        ("_id", FieldValue::Text(enrolment.id.into())),
        ("createdAt", FieldValue::Date(enrolment.now)),
        ("status", text("offline")),
        ("type", truthy("type").unwrap_or_else(|| text("user"))),
    ];
    let mut put = |field, value: Option<FieldValue>| user.extend(value.map(|value| (field, value)));

    put("username", truthy("username"));
    put("emails", Some(emails(staged)).filter(|emails| !emails.is_empty()).map(FieldValue::List));
    for field in ["statusText", "name", "bio"] {
        put(field, truthy(field));
    }
    put("_pendingAvatarUrl", truthy("avatarUrl"));
    put("utcOffset", staged.get("utcOffset").cloned());
    put("services", Some(services(staged, &enrolment.bcrypt, enrolment.email_2fa, enrolment.now)));
    let has_ldap = staged_services(staged).and_then(|services| services.get("ldap")).is_some_and(FieldValue::is_truthy);
    put("ldap", has_ldap.then_some(FieldValue::Boolean(true)));
    put("importIds", Some(import_ids(staged)).filter(|ids| !ids.is_empty()).map(FieldValue::List));
    put("customFields", truthy("customFields"));
    put(REQUIRE_PASSWORD_CHANGE, requires_password_change(staged));

    let deleted = staged.get("deleted");
    let active = || FieldValue::Boolean(!deleted.is_some_and(FieldValue::is_truthy));
    put("active", deleted.map(|_| active()));
    put("federated", staged.get("federated").cloned());
    let roles = list_of(staged, "roles");
    let roles = if roles.is_empty() { vec![text("user")] } else { roles.to_vec() };
    put("roles", Some(FieldValue::List(roles)));
    put("active", Some(active()));
    put("_updatedAt", Some(FieldValue::Date(enrolment.now)));
    user.into_iter().collect()
}

/// The account with this bcrypt text as its password.
#[must_use]
pub fn with_password(account: Fields, bcrypt: String) -> Fields {
    let services = account.get("services").and_then(FieldValue::as_object).cloned().unwrap_or_default();
    let password = FieldValue::Object(Fields::from_iter([("bcrypt", FieldValue::Text(bcrypt.into()))]));
    account.with("services", FieldValue::Object(services.with("password", password)))
}

/// The staged user with the default roles after its own, none twice.
///
/// Source: `apps/meteor/server/services/import/service.ts` (`addUsers`).
#[must_use]
pub fn with_roles(staged: Fields, defaults: &[String]) -> Fields {
    let own = list_of(&staged, "roles").iter().filter_map(FieldValue::as_text);
    let mut roles: Vec<String> = Vec::new();
    for role in own.chain(defaults.iter().map(String::as_str)) {
        if !roles.iter().any(|known| known == role) {
            roles.push(role.to_owned());
        }
    }
    staged.with("roles", FieldValue::List(roles.into_iter().map(|role| FieldValue::Text(role.into())).collect()))
}

/// The value of [`REQUIRE_PASSWORD_CHANGE`] where the staged user asks for it.
#[must_use]
pub fn requires_password_change(staged: &Fields) -> Option<FieldValue> {
    staged.get(REQUIRE_PASSWORD_CHANGE).filter(|value| value.is_truthy()).map(|_| FieldValue::Boolean(true))
}

fn list_of<'a>(staged: &'a Fields, field: &str) -> &'a [FieldValue] {
    match staged.get(field) {
        Some(FieldValue::List(list)) => list,
        _ => &[],
    }
}

fn emails(staged: &Fields) -> Vec<FieldValue> {
    list_of(staged, "emails")
        .iter()
        .map(|address| {
            FieldValue::Object(Fields::from_iter([
                ("address", address.clone()),
                ("verified", FieldValue::Boolean(false)),
            ]))
        })
        .collect()
}

fn import_ids(staged: &Fields) -> Vec<FieldValue> {
    list_of(staged, "importIds").iter().filter(|id| id.is_truthy()).cloned().collect()
}

fn staged_services(staged: &Fields) -> Option<&Fields> {
    match staged.get("services") {
        Some(FieldValue::Object(services)) if services.iter().len() > 0 => Some(services),
        _ => None,
    }
}

/// The field `services`: the password, what was staged, and the choice of two-factor authentication.
pub(super) fn services(staged: &Fields, bcrypt: &str, email_2fa: bool, now: Date) -> FieldValue {
    let object = |field: &str, value| FieldValue::Object(Fields::from_iter([(field, value)]));
    let given = staged_services(staged);
    let mut services: Vec<(&str, FieldValue)> = Vec::new();
    if password_of(staged).is_some() || given.is_none() {
        services.push(("password", object("bcrypt", FieldValue::Text(bcrypt.into()))));
    }
    if let Some(given) = given {
        services.extend(given.iter().map(|(name, service)| (name, service.clone())));
    }
    if email_2fa {
        let choice = [("enabled", FieldValue::Boolean(true)), ("changedAt", FieldValue::Date(now))];
        services.push(("email2fa", FieldValue::Object(Fields::from_iter(choice))));
    }
    FieldValue::Object(services.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.into())
    }

    fn enrolled(staged: &[(&str, FieldValue)]) -> Fields {
        let staged = staged.iter().cloned().collect();
        let now = Date::from_epoch_millis(0);
        new_user(&staged, Enrolment { id: "id".into(), bcrypt: "hash".into(), email_2fa: true, now })
    }

    fn names(fields: &Fields) -> Vec<&str> {
        fields.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_bare_user_gets_what_every_account_has_in_rocket_chats_order() {
        let user = enrolled(&[("emails", FieldValue::List(vec![text("a@b.c")]))]);
        let expected = ["_id", "createdAt", "status", "type", "emails", "services", "roles", "active", "_updatedAt"];
        assert_eq!(names(&user), expected);
        assert_eq!(user.get("roles"), Some(&FieldValue::List(vec![text("user")])));
        assert_eq!(user.get("active"), Some(&FieldValue::Boolean(true)));
    }

    #[test]
    fn active_stands_before_the_roles_when_deleted_was_staged() {
        for (deleted, active) in [(FieldValue::Boolean(true), false), (FieldValue::Null, true)] {
            let user = enrolled(&[("deleted", deleted)]);
            assert_eq!(user.get("active"), Some(&FieldValue::Boolean(active)));
            let names = names(&user);
            assert_eq!(names[names.len() - 3..], ["active", "roles", "_updatedAt"]);
        }
    }

    #[test]
    fn staged_services_replace_the_password_unless_one_was_given() {
        let ldap = || FieldValue::Object(Fields::from_iter([("ldap", FieldValue::Boolean(true))]));
        let services = |user: &Fields| match user.get("services") {
            Some(FieldValue::Object(services)) => names(services).join(","),
            other => panic!("{other:?}"),
        };
        let without = enrolled(&[("services", ldap())]);
        assert_eq!(services(&without), "ldap,email2fa");
        assert_eq!(without.get("ldap"), Some(&FieldValue::Boolean(true)));
        let with = enrolled(&[("services", ldap()), ("password", text("x"))]);
        assert_eq!(services(&with), "password,ldap,email2fa");
    }

    #[test]
    fn a_record_without_name_and_address_is_no_account() {
        assert!(check(&Fields::default()).is_err());
        assert!(check(&Fields::from_iter([("username", text("bob"))])).is_ok());
    }
}
