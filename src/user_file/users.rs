//! A file's users in their order, each checked.

use std::collections::VecDeque;

use csv::StringRecord;

use super::{
    checks::{Found, Taken, suspect},
    fields::{IMPORT_IDS, User, texts_of},
    findings::Findings,
    input::Source,
    mapping::Mapping,
    object::{Broken, KeptText, Object, Piece},
    opening::{Opened, Records, open},
    options::Options,
    problem::{Fault, Kind, Problem, Severity},
    record_kind::kind_of_no_user,
    table::Row,
};

/// A line of the file: a user, problems, or both.
#[derive(Debug)]
pub(crate) struct Entry {
    /// From 1 on: of a text file the line it begins on, of a workbook the row.
    pub(crate) line: u64,
    /// The user, as `import.addUsers` takes it; none if there is an error.
    pub(crate) user: Option<User>,
    pub(crate) problems: Vec<Problem>,
    /// The line as the file has it.
    pub(crate) original: Original,
}

/// A line as the file has it.
#[derive(Debug)]
pub(crate) enum Original {
    /// The problem is that of the whole file.
    None,
    Row(StringRecord),
    Object(Object),
    /// No object at all.
    Text(KeptText),
}

/// The users of a file, one at a time in memory. What grows with the file is a digest of every name, address and id.
pub(crate) struct Users {
    pending: VecDeque<Entry>,
    records: Records,
    mapping: Mapping,
    taken: Taken,
    findings: Findings,
    refused: Vec<Kind>,
}

impl Users {
    /// Reads a source from its beginning. `name` is the file's name, if it has one. A problem of the file as a
    /// whole is the problem of an entry.
    pub(crate) fn read(source: impl Source, name: Option<&str>, options: &Options) -> Self {
        let refused = options.refused.iter().map(|kind| Kind::from(*kind)).collect();
        let (opened, problems) = match open(source, name, options) {
            Ok(opened) => (opened, Vec::new()),
            Err(problems) => {
                let mapping = Mapping::new(options, None);
                let opened =
                    Opened { records: Records::Over, mapping, findings: Findings::default(), first: Vec::new() };
                (opened, problems)
            }
        };
        let mut users = Self {
            pending: problems.into_iter().map(Entry::of_problem).collect(),
            records: opened.records,
            mapping: opened.mapping,
            taken: Taken::new(options.may_share_names),
            findings: opened.findings,
            refused,
        };
        for piece in opened.first {
            let entry = users.entry_of_piece(piece);
            users.pending.extend(entry);
        }
        users
    }

    /// What was noticed so far.
    pub(crate) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// The names of the columns of a file with rows.
    pub(crate) fn header(&self) -> Option<&StringRecord> {
        match &self.records {
            Records::Rows { columns, .. } => Some(columns.header()),
            Records::Objects { .. } | Records::Over => None,
        }
    }

    fn entry_of_row(&mut self, row: Row) -> Entry {
        let Records::Rows { columns, .. } = &self.records else { return Entry::of_problem(ended(row.line)) };
        let fault = match (row.fault, columns.second_header(&row.cells)) {
            (Some(fault), None | Some((_, false))) => Some((fault, false)),
            (_, header) => header,
        };
        if let Some((fault, is_end)) = fault {
            let problem = if is_end { Problem::fatal(row.line, fault) } else { Problem::error(row.line, fault) };
            if is_end {
                self.records = Records::Over;
            }
            return Entry { line: row.line, user: None, problems: vec![problem], original: Original::Row(row.cells) };
        }
        let (user, faults) = self.mapping.user_of_row(&row.cells, columns, &mut self.findings);
        self.checked(row.line, user, faults, Original::Row(row.cells))
    }

    /// None for a record that is no user.
    fn entry_of_piece(&mut self, piece: Result<Piece, Problem>) -> Option<Entry> {
        let (is_bulk, is_directory) = match &self.records {
            Records::Objects { is_bulk, is_directory, .. } => (*is_bulk, *is_directory),
            Records::Rows { .. } | Records::Over => (false, false),
        };
        let Piece { line, object } = match piece {
            Ok(piece) => piece,
            Err(problem) => return Some(Entry::of_problem(problem)),
        };
        let object = match object {
            Ok(object) => object,
            Err(Broken { fault, text }) => {
                let problems = vec![Problem::error(line, fault)];
                return Some(Entry { line, user: None, problems, original: Original::Text(text) });
            }
        };
        if let Some(kind) = kind_of_no_user(&object, is_bulk, is_directory) {
            self.findings.passed_over(&kind);
            return None;
        }
        let nested = if is_bulk { object.get("user").and_then(|user| Object::read(user.get()).ok()) } else { None };
        let (user, faults, unknown) =
            self.mapping.user_of_object(nested.as_ref().unwrap_or(&object), &mut self.findings);
        let mut entry = self.checked(line, user, faults, Original::Object(object));
        if !unknown.is_empty() {
            entry.user = None;
            entry.problems.extend(unknown.into_iter().map(|fault| Problem::fatal(line, fault)));
        }
        Some(entry)
    }

    fn checked(&mut self, line: u64, user: User, faults: Vec<Fault>, original: Original) -> Entry {
        let mut found = Found { errors: faults, warnings: Vec::new() };
        if found.errors.is_empty() {
            self.taken.take(&user, line, &mut found);
            suspect(&user, &mut found);
        }
        let import_id = texts_of(&user, IMPORT_IDS).next();
        let mut problems: Vec<Problem> = Vec::new();
        let errors = found.errors.into_iter().map(|fault| Problem::error(line, fault));
        let warnings = found.warnings.into_iter().map(|fault| {
            let is_refused = self.refused.contains(&fault.kind);
            if is_refused { Problem::error(line, fault) } else { Problem::warning(line, fault) }
        });
        problems.extend(errors.chain(warnings).map(|mut problem| {
            problem.import_id = import_id.map(str::to_owned);
            problem
        }));
        let is_bad = problems.iter().any(|problem| problem.severity >= Severity::Error);
        Entry { line, user: (!is_bad).then_some(user), problems, original }
    }
}

impl Iterator for Users {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if let Some(entry) = self.pending.pop_front() {
            return Some(entry);
        }
        loop {
            match &mut self.records {
                Records::Rows { rows, .. } => {
                    return Some(match rows.next()? {
                        Ok(row) => self.entry_of_row(row),
                        Err(problem) => Entry::of_problem(problem),
                    });
                }
                Records::Objects { objects, .. } => {
                    let piece = objects.next()?;
                    if let Some(entry) = self.entry_of_piece(piece) {
                        return Some(entry);
                    }
                }
                Records::Over => return None,
            }
        }
    }
}

impl Entry {
    fn of_problem(problem: Problem) -> Self {
        Self { line: problem.line.unwrap_or(1), user: None, problems: vec![problem], original: Original::None }
    }
}

fn ended(line: u64) -> Problem {
    Problem::fatal(line, Fault::new(Kind::Unreadable, "the file has no rows"))
}
