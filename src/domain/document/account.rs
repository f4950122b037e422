//! The account that a staged user of a file becomes.

use super::{Builder, FieldValue, Fields, text, texts, username::name_from};
use crate::domain::{
    field_value::Date,
    new_user,
    staged::{StagedUser, object},
};

/// The mark of an account that stands in for a person who was not imported, but wrote something that was. It is
/// deactivated; a later import of the person fills it and takes the mark away.
pub const PLACEHOLDER: &str = "importPlaceholder";
/// The mark that importers give a staged person whom no list names.
const UNLISTED: &str = "_placeholder";

/// Whether a staged user stands in for a person who is not imported: he was left out, or no list names him.
#[must_use]
pub fn is_stand_in(staged: StagedUser<'_>) -> bool {
    let marks = [PLACEHOLDER, UNLISTED].into_iter().filter_map(|mark| staged.fields().get(mark));
    marks.into_iter().any(FieldValue::is_truthy)
}

/// What a staged user lacks to become an account.
#[derive(Debug, Clone)]
pub struct Enrolment<'a> {
    /// The account's `_id`.
    pub id: &'a str,
    /// A user name that nobody has. `None` leaves the account without one.
    pub username: Option<&'a str>,
    /// The bcrypt text of its password.
    pub bcrypt: &'a str,
    /// Whether two-factor authentication by e-mail is switched on for it.
    pub email_2fa: bool,
    /// The setting `Accounts_Registration_Users_Default_Roles`.
    pub default_roles: &'a [String],
    /// The setting `Accounts_ManuallyApproveNewUsers`: an account whose source says nothing waits for approval.
    pub approve_manually: bool,
    /// The `_id`s of the rooms that the account joins at once, see [`Part::Newcomer`].
    ///
    /// [`Part::Newcomer`]: super::subscription::Part::Newcomer
    pub rooms: &'a [&'a str],
    pub is_placeholder: bool,
    pub now: Date,
}

/// Makes a new account, in the order in which Rocket.Chat stores its fields.
///
/// Blanks around names and addresses go, and so do empty addresses and null fields.
///
/// Source: `apps/meteor/server/lib/import/classes/converters/UserConverter.ts` (`insertUser`), the slow path.
#[must_use]
pub fn new_account(staged: StagedUser<'_>, enrolment: &Enrolment<'_>) -> Fields {
    let fields = staged.fields();
    let Enrolment { now, is_placeholder, .. } = *enrolment;
    let name = staged.name().map(str::to_owned).or_else(|| enrolment.username.map(name_from));
    let mut account = Builder::default();
    account.put_text("_id", enrolment.id).put_date("createdAt", now);
    account.put_text("type", staged.kind().unwrap_or("user")).put_some("username", enrolment.username.map(text));
    account.put_some("emails", emails(staged)).put_some("statusText", filled(fields, "statusText"));
    account.put_some("name", name.filter(|name| !name.is_empty()).map(|name| FieldValue::Text(name.into())));
    account.put_some("bio", filled(fields, "bio")).put_some("_pendingAvatarUrl", filled(fields, "avatarUrl"));
    account.put_some("utcOffset", fields.get("utcOffset").cloned());
    account.put("services", new_user::services(fields, enrolment.bcrypt, enrolment.email_2fa, now));
    let has_ldap =
        object(fields, "services").is_some_and(|services| services.get("ldap").is_some_and(FieldValue::is_truthy));
    account.put_some("ldap", has_ldap.then_some(FieldValue::Boolean(true)));
    account.put("importIds", texts(staged.import_ids()));
    account.put_some("customFields", object(fields, "customFields").cloned().map(FieldValue::Object));
    account.put_some(new_user::REQUIRE_PASSWORD_CHANGE, new_user::requires_password_change(fields));

    let is_active =
        !is_placeholder && staged.is_deleted().map_or(!enrolment.approve_manually, |is_deleted| !is_deleted);
    if staged.is_deleted().is_some() {
        account.put_flag("active", is_active);
    }
    account
        .put_some("federated", fields.get("federated").cloned())
        .put("roles", roles(staged, enrolment.default_roles));
    account.put_text("status", "offline");
    if staged.is_deleted().is_none() {
        account.put_flag("active", is_active);
    }
    if !is_active && !is_placeholder && staged.is_deleted().is_none() {
        account.put_text("inactiveReason", "pending_approval");
    }
    account.put_date("_updatedAt", now);
    if !enrolment.rooms.is_empty() {
        account.put("__rooms", texts(enrolment.rooms.iter().copied()));
    }
    if is_placeholder {
        account.put_flag(PLACEHOLDER, true);
    }
    account.build()
}

/// The record of a person whom no list names: what stages an account that is needed all the same.
///
/// `name` is what messages say of the person.
#[must_use]
pub fn unlisted_person(import_id: &str, username: Option<&str>, name: Option<&str>) -> Fields {
    let mut record = Builder::default();
    record
        .put("emails", texts([]))
        .put("importIds", texts([import_id]))
        .put_text("username", username.unwrap_or(import_id));
    record.put_some("name", name.map(text)).put_text("type", "user").put_flag("deleted", true);
    record.build()
}

/// Whether a record can become an account.
///
/// # Errors
/// With Rocket.Chat's own word for the missing value.
pub fn check(staged: StagedUser<'_>) -> Result<(), &'static str> {
    if staged.emails().next().is_none() && staged.username().is_none() {
        return Err("importer-user-missing-email-and-username");
    }
    Ok(())
}

fn filled(fields: &Fields, name: &str) -> Option<FieldValue> {
    crate::domain::staged::filled(fields, name).map(text)
}

fn emails(staged: StagedUser<'_>) -> Option<FieldValue> {
    let mut addresses: Vec<&str> = Vec::new();
    for address in staged.emails() {
        if !addresses.iter().any(|known| known.eq_ignore_ascii_case(address)) {
            addresses.push(address);
        }
    }
    let stored = |address: &&str| {
        let fields = [("address", text(address)), ("verified", FieldValue::Boolean(false))];
        FieldValue::Object(Fields::from_iter(fields))
    };
    (!addresses.is_empty()).then(|| FieldValue::List(addresses.iter().map(stored).collect()))
}

/// The staged roles, then the default ones, each once.
fn roles(staged: StagedUser<'_>, defaults: &[String]) -> FieldValue {
    let mut roles: Vec<&str> = Vec::new();
    for role in staged.roles().chain(defaults.iter().map(String::as_str)) {
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    texts(roles)
}
