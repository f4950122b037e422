// Comma-separated values, read and written.

const SEPARATORS = [',', ';', '\t'];

// What a spreadsheet program would take for the beginning of a formula.
const FORMULA_START = /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;

/** The file cannot be read any further than this line. */
export class CsvError extends Error {
  constructor(line, message) {
    super(message);
    this.line = line;
  }
}

/** The rows of a file as `{ line, cells }`, with the separator that its first line uses. Empty lines are left out. */
export function readCsv(text) {
  const firstLine = /^[^\r\n]*/.exec(text)[0];
  const used = (separator) => firstLine.split(separator).length;
  const separator = SEPARATORS.reduce((best, next) => (used(next) > used(best) ? next : best));
  const rows = [];
  const pattern = new RegExp(`(?:"([^"]*(?:""[^"]*)*)"|([^"${separator}\\r\\n][^${separator}\\r\\n]*)?)(${separator}|\\r\\n|\\n|\\r|$)`, 'y');
  let line = 1;
  let cells = [];
  let rowLine = 1;
  while (pattern.lastIndex <= text.length) {
    const matched = pattern.exec(text);
    if (matched === null) {
      throw new CsvError(line, 'A quotation mark is missing, or stands where none may be.');
    }
    const [whole, quoted, plain, end] = matched;
    cells.push(quoted === undefined ? plain ?? '' : quoted.replaceAll('""', '"'));
    line += quoted === undefined ? 0 : (quoted.match(/\r\n|\n|\r/g)?.length ?? 0);
    if (end === separator) {
      continue;
    }
    if (cells.length > 1 || cells[0] !== '') {
      rows.push({ line: rowLine, cells });
    }
    cells = [];
    line += 1;
    rowLine = line;
    if (end === '' || (whole === '' && pattern.lastIndex >= text.length)) {
      break;
    }
  }
  return rows;
}

/** The text of a file with these rows, safe to be opened in a spreadsheet program. */
export function writeCsv(rows) {
  // The mark at the beginning tells such programs that the text is UTF-8.
  return `\ufeff${rows.map((cells) => cells.map(writtenCell).join(',')).join('\r\n')}\r\n`;
}

function writtenCell(text) {
  const harmless = FORMULA_START.test(text) ? `'${text}` : text;
  return `"${harmless.replaceAll('"', '""')}"`;
}

/** A cell as it was before {@link writeCsv} made it harmless. */
export function originalText(cell) {
  return cell.startsWith("'") && FORMULA_START.test(cell.slice(1)) ? cell.slice(1) : cell;
}
