//! The names in a file: which source they show, and the one that a mistyped one may stand for.

use super::{
    fields::FIELDS,
    presets::{OTHERS, PRESETS, Preset, folded, own_target},
};

/// The name as the tables have it: dotted names and those that begin with `_` as they are.
fn keys(name: &str) -> [String; 2] {
    [name.to_owned(), folded(name)]
}

/// The names of a file, for the search of its source.
#[derive(Debug)]
pub(super) struct Names(Vec<[String; 2]>);

impl Names {
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(keys).collect())
    }

    fn has_all(&self, marks: &[&str]) -> bool {
        marks.iter().all(|mark| self.0.iter().any(|keys| keys.iter().any(|key| key == mark)))
    }

    /// Whether the names are these, in any order.
    pub(super) fn are(&self, names: &[&str]) -> bool {
        self.0.len() == names.len() && self.has_all(names)
    }

    /// The source that the names show.
    pub(super) fn preset(&self) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.marks.iter().any(|marks| self.has_all(marks)))
    }

    /// A sentence that names a file of something else.
    pub(super) fn other(&self) -> Option<&'static str> {
        OTHERS.iter().find(|(marks, _)| self.has_all(marks)).map(|(_, sentence)| *sentence)
    }

    /// How many of the names stand for something.
    pub(super) fn known(&self) -> usize {
        let is_known = |keys: &&[String; 2]| {
            !keys[1].is_empty()
                && (own_target(&keys[0]).is_some()
                    || PRESETS.iter().any(|preset| preset.headerless.is_none() && preset.target(&keys[0]).is_some()))
        };
        self.0.iter().filter(is_known).count()
    }
}

/// How alike two names have to be for one to be offered for the other, from 0 to 1.
const LIKENESS: f64 = 0.75;

/// The known name that a mistyped one may stand for.
pub(super) fn similar_to(name: &str) -> Option<&'static str> {
    let key = folded(name);
    let names = FIELDS.iter().map(|field| field.name);
    let names = names.chain(["email", "importId"]);
    let rated = names.map(|known| (strsim::jaro_winkler(&key, &known.to_lowercase()), known));
    rated.filter(|(likeness, _)| *likeness >= LIKENESS).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_file::source::From;

    #[test]
    fn a_mistyped_name_is_answered_with_the_one_that_is_meant() {
        for (mistyped, meant) in [("emials", "emails"), ("usrname", "username"), ("utcofset", "utcOffset")] {
            assert_eq!(similar_to(mistyped), Some(meant), "{mistyped}");
        }
        assert_eq!(similar_to("qqq"), None);
    }

    #[test]
    fn a_source_is_found_by_its_names() {
        for (names, from) in [
            ("username,email,status,billing-active,has-2fa,has-sso,userid,fullname", From::SlackMembers),
            ("First Name [Required],Last Name [Required],Email Address [Required]", From::Google),
            ("userPrincipalName,displayName,surname,mail,id,accountEnabled", From::Entra),
            ("dn,uid,cn,mail", From::Ldap),
            ("_id,username,emails,active", From::Rocketchat),
        ] {
            assert_eq!(Names::new(names.split(',')).preset().map(|preset| preset.from), Some(from), "{names}");
        }
        assert!(Names::new(["username", "emails", "importIds"]).preset().is_none());
        assert!(Names::new(["_id", "t", "msgs"]).other().unwrap().contains("rooms"));
    }
}
