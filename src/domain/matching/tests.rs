use proptest::prelude::*;

use super::*;
use crate::domain::field_value::{FieldValue, Fields};

fn text(text: &str) -> FieldValue {
    FieldValue::Text(text.into())
}

fn texts(texts: &[&str]) -> FieldValue {
    FieldValue::List(texts.iter().map(|one| text(one)).collect())
}

fn record(import_id: &str, emails: &[&str], username: &str) -> Fields {
    Fields::from_iter([("importIds", texts(&[import_id])), ("emails", texts(emails)), ("username", text(username))])
}

fn account(id: &str, import_ids: &[&str], emails: &[(&str, bool)], username: &str) -> Fields {
    let email = |(address, verified): &(&str, bool)| {
        FieldValue::Object(Fields::from_iter([
            ("address", text(address)),
            ("verified", FieldValue::Boolean(*verified)),
        ]))
    };
    Fields::from_iter([
        ("_id", text(id)),
        ("importIds", texts(import_ids)),
        ("emails", FieldValue::List(emails.iter().map(email).collect())),
        ("username", text(username)),
        ("roles", texts(&["user", "admin"])),
    ])
}

fn decided(record: &Fields, accounts: &[Fields], rules: Rules) -> Decision {
    let accounts: Vec<_> = accounts.iter().map(StoredAccount::new).collect();
    decide(StagedUser::new(record), &accounts, rules)
}

fn rules(on_existing: OnExisting) -> Rules {
    Rules { on_existing, on_username_taken: OnUsernameTaken::Fail, ..Rules::of_files() }
}

fn found(record: &Fields, accounts: &[Fields]) -> Option<(String, FoundBy)> {
    match decided(record, accounts, rules(OnExisting::Skip)) {
        Decision::Skip { account, found } => Some((account, found)),
        _ => None,
    }
}

#[test]
fn import_id_then_address_then_name() {
    let by_id = account("id", &["U1"], &[("old@x.example", true)], "ann.old");
    let by_address = account("address", &[], &[("Ann@X.example", true)], "annex");
    let by_name = account("name", &[], &[], "ANN");
    let record = record("U1", &["ann@x.example"], "ann");
    let all = [by_name.clone(), by_address.clone(), by_id];
    assert_eq!(found(&record, &all), Some(("id".into(), FoundBy::ImportId)));
    assert_eq!(found(&record, &[by_name.clone(), by_address]), Some(("address".into(), FoundBy::VerifiedEmail)));
    assert_eq!(found(&record, &[by_name]), Some(("name".into(), FoundBy::Username)));
    let unverified = account("u", &[], &[("ann@x.example", false)], "x");
    assert_eq!(found(&record, &[unverified]), Some(("u".into(), FoundBy::UnverifiedEmail)));
}

#[test]
fn the_same_name_with_different_addresses_is_another_person() {
    let stranger = account("other", &[], &[("ann@other.example", true)], "Ann");
    let record = record("U1", &["ann@x.example"], "ann");
    let strict = decided(&record, std::slice::from_ref(&stranger), rules(OnExisting::Link));
    let Decision::Fail(failure) = strict else { panic!("{strict:?}") };
    let expected = format!(
        "the user name of U1 (@ann) belongs to somebody with another e-mail address: account other (@Ann). {SUFFIX_OFFER}"
    );
    assert_eq!(failure.to_string(), expected);
    let suffix = decided(&record, &[stranger], Rules::of_files());
    assert_eq!(suffix, Decision::Create { username_taken_by: Some("other".into()) });
}

#[test]
fn an_import_id_that_is_a_mere_name_proves_no_more_than_the_name() {
    let stranger = account("other", &["ann"], &[("ann@other.example", true)], "ann2");
    assert_eq!(found(&record("ann", &["ann@x.example"], "ann"), std::slice::from_ref(&stranger)), None);
    assert_eq!(found(&record("ann", &[], "ann"), &[stranger]), Some(("other".into(), FoundBy::ImportId)));
}

#[test]
fn two_accounts_that_fit_equally_are_named() {
    let accounts =
        [account("a", &[], &[("ann@x.example", true)], "a"), account("b", &[], &[("lee@x.example", true)], "b")];
    let record = record("U1", &["Ann@x.example", "Lee@x.example"], "ann");
    let decision = decided(&record, &accounts, rules(OnExisting::Link));
    let Decision::Fail(failure) = decision else { panic!("{decision:?}") };
    assert_eq!(failure.to_string(), "U1 (@ann) may be any of these accounts: a (@a), b (@b)");
}

#[test]
fn match_by_narrows_what_accounts_are_found_by() {
    let by_address = account("address", &[], &[("ann@x.example", true)], "annex");
    let record = record("U1", &["ann@x.example"], "ann");
    let match_by = MatchBy { email: false, ..MatchBy::default() };
    let decision = decided(&record, &[by_address], Rules { match_by, ..Rules::of_files() });
    assert!(matches!(decision, Decision::Fail(MatchFailure::EmailTaken { .. })), "{decision:?}");
}

#[test]
fn fail_and_skip_leave_the_account_alone() {
    let account = account("a", &["U1"], &[], "ann");
    let record = record("U1", &[], "ann");
    let failed = decided(&record, std::slice::from_ref(&account), rules(OnExisting::Fail));
    let Decision::Fail(failure) = failed else { panic!("{failed:?}") };
    assert_eq!(failure.to_string(), format!("U1 (@ann) is there already: account a (@ann). {LINK_OFFER}"));
    let skipped = decided(&record, &[account], rules(OnExisting::Skip));
    assert_eq!(skipped, Decision::Skip { account: "a".into(), found: FoundBy::ImportId });
}

fn changed_fields(decision: Decision) -> Vec<String> {
    match decision {
        Decision::Link { changes, .. } | Decision::Update { changes, .. } => {
            changes.into_iter().map(|change| change.field).collect()
        }
        Decision::Same { .. } => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn link_fills_what_is_empty_and_changes_nothing_else() {
    let account =
        account("a", &["old"], &[("ann@x.example", true)], "ann").with("bio", text("")).with("name", text("Ann"));
    let record = record("U1", &["ann@x.example", "more@x.example"], "annie")
        .with("name", text("Ann Lee"))
        .with("bio", text("Head"))
        .with("roles", texts(&["bot"]))
        .with("type", text("bot"))
        .with("deleted", FieldValue::Boolean(true));
    let decision = decided(&record, std::slice::from_ref(&account), rules(OnExisting::Link));
    assert_eq!(changed_fields(decision), ["importIds", "bio"]);
    let filled = account.with("importIds", texts(&["old", "U1"])).with("bio", text("Head"));
    let again = decided(&record, &[filled], rules(OnExisting::Link));
    assert_eq!(again, Decision::Same { account: "a".into(), found: FoundBy::ImportId });
}

#[test]
fn update_takes_the_columns_of_the_file_but_protected_ones_only_when_named() {
    let account = account("a", &["U1"], &[("ann@x.example", true)], "ann").with("type", text("user"));
    let record = record("U1", &["Ann@x.example", "new@x.example"], "annie")
        .with("roles", texts(&["bot"]))
        .with("type", text("bot"))
        .with("deleted", FieldValue::Boolean(true));
    let decision = decided(&record, std::slice::from_ref(&account), rules(OnExisting::Update));
    assert_eq!(changed_fields(decision.clone()), ["username", "emails"]);
    let Decision::Update { changes, .. } = decision else { panic!("{decision:?}") };
    let emails = account_emails(&changes[1].after);
    assert_eq!(emails, [("Ann@x.example".to_owned(), true), ("new@x.example".to_owned(), false)]);

    let named = Columns::default().with(Column::Roles).with(Column::Type).with(Column::Deleted);
    let decision = decided(&record, &[account], Rules { named, ..rules(OnExisting::Update) });
    let Decision::Update { changes, .. } = decision else { panic!("{decision:?}") };
    let roles = changes.iter().find(|change| change.field == "roles").map(|change| change.after.clone());
    assert_eq!(roles, Some(texts(&["user", "admin", "bot"])));
    assert!(changes.iter().any(|change| change.field == "active" && change.after == FieldValue::Boolean(false)));
}

#[test]
fn a_placeholder_becomes_the_persons_account_when_the_person_is_imported() {
    let placeholder = account("a", &["U1"], &[], "ann")
        .with(crate::domain::document::account::PLACEHOLDER, FieldValue::Boolean(true))
        .with("active", FieldValue::Boolean(false));
    let record = record("U1", &["ann@x.example"], "ann").with("name", text("Ann"));
    let decision = decided(&record, std::slice::from_ref(&placeholder), rules(OnExisting::Link));
    let Decision::Fill { changes, .. } = decision else { panic!("{decision:?}") };
    let fields: Vec<_> = changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["name", "emails", "active"]);

    let left_out = record.with(crate::domain::document::account::PLACEHOLDER, FieldValue::Boolean(true));
    let decision = decided(&left_out, std::slice::from_ref(&placeholder), rules(OnExisting::Link));
    assert_eq!(decision, Decision::Same { account: "a".into(), found: FoundBy::ImportId });

    let stranger = self::record("U2", &["ann@y.example"], "ann");
    let decision = decided(&stranger, &[placeholder], Rules::of_files());
    assert_eq!(decision, Decision::Create { username_taken_by: Some("a".into()) });
}

fn account_emails(emails: &FieldValue) -> Vec<(String, bool)> {
    let fields = Fields::from_iter([("emails", emails.clone())]);
    StoredAccount::new(&fields).emails().map(|(address, verified)| (address.to_owned(), verified)).collect()
}

#[test]
fn a_name_that_somebody_else_has_is_not_taken_over() {
    let accounts = [account("a", &["U1"], &[], "ann"), account("b", &[], &[("b@x.example", true)], "Annie")];
    let record = record("U1", &[], "annie");
    assert!(changed_fields(decided(&record, &accounts, rules(OnExisting::Update))).is_empty());
}

fn some_address() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a@x.example", "A@X.example", "b@x.example", "c@x.example", "", " "])
        .prop_map(str::to_owned)
}

fn some_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["ann", "Ann", "bob", "", "cat"]).prop_map(str::to_owned)
}

proptest! {
    /// Rooms and direct messages go to the account that a person's record finds, so this is who gains them.
    #[test]
    fn nobody_gains_a_room_that_was_meant_for_somebody_with_another_address(
        record_emails in prop::collection::vec(some_address(), 0..3),
        name in some_name(),
        accounts in prop::collection::vec((prop::collection::vec(some_address(), 0..3), some_name(), some_name()), 0..5),
        csv in any::<bool>(),
    ) {
        let emails: Vec<&str> = record_emails.iter().map(String::as_str).collect();
        let record = record(if csv { &name } else { "U1" }, &emails, &name);
        let stored: Vec<Fields> = accounts.iter().enumerate().map(|(number, (emails, username, import_id))| {
            let emails: Vec<_> = emails.iter().map(|address| (address.as_str(), true)).collect();
            account(&number.to_string(), &[import_id], &emails, username)
        }).collect();
        let decision = decided(&record, &stored, Rules::of_files());
        if let Decision::Link { account, .. } | Decision::Same { account, .. } = decision {
            let account = stored.iter().map(StoredAccount::new).find(|one| one.id() == account).expect("a candidate");
            prop_assert!(!account.has_other_addresses_than(StagedUser::new(&record)));
        }
    }

    #[test]
    fn linking_twice_changes_nothing_more_and_never_touches_roles_type_or_activity(
        emails in prop::collection::vec(some_address(), 0..3), name in some_name(), known in some_address(),
    ) {
        let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
        let record = record("U1", &emails, &name).with("roles", texts(&["bot"])).with("type", text("bot"));
        let mut stored = account("a", &["U1"], &[(&known, true)], "ann");
        if let Decision::Link { changes, .. } = decided(&record, std::slice::from_ref(&stored), Rules::of_files()) {
            for change in changes {
                prop_assert!(!["roles", "type", "active", "services"].contains(&change.field.as_str()));
                stored = stored.with(&change.field, change.after);
            }
        }
        let again = decided(&record, std::slice::from_ref(&stored), Rules::of_files());
        prop_assert!(matches!(again, Decision::Same { .. }), "{again:?}");
    }
}
