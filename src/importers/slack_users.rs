//! Slack's list of members, as its administration pages export it: one CSV file.
//!
//! Source: `apps/meteor/server/lib/import/slack-users/SlackUsersImporter.ts`.

use std::sync::Arc;

use crate::domain::{
    field_value::{FieldValue, Fields},
    record_type::RecordType,
};

use super::{
    entries::{FoundRow, file_rows},
    json::{text, texts},
    read_at::ReadAt,
    reader::{Elements, Parts},
    record::{Element, Problem, Record, Refusal},
    rows::{Row, trimmed},
};

/// Where the columns are in files of all ages.
const DEFAULT_COLUMNS: Columns =
    Columns { username: 0, email: 1, status: Some(2), id: Some(6), full_name: Some(7), display_name: Some(8) };

#[derive(Debug, Clone, Copy)]
struct Columns {
    username: usize,
    email: usize,
    status: Option<usize>,
    id: Option<usize>,
    full_name: Option<usize>,
    display_name: Option<usize>,
}

/// A file of members.
#[derive(Debug)]
pub(super) struct MemberList {
    file: Arc<dyn ReadAt>,
    columns: Columns,
    has_header: bool,
}

impl MemberList {
    pub(super) fn open(file: Arc<dyn ReadAt>) -> Result<Self, Refusal> {
        let first = match file_rows(&file, RecordType::User)?.next() {
            None => return Err(Refusal::new("The file holds no rows.")),
            Some(Err(problem)) => return Err(Refusal::new(problem.reason)),
            Some(Ok((_, row))) => row,
        };
        if let Some(columns) = columns_of(&first) {
            return Ok(Self { file, columns, has_header: true });
        }
        if first.trimmed(DEFAULT_COLUMNS.email).contains('@') {
            return Ok(Self { file, columns: DEFAULT_COLUMNS, has_header: false });
        }
        Err(Refusal::new("The first row names no columns username and email; this is no list of Slack's members."))
    }
}

fn columns_of(header: &Row) -> Option<Columns> {
    let column = |name: &str| header.fields.iter().position(|column| trimmed(column).eq_ignore_ascii_case(name));
    Some(Columns {
        username: column("username")?,
        email: column("email")?,
        status: column("status"),
        id: column("userid"),
        full_name: column("fullname"),
        display_name: column("displayname"),
    })
}

impl Parts for MemberList {
    fn part(&mut self, number: u64) -> Option<Elements> {
        let rows = (number == 0).then(|| file_rows(&self.file, RecordType::User))?.ok()?;
        let columns = self.columns;
        Some(Box::new(rows.skip(usize::from(self.has_header)).map(move |row| member(row, columns))))
    }
}

fn member(row: FoundRow, columns: Columns) -> Element {
    let (place, row) = match row {
        Ok(row) => row,
        Err(problem) => return problem.into(),
    };
    let cell = |column: Option<usize>| column.map_or("", |column| row.trimmed(column));
    let (username, email, id) = (row.trimmed(columns.username), row.trimmed(columns.email), cell(columns.id));
    if username.is_empty() || (email.is_empty() && id.is_empty()) {
        let reason = "The row needs a username, and an email or a userid.";
        return Problem::new(RecordType::User, place, reason).into();
    }
    let names = [cell(columns.full_name), cell(columns.display_name), username];
    let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let (emails, import_id) = if email.is_empty() { (vec![], id) } else { (vec![email], email) };
    let mut data = vec![
        ("emails", texts(emails)),
        ("importIds", texts([import_id])),
        ("username", text(username)),
        ("name", text(name)),
        ("type", text("user")),
    ];
    match cell(columns.status) {
        "Admin" => data.push(("roles", texts(["admin"]))),
        "Bot" => {
            data[4].1 = text("bot");
            data.push(("roles", texts(["bot"])));
        }
        "Deactivated" => data.push(("deleted", FieldValue::Boolean(true))),
        _ => {}
    }
    Record::new(RecordType::User, Fields::from_iter(data), place).into()
}
