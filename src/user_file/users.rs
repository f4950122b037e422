//! A file's users in their order, each checked.

use std::{collections::VecDeque, iter};

use csv::StringRecord;

use super::{
    checks::{Found, Taken, suspect},
    fields::{IMPORT_IDS, User, texts_of},
    findings::Findings,
    input::{Content, Source, content_of, head_of, text_of, unreadable},
    mapping::{Columns, Mapping},
    names::Names,
    object::{Ldif, Lines, Object, Objects, Piece, Values},
    options::{Format, Options},
    presets::{MATTERMOST, PRESETS, Preset},
    problem::{Fault, Kind, Problem, Severity, trimmed},
    source::From,
    table::{Delimited, Row, Rows, Workbook, WorkbookKind, rows_of_head},
};
use crate::domain::shown_value::shown;

/// The first is taken when none fits better.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Classes of directory entries that are people.
const PEOPLE: [&str; 5] = ["person", "inetorgperson", "organizationalperson", "posixaccount", "user"];
const MACHINES: [&str; 1] = ["computer"];

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

enum Records {
    Rows { rows: Rows, columns: Columns },
    Objects { objects: Objects, is_bulk: bool, is_directory: bool },
    Over,
}

/// A file that is opened.
struct Opened {
    records: Records,
    mapping: Mapping,
    findings: Findings,
    /// Of the first lines, which were read to see where the file comes from.
    first: Vec<Result<Piece, Problem>>,
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
            taken: Taken::default(),
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
            Err(fault) => return Some(Entry::of_problem(Problem::error(line, fault))),
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
        Self { line: problem.line, user: None, problems: vec![problem], original: Original::None }
    }
}

fn ended(line: u64) -> Problem {
    Problem::fatal(line, Fault::new(Kind::Unreadable, "the file has no rows"))
}

fn fatal(kind: Kind, reason: impl Into<String>) -> Vec<Problem> {
    vec![Problem::fatal(1, Fault::new(kind, reason))]
}

fn open(mut source: impl Source, name: Option<&str>, options: &Options) -> Result<Opened, Vec<Problem>> {
    let head = head_of(&mut source).map_err(|error| vec![unreadable(1, &error)])?;
    if head.iter().all(u8::is_ascii_whitespace) {
        return Err(fatal(Kind::OtherFile, "the file is empty: choose the one with the users"));
    }
    let format = format_of(&head, name, options.format).map_err(|reason| fatal(Kind::OtherFile, reason))?;
    let only = |problem| vec![problem];
    if options.sheet.is_some() && !matches!(format, Format::Xlsx | Format::Ods) {
        return Err(fatal(Kind::Option, "--sheet is for workbooks, and the file is none: leave --sheet away"));
    }
    let text = |source| text_of(source, &head, options.encoding).map_err(only);
    match format {
        Format::Xlsx | Format::Ods => {
            let kind = if format == Format::Xlsx { WorkbookKind::Xlsx } else { WorkbookKind::Ods };
            let rows = Workbook::open(source, kind, options.sheet.as_deref()).map_err(only)?;
            open_rows(Box::new(rows), true, options)
        }
        Format::Csv => {
            let mut text = text(source)?;
            let start = text.fill_buf().map_err(|error| only(unreadable(1, &error)))?;
            let start = String::from_utf8_lossy(start).into_owned();
            let given = given_delimiter(&start);
            let mut rows = Delimited::new(text, given.unwrap_or_else(|| delimiter_of(&start)));
            if given.is_some() {
                drop(rows.next());
            }
            open_rows(Box::new(rows), false, options)
        }
        Format::Json => open_objects(Box::new(Values::new(text(source)?)), options, None),
        Format::Jsonl => open_objects(Box::new(Lines::new(text(source)?)), options, None),
        Format::Ldif => open_objects(Box::new(Ldif::new(text(source)?)), options, Some(From::Ldap)),
    }
}

fn format_of(head: &[u8], name: Option<&str>, given: Option<Format>) -> Result<Format, &'static str> {
    let ending = name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    let ending = ending.as_deref();
    let content = content_of(head);
    if let Content::Other(sentence) = content {
        return Err(sentence);
    }
    let format = match (given, content) {
        (None | Some(Format::Xlsx), Content::Xlsx) => Format::Xlsx,
        (None | Some(Format::Ods), Content::Ods) => Format::Ods,
        (Some(_), Content::Xlsx | Content::Ods) => return Err("this is a workbook: leave --format away"),
        (Some(Format::Xlsx | Format::Ods), _) => return Err("this is no workbook: leave --format away"),
        (Some(given), _) => given,
        (None, Content::Json) if matches!(ending, Some("jsonl" | "ndjson")) || has_a_user_a_line(head) => Format::Jsonl,
        (None, Content::Json) => Format::Json,
        (None, Content::Ldif) => Format::Ldif,
        (None, _) => match ending {
            Some("json") => Format::Json,
            Some("jsonl" | "ndjson") => Format::Jsonl,
            Some("ldif" | "ldf") => Format::Ldif,
            _ => Format::Csv,
        },
    };
    Ok(format)
}

/// Whether the first two lines are an object each.
fn has_a_user_a_line(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().and_then(|line| Object::read(line).ok());
    first.is_some_and(|object| object.get("users").is_none() && object.get("members").is_none())
        && lines.next().is_some_and(|line| line.trim_start().starts_with('{'))
}

/// The delimiter of a first line such as `sep=;`, as spreadsheets write and read it.
fn given_delimiter(start: &str) -> Option<u8> {
    let line = start.lines().next()?.trim().trim_matches('"');
    let (key, sign) = line.split_once('=')?;
    let sign = sign.as_bytes().first().copied().filter(u8::is_ascii)?;
    (key.eq_ignore_ascii_case("sep") && line.len() <= key.len() + 2).then_some(sign)
}

/// The delimiter by which most of the first line's columns have a known name, or else that of most columns.
fn delimiter_of(start: &str) -> u8 {
    let rated = DELIMITERS.into_iter().rev().max_by_key(|delimiter| {
        let row = rows_of_head(start, *delimiter, 1);
        row.first().map(|cells| (Names::new(cells).known(), cells.len()))
    });
    rated.unwrap_or(DELIMITERS[0])
}

fn open_rows(mut rows: Rows, is_workbook: bool, options: &Options) -> Result<Opened, Vec<Problem>> {
    let first = match rows.next() {
        None if is_workbook => {
            return Err(fatal(Kind::OtherFile, "the sheet is empty: choose the one with the users by --sheet"));
        }
        None => return Err(fatal(Kind::OtherFile, "the file has empty rows only: choose the one with the users")),
        Some(Err(problem)) => return Err(vec![problem]),
        Some(Ok(row)) => row,
    };
    let line = first.line;
    let fatal = |fault| Problem::fatal(line, fault);
    if let Some(fault) = first.fault {
        return Err(vec![fatal(fault)]);
    }
    let names = Names::new(&first.cells);
    let has_header = !first.cells.iter().any(|cell| cell.contains('@'));
    let preset = match (options.from, has_header) {
        (Some(From::Own), true) => None,
        (None, true) if names.are(&["line", "reason", "username", "email", "name"]) => without_header(),
        (None, true) => names.preset(),
        (Some(From::Rocketchat), true) if names.are(&["username", "email", "name"]) => without_header(),
        (Some(from), true) => preset_of(from, |preset| preset.headerless.is_none()),
        (None | Some(From::Rocketchat), false) if is_like_users_csv(&first.cells) => without_header(),
        (_, false) => {
            let reason = "there is no header: put names such as username,emails,importIds into the first line";
            return Err(vec![fatal(Fault::new(Kind::Header, reason))]);
        }
    };
    let mut mapping = Mapping::new(options, preset);
    let mut findings = findings_of(preset);
    let headerless = preset.and_then(|preset| preset.headerless).filter(|_| !has_header);
    let header = headerless.map_or_else(|| first.cells.clone(), StringRecord::from);
    let columns = mapping.columns(header, is_workbook || headerless.is_some(), &mut findings).map_err(|faults| {
        let other = names.other().map(|sentence| Fault::new(Kind::OtherFile, sentence));
        let faults = match other {
            Some(other) => vec![other],
            None if names.known() == 0 && faults.iter().all(|fault| fault.kind == Kind::UnknownColumn) => {
                let reason = format!(
                    "no name of the first row is known ({}): it must hold names such as username, emails, importIds, or \
                     be mapped with --map",
                    shown(&first.cells.iter().collect::<Vec<_>>().join(", "))
                );
                vec![Fault::new(Kind::Header, reason)]
            }
            None => faults,
        };
        faults.into_iter().map(fatal).collect::<Vec<_>>()
    })?;
    let rows: Rows = if headerless.is_some() { Box::new(iter::once(Ok(first)).chain(rows)) } else { rows };
    Ok(Opened { records: Records::Rows { rows, columns }, mapping, findings, first: Vec::new() })
}

/// A user name, an address, and perhaps a name.
fn is_like_users_csv(cells: &StringRecord) -> bool {
    let cell = |index| cells.get(index).map(trimmed).unwrap_or_default();
    (2..=3).contains(&cells.len()) && cell(1).contains('@') && !cell(0).contains('@')
}

fn open_objects(mut objects: Objects, options: &Options, usual: Option<From>) -> Result<Opened, Vec<Problem>> {
    let mut first = Vec::new();
    let mut preset = options.from.or(usual).and_then(|from| preset_of(from, |preset| preset.headerless.is_none()));
    let from = options.from.or(usual);
    if let Some(piece) = objects.next() {
        if let Ok(Piece { line, object: Ok(object) }) = &piece {
            let names = Names::new(object.names());
            if from.is_none() {
                preset = names.preset();
                let is_steered = options.ignores_unknown || !options.assignments.mapped.is_empty();
                let other = if is_bulk_line(object) { Some(MATTERMOST) } else { names.other() };
                if let (Some(other), None, false) = (other, preset, is_steered) {
                    return Err(vec![Problem::fatal(*line, Fault::new(Kind::OtherFile, other))]);
                }
            }
        }
        first.push(piece);
    }
    let from = preset.map(|preset| preset.from);
    Ok(Opened {
        records: Records::Objects {
            objects,
            is_bulk: from == Some(From::Mattermost),
            is_directory: from == Some(From::Ldap),
        },
        mapping: Mapping::new(options, preset),
        findings: findings_of(preset),
        first,
    })
}

/// Rocket.Chat's users.csv, also with a header, as in the list of those that were left out.
fn without_header() -> Option<&'static Preset> {
    preset_of(From::Rocketchat, |preset| preset.headerless.is_some())
}

fn preset_of(from: From, fits: impl Fn(&Preset) -> bool) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.from == from && fits(preset))
}

fn findings_of(preset: Option<&'static Preset>) -> Findings {
    Findings {
        from: preset.map(|preset| preset.from.name()),
        title: preset.map(|preset| preset.title),
        ..Findings::default()
    }
}

fn text_member(object: &Object, name: &str) -> Option<String> {
    object.get(name).and_then(|value| serde_json::from_str(value.get()).ok())
}

/// Whether the object names its own type, and has what it is as a member of that name: `{"type":"user","user":{}}`.
fn is_bulk_line(object: &Object) -> bool {
    let member = text_member(object, "type").and_then(|kind| object.get(&kind).map(|member| member.get().to_owned()));
    member.is_some_and(|member| !member.starts_with('"'))
}

/// The type of a record that is no user.
fn kind_of_no_user(object: &Object, is_bulk: bool, is_directory: bool) -> Option<String> {
    if is_bulk {
        let kind = text_member(object, "type")?;
        return (kind != "user").then_some(kind);
    }
    if !is_directory {
        return None;
    }
    let (_, classes) = object.0.iter().find(|(name, _)| name.eq_ignore_ascii_case("objectClass"))?;
    let classes: Vec<String> = serde_json::from_str(classes.get())
        .or_else(|_| serde_json::from_str::<String>(classes.get()).map(|class| vec![class]))
        .unwrap_or_default();
    let has = |wanted: &[&str]| classes.iter().any(|class| wanted.contains(&class.to_ascii_lowercase().as_str()));
    (!has(&PEOPLE) || has(&MACHINES)).then(|| classes.last().cloned().unwrap_or_default())
}
