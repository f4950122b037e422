//! The names that columns have elsewhere: one table of words, one of sources.

use super::{
    fields::{
        AVATAR_URL, BIO, DELETED, EMAILS, FIELDS, IMPORT_IDS, NAME, PASSWORD, REQUIRE_PASSWORD_CHANGE, ROLES,
        STATUS_TEXT, TYPE, USERNAME, UTC_OFFSET,
    },
    source::{From, ImportIdFrom},
    target::{Effect, Secret, Target},
};

/// A source and its names.
#[derive(Debug)]
pub(super) struct Preset {
    pub(super) from: From,
    /// Names a person for the source.
    pub(super) title: &'static str,
    /// Names that are all there if a file comes from here, in the form of [`folded`]. None: only by `--from`.
    pub(super) marks: &'static [&'static [&'static str]],
    /// Names, in the form of [`folded`] unless they have dots.
    names: &'static [(&'static str, Target)],
    /// The column names of a file that has no header.
    pub(super) headerless: Option<&'static [&'static str]>,
    /// The import id of users that have none.
    pub(super) import_id_from: Option<ImportIdFrom>,
    /// Names that are not in the table are left out; otherwise they are wrong.
    pub(super) is_closed: bool,
}

use self::Target::{
    AccountControl, Active, Bcrypt, DeletedAt, Fallback, Field as To, Ignore, NamePart, Nested, WordList, Words,
};

/// The words that people use, for files made for this program.
const WORDS: &[(&str, Target)] = &[
    ("user", To(USERNAME)),
    ("login", To(USERNAME)),
    ("loginname", To(USERNAME)),
    ("account", To(USERNAME)),
    ("accountname", To(USERNAME)),
    ("handle", To(USERNAME)),
    ("nick", To(USERNAME)),
    ("samaccountname", To(USERNAME)),
    ("benutzername", To(USERNAME)),
    ("email", To(EMAILS)),
    ("mail", To(EMAILS)),
    ("mails", To(EMAILS)),
    ("emailaddress", To(EMAILS)),
    ("emailaddresses", To(EMAILS)),
    ("mailaddress", To(EMAILS)),
    ("primaryemail", To(EMAILS)),
    ("workemail", To(EMAILS)),
    ("emailadresse", To(EMAILS)),
    ("mailadresse", To(EMAILS)),
    ("importid", To(IMPORT_IDS)),
    ("id", To(IMPORT_IDS)),
    ("userid", To(IMPORT_IDS)),
    ("employeenumber", To(IMPORT_IDS)),
    ("employeeno", To(IMPORT_IDS)),
    ("employeeid", To(IMPORT_IDS)),
    ("personnelnumber", To(IMPORT_IDS)),
    ("staffid", To(IMPORT_IDS)),
    ("externalid", To(IMPORT_IDS)),
    ("uuid", To(IMPORT_IDS)),
    ("guid", To(IMPORT_IDS)),
    ("objectid", To(IMPORT_IDS)),
    ("personalnummer", To(IMPORT_IDS)),
    ("fullname", To(NAME)),
    ("displayname", To(NAME)),
    ("realname", To(NAME)),
    ("commonname", To(NAME)),
    ("cn", To(NAME)),
    ("anzeigename", To(NAME)),
    ("firstname", NamePart(0)),
    ("givenname", NamePart(0)),
    ("forename", NamePart(0)),
    ("vorname", NamePart(0)),
    ("lastname", NamePart(1)),
    ("surname", NamePart(1)),
    ("familyname", NamePart(1)),
    ("sn", NamePart(1)),
    ("nachname", NamePart(1)),
    ("role", To(ROLES)),
    ("rolle", To(ROLES)),
    ("rollen", To(ROLES)),
    ("initialpassword", To(PASSWORD)),
    ("passwort", To(PASSWORD)),
    ("mustchangepassword", To(REQUIRE_PASSWORD_CHANGE)),
    ("changepassword", To(REQUIRE_PASSWORD_CHANGE)),
    ("usertype", To(TYPE)),
    ("isdeleted", To(DELETED)),
    ("active", Active),
    ("isactive", Active),
    ("enabled", Active),
    ("accountenabled", Active),
    ("timezoneoffset", To(UTC_OFFSET)),
    ("about", To(BIO)),
    ("aboutme", To(BIO)),
    ("statusmessage", To(STATUS_TEXT)),
    ("avatar", To(AVATAR_URL)),
    ("photourl", To(AVATAR_URL)),
    // What this program, the page and the receipt write beside a user.
    ("errors", Ignore),
    ("line", Ignore),
    ("reason", Ignore),
    ("outcome", Ignore),
    ("accountid", Ignore),
    ("record", Ignore),
    ("datatype", Ignore),
    ("became", Ignore),
    ("changed", Ignore),
    ("foundby", Ignore),
    ("memberships", Ignore),
    ("withoutpassword", Ignore),
    // A hash that Rocket.Chat made; nothing else of `services` is taken.
    ("services", Nested),
    ("services.password", Nested),
    ("services.password.bcrypt", Bcrypt),
    ("servicespasswordbcrypt", Bcrypt),
    ("services.password.history", Ignore),
    ("services.password.enroll", Ignore),
    ("services.password.reset", Target::Secret(Secret::LoginTokens)),
    ("services.resume", Target::Secret(Secret::LoginTokens)),
    ("services.email", Target::Secret(Secret::LoginTokens)),
    ("services.emailCode", Target::Secret(Secret::TwoFactor)),
    ("services.totp", Target::Secret(Secret::TwoFactor)),
    ("services.email2fa", Ignore),
];

const SLACK_STATUS: &[(&str, Effect)] = &[
    ("member", Effect::Nothing),
    ("active", Effect::Nothing),
    ("invited", Effect::Nothing),
    ("admin", Effect::Role("admin")),
    ("owner", Effect::Role("admin")),
    ("primary owner", Effect::Role("admin")),
    ("guest", Effect::Role("guest")),
    ("single-channel guest", Effect::Role("guest")),
    ("multi-channel guest", Effect::Role("guest")),
    ("bot", Effect::Bot),
    ("deactivated", Effect::Deleted),
    ("inactive", Effect::Deleted),
    ("deleted", Effect::Deleted),
];

const GOOGLE_STATUS: &[(&str, Effect)] = &[
    ("active", Effect::Nothing),
    ("", Effect::Nothing),
    ("suspended", Effect::Deleted),
    ("archived", Effect::Deleted),
    ("deleted", Effect::Deleted),
];

const MATTERMOST_ROLES: &[(&str, Effect)] = &[
    ("system_user", Effect::Nothing),
    ("system_admin", Effect::Role("admin")),
    ("system_guest", Effect::Role("guest")),
];

/// Every source but [`From::Own`].
pub(super) const PRESETS: &[Preset] = &[
    Preset {
        from: From::Rocketchat,
        title: "users out of Rocket.Chat's database or API",
        marks: &[
            &["_id", "username", "active"],
            &["_id", "username", "services"],
            &["_id", "username", "createdat"],
            &["_id", "emails", "type"],
            &["_id", "emails.0.address"],
        ],
        names: &[
            ("_id", To(IMPORT_IDS)),
            ("importIds", To(IMPORT_IDS)),
            ("username", To(USERNAME)),
            ("emails", To(EMAILS)),
            ("emails.0.address", To(EMAILS)),
            ("emails.1.address", To(EMAILS)),
            ("name", To(NAME)),
            ("roles", To(ROLES)),
            ("type", To(TYPE)),
            ("active", Active),
            ("utcOffset", To(UTC_OFFSET)),
            ("bio", To(BIO)),
            ("statusText", To(STATUS_TEXT)),
            ("services", Nested),
            ("services.password", Nested),
            ("services.password.bcrypt", Bcrypt),
            ("services.password.history", Ignore),
            ("services.password.enroll", Ignore),
            ("services.password.reset", Target::Secret(Secret::LoginTokens)),
            ("services.resume", Target::Secret(Secret::LoginTokens)),
            ("services.email", Target::Secret(Secret::LoginTokens)),
            ("services.emailCode", Target::Secret(Secret::TwoFactor)),
            ("services.totp", Target::Secret(Secret::TwoFactor)),
            ("services.email2fa", Ignore),
        ],
        headerless: None,
        import_id_from: None,
        is_closed: true,
    },
    Preset {
        from: From::Rocketchat,
        title: "Rocket.Chat's users.csv without a header (username, address, name)",
        marks: &[],
        names: &[("username", To(USERNAME)), ("email", To(EMAILS)), ("name", To(NAME))],
        headerless: Some(&["username", "email", "name"]),
        import_id_from: Some(ImportIdFrom::Username),
        is_closed: false,
    },
    Preset {
        from: From::SlackMembers,
        title: "Slack's member list",
        marks: &[
            &["username", "email", "status", "userid", "billingactive"],
            &["username", "status", "has2fa", "hassso"],
        ],
        names: &[
            ("username", To(USERNAME)),
            ("email", To(EMAILS)),
            ("status", Words(SLACK_STATUS)),
            ("userid", To(IMPORT_IDS)),
            ("fullname", To(NAME)),
            ("displayname", Fallback(NAME)),
        ],
        headerless: None,
        import_id_from: None,
        is_closed: true,
    },
    Preset {
        from: From::Google,
        title: "Google Workspace's list of users",
        marks: &[&["emailaddressrequired", "firstnamerequired"], &["emailaddressrequired", "orgunitpathrequired"]],
        names: &[
            ("firstnamerequired", NamePart(0)),
            ("lastnamerequired", NamePart(1)),
            ("emailaddressrequired", To(EMAILS)),
            ("employeeid", To(IMPORT_IDS)),
            ("statusreadonly", Words(GOOGLE_STATUS)),
            ("passwordrequired", Target::Secret(Secret::OtherHash)),
        ],
        headerless: None,
        import_id_from: Some(ImportIdFrom::Email),
        is_closed: true,
    },
    Preset {
        from: From::Entra,
        title: "Microsoft Entra's list of users",
        marks: &[&["userprincipalname", "displayname"]],
        names: &[
            ("mail", To(EMAILS)),
            ("userprincipalname", Fallback(EMAILS)),
            ("displayname", To(NAME)),
            ("id", To(IMPORT_IDS)),
            ("objectid", To(IMPORT_IDS)),
            ("employeeid", Fallback(IMPORT_IDS)),
            ("accountenabled", Active),
            ("blockcredential", To(DELETED)),
            ("blocksignin", To(DELETED)),
            ("givenname", NamePart(0)),
            ("firstname", NamePart(0)),
            ("surname", NamePart(1)),
            ("lastname", NamePart(1)),
        ],
        headerless: None,
        import_id_from: Some(ImportIdFrom::Email),
        is_closed: true,
    },
    Preset {
        from: From::Ldap,
        title: "a directory's entries (LDAP)",
        marks: &[
            &["dn", "uid"],
            &["dn", "mail"],
            &["dn", "samaccountname"],
            &["dn", "objectclass"],
            &["samaccountname", "mail"],
            &["distinguishedname", "mail"],
        ],
        names: &[
            ("uid", To(USERNAME)),
            ("samaccountname", Fallback(USERNAME)),
            ("mail", To(EMAILS)),
            ("displayname", To(NAME)),
            ("cn", Fallback(NAME)),
            ("givenname", NamePart(0)),
            ("sn", NamePart(1)),
            ("employeenumber", To(IMPORT_IDS)),
            ("employeeid", Fallback(IMPORT_IDS)),
            ("entryuuid", Fallback(IMPORT_IDS)),
            ("objectguid", Fallback(IMPORT_IDS)),
            ("useraccountcontrol", AccountControl),
            ("userpassword", Target::Secret(Secret::OtherHash)),
            ("unicodepwd", Target::Secret(Secret::OtherHash)),
            ("sambantpassword", Target::Secret(Secret::OtherHash)),
        ],
        headerless: None,
        import_id_from: Some(ImportIdFrom::Username),
        is_closed: true,
    },
    Preset {
        from: From::Mattermost,
        title: "Mattermost bulk lines",
        marks: &[],
        names: &[
            ("username", To(USERNAME)),
            ("email", To(EMAILS)),
            ("firstname", NamePart(0)),
            ("lastname", NamePart(1)),
            ("nickname", Fallback(NAME)),
            ("roles", WordList(MATTERMOST_ROLES)),
            ("deleteat", DeletedAt),
            ("password", To(PASSWORD)),
            ("position", To(BIO)),
            ("authdata", Target::Secret(Secret::OtherService)),
            ("mfasecret", Target::Secret(Secret::TwoFactor)),
        ],
        headerless: None,
        import_id_from: Some(ImportIdFrom::Username),
        is_closed: true,
    },
];

/// Files that are recognised and not read, by the names in them.
pub(super) const OTHERS: &[(&[&str], &str)] = &[
    (&["userid", "emailverified"], "this is an Auth0 export: give --map 'user_id=importIds' and --ignore-unknown"),
    (
        &["teamid", "profile", "isbot"],
        "this is a users.json of Slack: give the whole export to the Slack importer, or export the member list as CSV",
    ),
    (
        &["id", "username", "enabled", "emailverified"],
        "this is a Keycloak export: give --map and --ignore-unknown for its names",
    ),
    (&["rid", "msg"], "these are messages of Rocket.Chat, not users"),
    (&["_id", "t", "msgs"], "these are rooms of Rocket.Chat, not users: export the collection users"),
    (&["u", "rid", "open"], "these are subscriptions of Rocket.Chat, not users: export the collection users"),
    (&["id", "name", "members", "created"], "this is a channels.json of Slack, not a list of users"),
];

/// The sentence for a bulk file of Mattermost.
pub(super) const MATTERMOST: &str = "this is a Mattermost bulk file: give --from mattermost to import its users";

/// A name without letter case, blanks and signs.
pub(super) fn folded(name: &str) -> String {
    folds(name).collect()
}

/// Whether two names differ in letter case, blanks and signs alone. Most names differ in their first letter, and none is
/// written anew for that.
pub(super) fn are_alike(one: &str, other: &str) -> bool {
    folds(one).eq(folds(other))
}

fn folds(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase)
}

impl Preset {
    /// What a name stands for in files of this source.
    pub(super) fn target(&self, name: &str) -> Option<Target> {
        look_up(self.names, name)
    }
}

/// What a name stands for in files made for this program.
pub(super) fn own_target(name: &str) -> Option<Target> {
    let key = folded(name);
    let field = FIELDS.into_iter().find(|field| field.name.eq_ignore_ascii_case(&key));
    field.map(To).or_else(|| look_up(WORDS, name))
}

fn look_up(names: &[(&str, Target)], name: &str) -> Option<Target> {
    let exact = names.iter().find(|(known, _)| *known == name);
    let found = exact.or_else(|| {
        names.iter().find(|(known, _)| are_alike(known, name) && !known.contains('.') && !known.starts_with('_'))
    });
    found.map(|(_, target)| *target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_letter_case_and_with_any_sign() {
        for (name, field) in [
            ("E-Mail", EMAILS),
            ("e_mail address", EMAILS),
            ("USERNAME", USERNAME),
            ("Import ID", IMPORT_IDS),
            ("Employee Number", IMPORT_IDS),
            ("Full name", NAME),
            ("utc-offset", UTC_OFFSET),
        ] {
            assert_eq!(own_target(name), Some(To(field)), "{name}");
        }
        assert_eq!(own_target("Favourite colour"), None);
    }
}
