//! The opening of a file: its format, where it comes from, and what its columns or keys stand for.

use std::iter;

use csv::StringRecord;

use super::{
    findings::Findings,
    format::{delimiter_of, format_of, given_delimiter},
    input::{Source, head_of, text_of, unreadable},
    mapping::{Columns, Mapping},
    names::Names,
    object::{Ldif, Lines, Objects, Piece, Values},
    options::{Format, Options},
    presets::{MATTERMOST, PRESETS, Preset},
    problem::{Fault, Kind, Problem, trimmed},
    record_kind::{is_bulk_line, sentence_about_keyed_users},
    source::From,
    table::{Delimited, Rows, Workbook, WorkbookKind},
};
use crate::domain::shown_value::shown;

/// Objects that are read to find one that is whole.
const LOOKED_AT: usize = 100;

/// What a file consists of.
pub(super) enum Records {
    Rows { rows: Rows, columns: Columns },
    Objects { objects: Objects, is_bulk: bool, is_directory: bool },
    Over,
}

/// A file that is opened.
pub(super) struct Opened {
    pub(super) records: Records,
    pub(super) mapping: Mapping,
    pub(super) findings: Findings,
    /// Of the first lines, which were read to see where the file comes from.
    pub(super) first: Vec<Result<Piece, Problem>>,
}

fn fatal(kind: Kind, reason: impl Into<String>) -> Vec<Problem> {
    vec![Problem::fatal(1, Fault::new(kind, reason))]
}

/// Opens a source. `name` is the file's name, if it has one.
///
/// # Errors
/// With the problems of the file as a whole.
pub(super) fn open(mut source: impl Source, name: Option<&str>, options: &Options) -> Result<Opened, Vec<Problem>> {
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
    // Broken ones do not show where the others come from.
    while first.len() < LOOKED_AT && !first.iter().any(is_whole) {
        let Some(piece) = objects.next() else { break };
        if let Ok(Piece { line, object: Ok(object) }) = &piece {
            if let Some(sentence) = sentence_about_keyed_users(object) {
                return Err(vec![Problem::fatal(*line, Fault::new(Kind::Value, sentence))]);
            }
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

fn is_whole(piece: &Result<Piece, Problem>) -> bool {
    matches!(piece, Ok(Piece { object: Ok(_), .. }))
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
