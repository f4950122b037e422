use super::{WrongFile, wrong};
use crate::command_line::workbooks::{ods_of_repeated_cells, xlsx, zip};

const HEADER: &[&str] = &["username", "emails", "importIds"];

fn users(rows: &[&[&str]]) -> Vec<u8> {
    let rows: Vec<&[&str]> = [HEADER].into_iter().chain(rows.iter().copied()).collect();
    xlsx(&[("users", &rows)])
}

pub fn rows() -> Vec<WrongFile> {
    let ann: &[&str] = &["ann", "ann@corp.example", "1"];
    vec![
        wrong(
            "a sheet that is not there",
            users(&[ann]),
            "option",
            "line 1: the workbook has no sheet \"Staff\": it has \"users\", so give --sheet one that is there",
        )
        .with("?sheet=Staff"),
        wrong(
            "an old workbook",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(),
            "other-file",
            "line 1: this is an old Excel workbook (.xls), or one with a password: save it as .xlsx without a password, \
             or as CSV",
        ),
        wrong(
            "a text document",
            zip(&[("[Content_Types].xml", b"x"), ("word/document.xml", b"x")]),
            "other-file",
            "line 1: this is a text document (.docx): save the users as CSV or .xlsx",
        ),
        wrong(
            "an archive",
            zip(&[("people.txt", b"x")]),
            "other-file",
            "line 1: this is a ZIP archive: unpack it and give the file of users that is in it",
        ),
        wrong(
            "an archive for another importer",
            zip(&[("users.csv", b"ann,ann@corp.example"), ("channels.csv", b"general")]),
            "other-file",
            "line 1: this is an archive with a users.csv: unpack it and give that file, or give the archive to the CSV \
             importer",
        ),
        wrong(
            "half a workbook",
            users(&[ann])[..900].to_vec(),
            "unreadable",
            "line 1: the workbook is damaged (invalid Zip archive: Could not find EOCD): open it and save it again, or \
             save it as CSV",
        ),
        wrong(
            "more cells than any memory holds",
            ods_of_repeated_cells(),
            "too-large",
            "line 1: the workbook is too large: it has more than 1000000 cells; save its sheet of users as CSV",
        ),
        wrong(
            "a sheet without a cell",
            xlsx(&[("users", &[])]),
            "other-file",
            "line 1: the sheet is empty: choose the one with the users by --sheet",
        ),
        wrong(
            "a formula that came to nothing",
            users(&[ann, &["bea", "#N/A", "2"]]),
            "damaged-value",
            "line 3: emails \"#N/A\" is the error of a formula: mend the formula, or enter the value (import id 2)",
        ),
        wrong(
            "a workbook that is said to be CSV",
            users(&[ann]),
            "other-file",
            "line 1: this is a workbook: leave --format away",
        )
        .with("?format=csv"),
    ]
}
