//! Checks of users that are whole: values that are there twice, and those that are hardly meant.

use std::{
    collections::{HashMap, hash_map::Entry, hash_map::RandomState},
    hash::BuildHasher as _,
};

use sha2::{Digest as _, Sha256};

use super::{
    dates::is_date,
    fields::{EMAILS, IMPORT_IDS, NAME, USERNAME, User, text_of, texts_of},
    problem::{Fault, Kind, quoted},
};
use crate::domain::sign_up::MENTIONS_OF_ALL;

const TYPOGRAPHIC_QUOTES: [char; 10] = ['“', '”', '„', '‟', '‘', '’', '‚', '‛', '«', '»'];
/// Bytes of a digest that are kept. Two of a hundred million values share them with a chance of 10⁻¹³.
const KEY_BYTES: usize = 12;

/// Faults of a user beside others.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) errors: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

type Key = [u8; KEY_BYTES];

/// The line of every value that may be there once. Digests, because a file may hold millions.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// By the digest without letter case: the line, and a digest with it.
    lines: HashMap<Key, (u32, u32)>,
    /// The line of further letter cases of such values, by both digests.
    twins: HashMap<(Key, u32), u32>,
    /// Further lines of a user name that several people have; `None` where a name belongs to one person.
    namesakes: Option<HashMap<(Key, u32), Vec<u32>>>,
    exact: RandomState,
}

impl Taken {
    /// Begins a file. `may_share_names` says whether people of one user name get a name each.
    pub(super) fn new(may_share_names: bool) -> Self {
        Self { namesakes: may_share_names.then(HashMap::new), ..Self::default() }
    }

    /// Takes the values of a user.
    pub(super) fn take(&mut self, user: &User, line: u64, found: &mut Found) {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        // The name first: its person's addresses and ids are looked for among those of the lines before.
        let name = text_of(user, USERNAME).map(|name| ("username", name));
        for (what, value) in name.into_iter().chain(identities(user)) {
            let (key, exact) = self.keys(what, value);
            match self.lines.entry(key) {
                Entry::Vacant(entry) => drop(entry.insert((line, exact))),
                Entry::Occupied(entry) => {
                    let (first, first_exact) = *entry.get();
                    let same = if exact == first_exact { Some(first) } else { self.twins.insert((key, exact), line) };
                    let other = same.unwrap_or(first);
                    if other == line {
                        continue;
                    }
                    if same.is_some() {
                        found.errors.extend(self.repeated(what, value, user, (other, line)));
                    } else if what != "importId" {
                        found.warnings.push(case_twins(what, value, other));
                    }
                }
            }
        }
    }

    fn keys(&self, what: &str, value: &str) -> (Key, u32) {
        (digest(what, value), u32::try_from(self.exact.hash_one(value) >> u32::BITS).unwrap_or_default())
    }

    /// The fault of a value of an earlier line; none for the name of another person where each gets a name.
    fn repeated(&mut self, what: &str, value: &str, user: &User, (other, line): (u32, u32)) -> Option<Fault> {
        let mut way_out = "keep one of the two";
        if what == "username" {
            let name = self.keys(what, value);
            let holders: Vec<u32> = identities(user).filter_map(|(what, value)| self.holder(what, value)).collect();
            let namesakes = self.namesakes.as_ref().and_then(|namesakes| namesakes.get(&name));
            let is_namesake = |holder: &u32| *holder == other || namesakes.is_some_and(|lines| lines.contains(holder));
            if !holders.iter().any(is_namesake) {
                if let Some(namesakes) = &mut self.namesakes {
                    namesakes.entry(name).or_default().push(line);
                    return None;
                }
                way_out = "keep one of the two, or let a second person get the next free name with --on-username-taken suffix";
            }
        }
        let reason = format!("{what} {} is that of line {other} too: {way_out}", quoted(value));
        Some(Fault::new(Kind::Twice, reason))
    }

    /// The line before that has this address, in any letter case, or this id.
    fn holder(&self, what: &str, value: &str) -> Option<u32> {
        let (key, exact) = self.keys(what, value);
        let (line, first_exact) = *self.lines.get(&key)?;
        let twin = self.twins.get(&(key, exact)).copied();
        if exact == first_exact { Some(line) } else { twin.or(Some(line).filter(|_| what != "importId")) }
    }
}

/// The addresses and ids of a user, by which a person is known.
fn identities(user: &User) -> impl Iterator<Item = (&'static str, &str)> {
    let emails = texts_of(user, EMAILS).map(|email| ("e-mail", email));
    emails.chain(texts_of(user, IMPORT_IDS).map(|id| ("importId", id)))
}

fn case_twins(what: &str, value: &str, other: u32) -> Fault {
    let noun = if what == "e-mail" { "address" } else { "name" };
    let reason = format!(
        "{what} {} differs from that of line {other} in letter case only: under the rule fail, as in Rocket.Chat, two \
         accounts are made, of which one can hardly log in; under skip, link and update both count as one {noun}, which \
         belongs to one person",
        quoted(value)
    );
    Fault::new(Kind::CaseTwins, reason)
}

fn digest(what: &str, value: &str) -> Key {
    let mut hasher = Sha256::new_with_prefix(what);
    hasher.update([0]);
    if value.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        hasher.update(value);
    } else {
        hasher.update(value.to_lowercase());
    }
    let mut key = [0; KEY_BYTES];
    key.copy_from_slice(&hasher.finalize()[..KEY_BYTES]);
    key
}

/// Looks for values that are hardly meant.
pub(super) fn suspect(user: &User, found: &mut Found) {
    let warnings = &mut found.warnings;
    let username = text_of(user, USERNAME).unwrap_or_default();
    let are_swapped = username.contains('@') && texts_of(user, EMAILS).all(|email| !email.contains('@'));
    if are_swapped {
        let emails: Vec<&str> = texts_of(user, EMAILS).collect();
        let reason = format!(
            "username {} is an address, and emails {} is none: the columns seem to be swapped; swap their names in the header",
            quoted(username),
            quoted(&emails.join(";"))
        );
        warnings.push(Fault::new(Kind::SwappedColumns, reason));
    } else {
        warnings.extend(texts_of(user, EMAILS).filter_map(about_address));
        warnings.extend(about_username(username));
    }
    let name = text_of(user, NAME).unwrap_or_default();
    let marked = texts_of(user, IMPORT_IDS).map(|id| ("importId", id)).chain([("name", name)]);
    let is_marked = |text: &str| text.starts_with(TYPOGRAPHIC_QUOTES) && text.ends_with(TYPOGRAPHIC_QUOTES);
    warnings.extend(marked.filter(|(_, text)| is_marked(text)).map(|(what, text)| {
        let reason = format!("{what} {} has typographic quotation marks round it: take them off", quoted(text));
        Fault::new(Kind::TypographicQuotes, reason)
    }));
    warnings.extend(texts_of(user, IMPORT_IDS).filter(|id| is_date(id)).map(|id| {
        let reason = format!(
            "importId {} is a date, which spreadsheets make of a value such as 3-1: format its column as text and enter it \
             again, unless it is the id",
            quoted(id)
        );
        Fault::new(Kind::Date, reason)
    }));
    warnings.extend([username, name].into_iter().filter(|text| is_garbled(text)).map(|text| {
        let reason = format!("{} was saved in a wrong encoding before: save the source as UTF-8", quoted(text));
        Fault::new(Kind::Garbled, reason)
    }));
}

fn about_address(email: &str) -> Option<Fault> {
    if email.contains(TYPOGRAPHIC_QUOTES) {
        let reason = format!("e-mail {} holds typographic quotation marks: take them off", quoted(email));
        return Some(Fault::new(Kind::TypographicQuotes, reason));
    }
    let (local, domain) = email.rsplit_once('@').unwrap_or_default();
    let problem = if !email.contains('@') {
        "has no @"
    } else if email.contains(char::is_whitespace) {
        "holds blanks"
    } else if email.contains('"') || (email.starts_with('\'') && email.ends_with('\'')) {
        "holds quotation marks"
    } else if email.contains(['<', '>', '(', ')', ',', ':', '\\']) {
        "holds signs that belong to no address"
    } else if local.is_empty() || domain.is_empty() || local.contains('@') {
        "has nothing before or behind its @, or two of them"
    } else {
        return None;
    };
    Some(Fault::new(Kind::Address, format!("e-mail {} {problem}, so no mail arrives: correct it", quoted(email))))
}

/// Source: the default of `UTF8_User_Names_Validation` in `apps/meteor/server/settings/message.ts`.
fn about_username(username: &str) -> Option<Fault> {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
    let problem = if MENTIONS_OF_ALL.contains(&username.to_lowercase().as_str()) {
        "is a mention of everybody: choose another"
    } else if username.chars().all(is_plain) {
        return None;
    } else {
        "cannot be mentioned: use letters from a to z, digits, and - _ ."
    };
    Some(Fault::new(Kind::Username, format!("username {} {problem}", quoted(username))))
}

/// Whether UTF-8 was read as Latin-1 or lost its letters: `JosÃ©`.
fn is_garbled(text: &str) -> bool {
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign == '\u{fffd}' {
            return true;
        }
        if matches!(sign, 'Ã' | 'Â' | 'Ð' | 'Å')
            && signs.peek().is_some_and(|next| matches!(next, '\u{80}'..='\u{bf}' | '€' | '‚' | '„' | '†' | 'Ÿ' | '™'))
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn user(value: Value) -> User {
        let Value::Object(user) = value else { panic!("an object") };
        user
    }

    fn kinds(value: Value) -> Vec<Kind> {
        let mut found = Found::default();
        suspect(&user(value), &mut found);
        found.warnings.iter().map(|fault| fault.kind).collect()
    }

    #[test]
    fn a_value_of_another_line_is_an_error_and_a_twin_in_letter_case_a_warning() {
        let mut taken = Taken::default();
        let mut take = |value, line| {
            let mut found = Found::default();
            taken.take(&user(value), line, &mut found);
            let reasons =
                |faults: Vec<Fault>| faults.into_iter().map(|fault| fault.reason).collect::<Vec<_>>().join("; ");
            (reasons(found.errors), reasons(found.warnings))
        };
        let first = take(json!({ "username": "ann", "emails": ["a@b.c", "A@b.c"], "importIds": ["ann"] }), 2);
        assert_eq!(first, (String::new(), String::new()));
        let (errors, warnings) = take(json!({ "username": "Ann", "emails": ["a@b.c"], "importIds": ["ANN"] }), 3);
        assert!(errors.starts_with("e-mail \"a@b.c\" is that of line 2 too"), "{errors}");
        assert!(warnings.starts_with("username \"Ann\" differs from that of line 2"), "{warnings}");
        assert!(warnings.ends_with("both count as one name, which belongs to one person"), "{warnings}");
        let (errors, _) = take(json!({ "username": "Ann", "emails": ["d@b.c"], "importIds": ["ANN"] }), 4);
        assert!(errors.starts_with("username \"Ann\" is that of line 3 too"), "{errors}");
        assert!(errors.contains("importId \"ANN\" is that of line 3 too"), "{errors}");
        let (errors, _) = take(json!({ "username": "cid", "emails": ["x@b.c"], "importIds": ["ann"] }), 4);
        assert!(errors.starts_with("importId \"ann\" is that of line 2"), "{errors}");
    }

    #[test]
    fn people_of_one_user_name_are_several_where_each_gets_a_name_unless_an_address_or_an_id_says_that_they_are_one() {
        let kim = |email: &str, id: &str| user(json!({ "username": "kim", "emails": [email], "importIds": [id] }));
        let errors = |may_share_names: bool, users: &[User]| {
            let mut taken = Taken::new(may_share_names);
            let mut found = Found::default();
            users.iter().zip(2..).for_each(|(user, line)| taken.take(user, line, &mut found));
            found.errors.into_iter().map(|fault| fault.reason).collect::<Vec<_>>()
        };
        let people = [kim("a@b.c", "1"), kim("b@b.c", "2"), kim("c@b.c", "3")];
        assert_eq!(errors(true, &people), [""; 0]);
        let alone = errors(false, &people);
        assert_eq!(alone.len(), 2, "{alone:?}");
        assert!(alone[0].ends_with("with --on-username-taken suffix"), "{alone:?}");

        for (same, what) in
            [(kim("B@b.c", "4"), "username"), (kim("d@b.c", "2"), "importId"), (kim("b@b.c", "4"), "e-mail")]
        {
            let mut users = people.to_vec();
            users.push(same);
            let errors = errors(true, &users);
            assert!(errors[0] == "username \"kim\" is that of line 2 too: keep one of the two", "{errors:?}");
            assert!(errors.last().unwrap().starts_with(what), "{errors:?}");
        }
        let other = json!({ "username": "bea", "emails": ["x@b.c"], "importIds": ["9"] });
        let errors = errors(true, &[people[0].clone(), user(other), kim("x@b.c", "8")]);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with("e-mail"), "{errors:?}");
    }

    #[test]
    fn values_that_are_hardly_meant_are_warned_about() {
        for (username, email, kind) in [
            ("ann", "ann", Kind::Address),
            ("ann", "ann @corp.example", Kind::Address),
            ("ann", "\"ann@corp.example\"", Kind::Address),
            ("ann", "'ann@corp.example'", Kind::Address),
            ("ann", "Ann <ann@corp.example>", Kind::Address),
            ("ann", "@corp.example", Kind::Address),
            ("ann", "„ann@corp.example“", Kind::TypographicQuotes),
            ("ann@corp.example", "ann", Kind::SwappedColumns),
            ("Ann Lee", "ann@corp.example", Kind::Username),
            ("all", "ann@corp.example", Kind::Username),
            ("JosÃ©", "ann@corp.example", Kind::Garbled),
        ] {
            let kinds = kinds(json!({ "username": username, "emails": [email] }));
            assert!(kinds.contains(&kind), "{username}, {email}: {kinds:?}");
        }
        assert_eq!(
            kinds(json!({ "username": "ann.o-b_1", "emails": ["o'brien@corp.example"], "name": "Ann “A” Lee" })),
            []
        );
    }
}
