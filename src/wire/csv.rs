//! Comma-separated values that are safe to be opened in a spreadsheet program.

use crate::domain::spreadsheet::harmless;

/// Tells such programs that the text is UTF-8.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One row with its line break, every cell in quotation marks.
pub(crate) fn row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(cells.into_iter().map(|cell| harmless(cell).into_owned()));
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::spreadsheet::original;

    #[test]
    fn every_cell_is_quoted_and_no_cell_is_a_formula() {
        assert_eq!(row(["=1+1", "a@b.c;=1+1;x"]), "\"'=1+1\",\"a@b.c;'=1+1;x\"\r\n");
        assert_eq!(row(["a", "", "b \"c\""]), "\"a\",\"\",\"b \"\"c\"\"\"\r\n");
    }

    proptest! {
        #[test]
        fn a_reader_of_csv_gets_the_cells_back(cells in prop::collection::vec("[a=;,'\"\t\r\n ]{0,9}", 1..5)) {
            let row = row(cells.iter().map(String::as_str));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
            let read = reader.records().next().unwrap().unwrap();
            let read: Vec<String> = read.iter().map(|cell| original(cell).into_owned()).collect();
            prop_assert_eq!(read, cells);
        }
    }
}
