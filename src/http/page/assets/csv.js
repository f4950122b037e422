// Comma-separated values, written.

// What a spreadsheet program would take for the beginning of a formula, with the marks in front of it. A program that separates
// cells by semicolons or tabs pays no heed to our quotation marks: to it, each of them begins a cell.
const FORMULAS = /(^|[;\t\r\n])([ "]*)('*[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/** The text of a file with these rows, safe to be opened in a spreadsheet program. */
export function writeCsv(rows) {
  // The mark at the beginning tells such programs that the text is UTF-8.
  return `\ufeff${rows.map((cells) => cells.map(writtenCell).join(',')).join('\r\n')}\r\n`;
}

function writtenCell(text) {
  return `"${harmlessText(text).replaceAll('"', '""')}"`;
}

/** The text of a cell with a mark in front of everything that would begin a formula. */
export function harmlessText(text) {
  return text.replace(FORMULAS, "$1$2'$3");
}
