//! Contacts of the omnichannel: a CSV file whose first row names the columns.
//!
//! Source: `apps/meteor/server/lib/import/omnichannel-contacts/`.

use std::sync::Arc;

use crate::domain::{
    field_value::{FieldValue, Fields},
    record_type::RecordType,
};

use super::{
    entries::{FoundRow, RowSource, file_rows},
    json::{text, texts},
    read_at::ReadAt,
    reader::{Elements, Parts},
    record::{Element, PassedOver, Problem, Record, Refusal},
    rows::{Row, trimmed},
    stable_id::stable_id,
};

const ID: &str = "id";
const NAME: &str = "name";
const EMAILS: &str = "emails";
const PHONES: &str = "phones";
const MANAGER: &str = "manager";
/// All other columns are custom fields.
const OWN_COLUMNS: [&str; 5] = [ID, NAME, EMAILS, PHONES, MANAGER];
/// Columns one of which a list of contacts must have.
const TELLING_COLUMNS: [&str; 3] = [NAME, EMAILS, PHONES];
/// Between the values of one cell.
const LIST_SEPARATOR: char = ';';

/// A file of contacts.
#[derive(Debug)]
pub(super) struct ContactList {
    file: Arc<dyn ReadAt>,
}

impl ContactList {
    pub(super) fn open(file: Arc<dyn ReadAt>) -> Result<Self, Refusal> {
        match file_rows(&file, RecordType::Contact)?.next() {
            None => return Err(Refusal::new("The file holds no rows.")),
            Some(Err(problem)) => return Err(Refusal::new(problem.reason)),
            Some(Ok((_, header))) => check_header(&header)?,
        }
        Ok(Self { file })
    }
}

fn check_header(header: &Row) -> Result<(), Refusal> {
    if header.fields.iter().any(|column| TELLING_COLUMNS.contains(&trimmed(column))) {
        return Ok(());
    }
    Err(Refusal::new("The first row names none of the columns name, emails and phones; this is no list of contacts."))
}

impl Parts for ContactList {
    fn part(&mut self, number: u64) -> Option<Elements> {
        let rows = (number == 0).then(|| file_rows(&self.file, RecordType::Contact))?.ok()?;
        Some(Box::new(contacts_in(rows)))
    }
}

/// The contacts of a file, whose first row is its header.
pub(super) fn contacts_in(rows: RowSource) -> impl Iterator<Item = Element> + Send {
    let mut header: Option<Vec<String>> = None;
    rows.filter_map(move |row| match &header {
        Some(columns) => Some(contact(row, columns)),
        None => match row {
            Ok((_, row)) => {
                header = Some(row.fields.iter().map(|column| trimmed(column).to_owned()).collect());
                None
            }
            Err(problem) => Some(problem.into()),
        },
    })
}

fn contact(row: FoundRow, columns: &[String]) -> Element {
    let (place, row) = match row {
        Ok(row) => row,
        Err(problem) => return problem.into(),
    };
    if row.fields.len() > columns.len() {
        let reason = format!("The row has {} fields where the header has {}.", row.fields.len(), columns.len());
        return Problem::new(RecordType::Contact, place, reason).into();
    }
    // Of a column that is named twice, the last one counts.
    let cell = |name: &str| columns.iter().rposition(|column| column == name).map_or("", |at| row.trimmed(at));
    let list = |name: &str| cell(name).split(LIST_SEPARATOR).map(trimmed).filter(|value| !value.is_empty());
    let (emails, phones): (Vec<&str>, Vec<&str>) = (list(EMAILS).collect(), list(PHONES).collect());
    if emails.is_empty() && phones.is_empty() && cell(NAME).is_empty() {
        let reason = "The row has neither a name nor an address nor a phone number.";
        return PassedOver::one(RecordType::Contact.data_type(), reason, place).into();
    }
    let id = match cell(ID) {
        "" => stable_id(&["contact", cell(EMAILS), cell(PHONES), cell(NAME)]),
        id => id.to_owned(),
    };
    let custom = columns.iter().enumerate().filter(|(_, column)| !OWN_COLUMNS.contains(&column.as_str()));
    let custom: Fields = custom
        .map(|(at, column)| (column.as_str(), row.trimmed(at)))
        .filter(|(column, value)| !column.is_empty() && !value.is_empty())
        .map(|(column, value)| (column, text(value)))
        .collect();
    let mut data = vec![("importIds", texts([id])), (EMAILS, texts(emails)), (PHONES, texts(phones))];
    data.extend([(NAME, cell(NAME)), ("contactManager", cell(MANAGER))].map(|(name, value)| (name, text(value))));
    data.retain(|(_, value)| value.as_text() != Some(""));
    data.push(("customFields", FieldValue::Object(custom)));
    Record::new(RecordType::Contact, data.into_iter().collect(), place).into()
}
