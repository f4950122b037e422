// The importer of a file, by a look at it.

const END_BYTES = 4 * 1024 * 1024;
const BEGINNING_BYTES = 64 * 1024;

/** Returns the key of the importer that reads the file; `null` where the file does not show it. */
export async function guessImporter(file) {
  const beginning = await textOf(file.slice(0, BEGINNING_BYTES));
  if (beginning.startsWith('PK')) {
    // The names of all entries stand at the end of an archive.
    return importerOfArchive(await textOf(file.slice(Math.max(0, file.size - END_BYTES))));
  }
  if (/\.(jsonl|ndjson|gz)$/i.test(file.name) || beginning.includes('"dataType"')) return 'records';
  const columns = beginning.split('\n', 1)[0].toLowerCase();
  if (columns.includes('username') && columns.includes('email')) return 'slack-users';
  if (columns.includes('name') && (columns.includes('emails') || columns.includes('phones'))) return 'omnichannel_contact';
  return null;
}

function importerOfArchive(end) {
  // Of very large exports only days are seen.
  if (/(users|channels|groups|dms)\.json|\d{4}-\d{2}-\d{2}\.json/.test(end)) return 'slack';
  if (/(users|channels|contacts)\.csv|directmessages\//.test(end)) return 'csv';
  if (/\.(jsonl|ndjson)/.test(end)) return 'records';
  return null;
}

async function textOf(blob) {
  return new TextDecoder('latin1').decode(await blob.arrayBuffer());
}
