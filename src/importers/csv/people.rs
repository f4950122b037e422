//! `users.csv`: a username, an address and a name a row.

use crate::domain::{field_value::Fields, record_type::RecordType};

use crate::importers::{
    entries::{FoundRow, RowSource},
    json::{text, texts},
    record::{Element, PassedOver, Problem, Record},
};

pub(super) fn users_in(rows: RowSource) -> impl Iterator<Item = Element> + Send {
    rows.enumerate().map(|(number, row)| user(row, number == 0))
}

fn user(row: FoundRow, is_first: bool) -> Element {
    let (place, row) = match row {
        Ok(row) => row,
        Err(problem) => return problem.into(),
    };
    let [username, email, name] = [0, 1, 2].map(|field| row.trimmed(field));
    if is_first
        && username.eq_ignore_ascii_case("username")
        && email.to_lowercase().contains("mail")
        && !email.contains('@')
    {
        return PassedOver::one("header", "The row names the columns.", place).into();
    }
    if username.is_empty() {
        return Problem::new(RecordType::User, place, "The row has no username.").into();
    }
    let data = Fields::from_iter([
        ("type", text("user")),
        ("importIds", texts([username])),
        ("emails", texts((!email.is_empty()).then_some(email))),
        ("username", text(username)),
        ("name", text(name)),
    ]);
    Record::new(RecordType::User, data, place).into()
}
