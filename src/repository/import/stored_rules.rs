//! The rules of a run as its lease holds them, for the instance that takes it over.

use bson::{Document, RawDocumentBuf, doc};

use crate::{
    domain::matching::{Rules, WantedRules},
    repository::bson::read::read_fields,
};

pub(super) fn document_of(rules: Rules) -> Document {
    let mut stored = doc! {
        "onExisting": rules.on_existing.as_str(),
        "onUsernameTaken": rules.on_username_taken.as_str(),
        "matchBy": rules.match_by.words().collect::<Vec<_>>(),
        "alsoUpdate": rules.named.words().collect::<Vec<_>>(),
    };
    if let Some(joins) = rules.joins_default_channels {
        stored.insert("joinDefaultChannels", joins);
    }
    stored
}

/// A word that this release does not know makes the rule that does the least.
pub(super) fn rules_of(stored: &Document) -> Rules {
    let stored = RawDocumentBuf::try_from(stored).ok().and_then(|stored| read_fields(&stored).ok());
    WantedRules::from_stored(&stored.unwrap_or_default()).over(Rules::of_api())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::matching::{Column, Columns, MatchBy, OnExisting};

    #[test]
    fn rules_are_read_as_they_were_stored() {
        let named = Columns::default().with(Column::Roles).with(Column::Deleted);
        for rules in [
            Rules::of_api(),
            Rules::of_files(),
            Rules { named, on_existing: OnExisting::Update, ..Rules::of_api() },
            Rules { joins_default_channels: Some(true), ..Rules::of_api() },
            Rules { joins_default_channels: Some(false), ..Rules::of_files() },
            Rules { match_by: MatchBy::NOTHING.with("email").unwrap(), ..Rules::of_files() },
        ] {
            assert_eq!(rules_of(&document_of(rules)), rules);
        }
    }
}
