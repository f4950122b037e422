// The importer of a file, by a look at it.

const END_BYTES = 4 * 1024 * 1024;
const BEGINNING_BYTES = 64 * 1024;
// Parts of a zip archive, by PKWARE's APPNOTE.TXT, sections 4.3.12 and 4.3.16.
const HEADER_SIGNATURE = 'PK\x01\x02';
const HEADER_BYTES = 46;
const NAME_LENGTH_AT = 28;
const END_SIGNATURE = 'PK\x05\x06';
const DIRECTORY_LENGTH_AT = 12;

/** Returns the key of the importer that reads the file; `null` where the file does not show it. */
export async function guessImporter(file) {
  const beginning = textOf(await bytesOf(file.slice(0, BEGINNING_BYTES)));
  if (beginning.startsWith('PK')) {
    // The names of all entries stand at the end of an archive.
    return importerOfArchive(namesIn(await bytesOf(file.slice(Math.max(0, file.size - END_BYTES)))));
  }
  if (/\.(jsonl|ndjson|gz)$/i.test(file.name) || beginning.includes('"dataType"')) return 'records';
  const columns = beginning.split('\n', 1)[0].toLowerCase();
  if (columns.includes('username') && columns.includes('email')) return 'slack-users';
  if (columns.includes('name') && (columns.includes('emails') || columns.includes('phones'))) return 'omnichannel_contact';
  return null;
}

function importerOfArchive(names) {
  // Files that an archive carries for its messages say nothing of its importer.
  const own = names.filter((name) => !/(^|[/\\])(__uploads|attachments)[/\\]/.test(name));
  const has = (pattern) => own.some((name) => pattern.test(name));
  // Of very large exports only days are seen.
  if (has(/(^|[/\\])((org_)?users|channels|groups|mpims|dms|\d{4}-\d{2}-\d{2})\.json$/)) return 'slack';
  if (has(/(^|[/\\])(users|channels|contacts)\.csv$|[/\\].*\.csv$/)) return 'csv';
  if (has(/\.(jsonl|ndjson)$/)) return 'records';
  return null;
}

/** The names, in lower case, of the entries whose headers are among the last bytes of an archive. */
function namesIn(bytes) {
  const text = textOf(bytes);
  const end = text.lastIndexOf(END_SIGNATURE);
  const length = numberAt(bytes, end + DIRECTORY_LENGTH_AT, 4);
  // An entry before the directory may be an archive of its own.
  const start = Math.max(0, end - length);
  const names = [];
  let at = text.indexOf(HEADER_SIGNATURE, start);
  while (at >= 0 && at < end) {
    const name = at + HEADER_BYTES;
    const nameEnd = name + numberAt(bytes, at + NAME_LENGTH_AT, 2);
    names.push(text.slice(name, nameEnd).toLowerCase());
    at = text.indexOf(HEADER_SIGNATURE, nameEnd);
  }
  return names;
}

function numberAt(bytes, at, length) {
  let number = 0;
  for (let index = length - 1; index >= 0; index -= 1) number = number * 256 + (bytes[at + index] ?? 0);
  return number;
}

async function bytesOf(blob) {
  return new Uint8Array(await blob.arrayBuffer());
}

/** One character a byte. */
function textOf(bytes) {
  return new TextDecoder('latin1').decode(bytes);
}
