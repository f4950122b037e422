//! From the names and values of a file to users.

use std::{collections::HashMap, iter};

use csv::StringRecord;
use serde_json::{Value, json};

use super::{
    draft::Draft,
    fields::{EMAILS, Field, IMPORT_IDS, Typing, USERNAME, User, text_of, texts_of},
    findings::Findings,
    names::{Names, similar_to},
    object::Object,
    options::Options,
    presets::{Preset, are_alike, folded, own_target},
    problem::{Fault, Kind, quoted, trimmed},
    source::ImportIdFrom,
    table::MARK,
    target::{Secret, Target},
};
use crate::domain::{shown_value::shown, spreadsheet::original};

/// The names of a file and what they stand for.
#[derive(Debug)]
pub(super) struct Mapping {
    preset: Option<&'static Preset>,
    mapped: Vec<(String, Option<Field>)>,
    constants: Vec<(Field, Value)>,
    ignores_unknown: bool,
    import_id_from: Option<ImportIdFrom>,
    /// What names stand for that were met before.
    met: HashMap<String, Target>,
}

/// The columns of a file with rows.
#[derive(Debug)]
pub(super) struct Columns {
    targets: Vec<Column>,
    /// Whether the cells are guarded against being taken for formulas.
    are_guarded: bool,
    /// Workbooks do not keep empty cells at the end of a row.
    may_be_short: bool,
    header: StringRecord,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    Named(Target),
    /// May be empty only.
    Unnamed,
}

/// What a name stands for, or that it stands for nothing.
type Resolved = Result<Target, Fault>;

impl Mapping {
    pub(super) fn new(options: &Options, preset: Option<&'static Preset>) -> Self {
        Self {
            preset,
            mapped: options.assignments.mapped.iter().map(|(name, field)| (folded(name), *field)).collect(),
            constants: options.assignments.constants.clone(),
            ignores_unknown: options.ignores_unknown,
            import_id_from: options.import_id_from.or_else(|| preset?.import_id_from),
            met: HashMap::new(),
        }
    }

    fn resolve(&mut self, name: &str, findings: &mut Findings) -> Resolved {
        if let Some(target) = self.met.get(name) {
            return Ok(*target);
        }
        let key = folded(name);
        let mapped = self.mapped.iter().find(|(known, _)| *known == key || known == name);
        let target = match (mapped, self.preset) {
            (Some((_, field)), _) => Some(field.map_or(Target::Ignore, Target::Field)),
            (None, Some(preset)) => preset.target(name).or_else(|| is_ours(&key).then_some(Target::Ignore)),
            (None, None) => own_target(name),
        };
        let target = match target {
            Some(target) => target,
            None if name.starts_with("services.") => Target::Secret(Secret::OtherService),
            None if self.ignores_unknown || self.preset.is_some_and(|preset| preset.is_closed) => {
                findings.ignored(name);
                Target::Ignore
            }
            None => return Err(unknown(name)),
        };
        self.met.insert(name.to_owned(), target);
        Ok(target)
    }

    /// Reads a header.
    ///
    /// # Errors
    /// With everything that is wrong about it.
    pub(super) fn columns(
        &mut self,
        header: StringRecord,
        may_be_short: bool,
        findings: &mut Findings,
    ) -> Result<Columns, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut targets: Vec<Column> = Vec::new();
        for (index, name) in header.iter().map(trimmed).enumerate() {
            if name.is_empty() {
                targets.push(Column::Unnamed);
                continue;
            }
            match self.resolve(name, findings) {
                Ok(target) => {
                    let twin = targets.iter().position(|column| *column == Column::Named(target));
                    if let (Some(twin), true) = (twin, self.preset.is_none() && target != Target::Ignore) {
                        faults.push(same_column(header.get(twin).unwrap_or_default(), name, target));
                    }
                    targets.push(Column::Named(target));
                }
                Err(fault) => {
                    faults.push(fault);
                    targets.push(Column::Named(Target::Ignore));
                }
            }
            debug_assert_eq!(targets.len(), index + 1);
        }
        for (name, _) in &self.mapped {
            if !header.iter().any(|column| folded(column) == *name) {
                let there: Vec<&str> = header.iter().map(trimmed).filter(|name| !name.is_empty()).collect();
                let reason = format!(
                    "--map names the column {}, which the file does not have: name one of {}",
                    quoted(name),
                    shown(&there.join(", "))
                );
                faults.push(Fault::new(Kind::Option, reason));
            }
        }
        while targets.last() == Some(&Column::Unnamed) {
            targets.pop();
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let names: Vec<String> = header.iter().map(folded).collect();
        let has = |name: &str| names.iter().any(|known| known == name);
        // What this service writes as CSV: failed users, bad lines, a receipt.
        let is_receipt = has("outcome") && has("became");
        let are_guarded = self.preset.is_none() && (has("errors") || is_receipt) || (has("line") && has("reason"));
        Ok(Columns { targets, are_guarded, may_be_short, header })
    }

    /// The user of a row.
    pub(super) fn user_of_row(
        &self,
        cells: &StringRecord,
        columns: &Columns,
        findings: &mut Findings,
    ) -> (User, Vec<Fault>) {
        let mut draft = Draft::default();
        let wanted = columns.targets.len();
        let more = cells.iter().skip(wanted).position(|cell| !trimmed(cell).is_empty());
        if cells.len() < wanted && !columns.may_be_short {
            let spans = if spans_lines(cells) { "; a quotation mark may not be closed" } else { "" };
            let reason = format!(
                "the row has {} cells where the header has {wanted}: put a delimiter for each empty cell{spans}",
                cells.len()
            );
            draft.faults.push(Fault::new(Kind::Cells, reason));
        } else if more.is_some() {
            let spans = if spans_lines(cells) { "; a quotation mark may not be closed" } else { "" };
            let reason = format!(
                "the row has {} cells where the header has {wanted}: put cells that hold a delimiter into quotation marks{spans}",
                cells.len()
            );
            draft.faults.push(Fault::new(Kind::Cells, reason));
        }
        if !draft.faults.is_empty() {
            return (draft.user, draft.faults);
        }
        for (index, (column, cell)) in columns.targets.iter().zip(cells).enumerate() {
            let cell = if columns.are_guarded { original(cell) } else { cell.into() };
            let cell = cell.as_ref();
            match column {
                Column::Named(target) => draft.take_cell(*target, cell, findings),
                Column::Unnamed if trimmed(cell).is_empty() => {}
                Column::Unnamed => {
                    let reason = format!(
                        "cell {} holds {}, but its column has no name: name it in the header",
                        index + 1,
                        quoted(cell)
                    );
                    draft.faults.push(Fault::new(Kind::Cells, reason));
                }
            }
        }
        self.complete(draft)
    }

    /// The user of an object. The second list are faults of the whole file.
    pub(super) fn user_of_object(
        &mut self,
        object: &Object,
        findings: &mut Findings,
    ) -> (User, Vec<Fault>, Vec<Fault>) {
        let mut draft = Draft::default();
        let mut unknown = Vec::new();
        self.take_members(object, "", &mut draft, &mut unknown, findings);
        let (user, faults) = self.complete(draft);
        (user, faults, unknown)
    }

    fn take_members(
        &mut self,
        object: &Object,
        prefix: &str,
        draft: &mut Draft,
        unknown: &mut Vec<Fault>,
        findings: &mut Findings,
    ) {
        for (index, (name, value)) in object.0.iter().enumerate() {
            let path = format!("{prefix}{name}");
            let target = match self.resolve(&path, findings) {
                Ok(target) => target,
                Err(fault) => {
                    // Named once; the file is refused for it anyway.
                    self.met.insert(path, Target::Ignore);
                    unknown.push(fault);
                    continue;
                }
            };
            if target == Target::Ignore {
                continue;
            }
            if object.0[..index].iter().any(|(other, _)| other == name) {
                draft.faults.push(Fault::new(Kind::Syntax, format!("{} is there twice: keep one", quoted(&path))));
                continue;
            }
            if target == Target::Nested {
                match Object::read(value.get()) {
                    Ok(nested) => self.take_members(&nested, &format!("{path}."), draft, unknown, findings),
                    Err(_) if value.get() == "null" => {}
                    Err(_) => draft.faults.push(no_object(&path, value.get())),
                }
                continue;
            }
            let typing = if self.preset.is_some() { Typing::Loose } else { Typing::Strict };
            draft.take_json(target, value, typing, findings);
        }
    }

    /// Fills empty fields, and checks that every field the API needs is there.
    fn complete(&self, mut draft: Draft) -> (User, Vec<Fault>) {
        draft.fill();
        let Draft { mut user, mut faults, .. } = draft;
        for (field, value) in &self.constants {
            if !user.contains_key(field.name) {
                user.insert(field.name.to_owned(), value.clone());
            }
        }
        if texts_of(&user, IMPORT_IDS).next().is_none() {
            let id = match self.import_id_from {
                Some(ImportIdFrom::Username) => text_of(&user, USERNAME),
                Some(ImportIdFrom::Email) => texts_of(&user, EMAILS).next(),
                None => None,
            };
            if let Some(id) = id.map(str::to_owned) {
                user.insert(IMPORT_IDS.name.to_owned(), json!([id]));
            }
        }
        if faults.is_empty() {
            faults.extend(missing(&user));
        }
        (user, faults)
    }
}

impl Columns {
    /// The names of the columns, as the file has them.
    pub(super) fn header(&self) -> &StringRecord {
        &self.header
    }

    /// The fault of a row that is a header itself, and whether the rows below it have other columns.
    pub(super) fn second_header(&self, cells: &StringRecord) -> Option<(Fault, bool)> {
        if cells.len() > self.header.len() {
            // Two files without a line end between them.
            if self.ends_in_header(cells) {
                return Some((joined("the header once more"), false));
            }
            if let Some(tail) = behind_mark(cells) {
                return self.second_header(&tail);
            }
        }
        // Cheap for rows that are none, which nearly all are.
        let candidate = cells.iter().find(|cell| !cell.is_empty()).map(trimmed)?;
        if own_target(candidate).is_none() && !self.header.iter().any(|name| are_alike(candidate, name)) {
            return None;
        }
        let is_same = cells.iter().map(folded).eq(self.header.iter().map(folded));
        let filled = || cells.iter().filter(|cell| !trimmed(cell).is_empty());
        let is_other = !is_same && filled().count() > 1 && Names::new(filled()).known() == filled().count();
        if !is_same && !is_other {
            return None;
        }
        let what = if is_same { "the header once more" } else { "another header in the middle" };
        Some((joined(what), is_other))
    }

    /// Whether the header follows on the last cell of a row.
    fn ends_in_header(&self, cells: &StringRecord) -> bool {
        let tail = cells.iter().skip(cells.len() - self.header.len());
        let mut pairs = self.header.iter().zip(tail);
        let Some((first, begin)) = pairs.next() else { return false };
        self.header.len() > 1
            && pairs.all(|(name, cell)| are_alike(name, cell))
            && folded(begin).ends_with(&folded(first))
    }
}

fn joined(what: &str) -> Fault {
    Fault::new(Kind::Joined, format!("{what}: two files seem to be joined here; give them one by one"))
}

/// The cells of a row behind the byte order mark inside it: there another file begins, without a line end before it.
fn behind_mark(cells: &StringRecord) -> Option<StringRecord> {
    let (place, begin) = cells.iter().enumerate().find_map(|(place, cell)| Some((place, cell.split_once(MARK)?.1)))?;
    Some(iter::once(begin).chain(cells.iter().skip(place + 1)).collect())
}

/// Columns that this program adds to the lists of users that failed.
fn is_ours(key: &str) -> bool {
    matches!(key, "line" | "reason")
}

fn unknown(name: &str) -> Fault {
    let way_out = "give --map, or leave such columns out with --ignore-unknown";
    let shown = quoted(name);
    let reason = match similar_to(name) {
        Some(similar) => format!("unknown column {shown}, did you mean \"{similar}\"? Otherwise {way_out}"),
        None => format!("unknown column {shown}: {way_out}"),
    };
    Fault::new(Kind::UnknownColumn, reason)
}

fn same_column(first: &str, second: &str, target: Target) -> Fault {
    let field = match target {
        Target::Field(field) | Target::Fallback(field) => field.name,
        _ => "the same",
    };
    let reason = format!(
        "the columns {} and {} both stand for {field}: leave one out with --map '{}='",
        quoted(first),
        quoted(second),
        shown(second)
    );
    Fault::new(Kind::Header, reason)
}

fn no_object(path: &str, value: &str) -> Fault {
    Fault::new(Kind::Value, format!("{path} must be an object, not {}", shown(value)))
}

fn spans_lines(cells: &StringRecord) -> bool {
    cells.iter().any(|cell| cell.contains(['\n', '\r']))
}

fn missing(user: &User) -> Option<Fault> {
    let missing: Vec<Field> =
        [EMAILS, IMPORT_IDS].into_iter().filter(|field| texts_of(user, *field).next().is_none()).collect();
    let way_out = match missing.as_slice() {
        [] => return None,
        [field] if *field == EMAILS => "give the user an address",
        [_] => "give the user an id, or --import-id-from username or email",
        _ => "give the user an address, and an id or --import-id-from",
    };
    let names: Vec<&str> = missing.iter().map(|field| field.name).collect();
    let who = text_of(user, USERNAME).map(|name| format!(" of the user {}", quoted(name))).unwrap_or_default();
    Some(Fault::new(Kind::Missing, format!("{} missing{who}: {way_out}", names.join(" and "))))
}
