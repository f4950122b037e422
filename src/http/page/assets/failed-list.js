// Failed users as a file of users: what the reader of such files takes again once it is mended.

import { writeCsv } from './csv.js';

// The columns that are always there, in the order of the list. The reader passes the last two over.
const FIRST = ['importIds', 'emails', 'username', 'name', 'roles'];
const LAST = ['line', 'errors'];
// The columns that are there once a user has them.
const MORE = ['requirePasswordChange', 'type', 'deleted', 'utcOffset', 'bio', 'statusText', 'channels', 'avatarUrl', 'customFields'];

// What the reader takes for the end of a value of a list.
const SEPARATORS = { importIds: /;/, emails: /[;,|\n]/, roles: /[;,|\n]/, channels: /[;,|\n]/ };

/** The text of a CSV file of these failed users. */
export function listOfFailed(failed) {
  const rows = failed.map(rowOf);
  const columns = [...FIRST, ...MORE.filter((name) => rows.some((row) => row[name])), ...LAST];
  return writeCsv([columns, ...rows.map((row) => columns.map((name) => row[name] ?? ''))]);
}

/** The cells of a user by their columns. A value that would not be read as it is has no cell, and is named beside the reasons. */
function rowOf(failed) {
  const { line, errors, user, leftOut = [] } = failed;
  const row = {};
  const missing = [];
  for (const name of [...FIRST, ...MORE]) {
    const cell = leftOut.includes(name) ? null : cellOf(name, (user ?? failed)[name]);
    if (cell === null) missing.push(name);
    else row[name] = cell;
  }
  const remarks = [];
  if (missing.length > 0) remarks.push(`Not in this list, as a cell cannot hold it: ${missing.join(', ')}. Take it from the source.`);
  if (failed.type === 'user' && user === undefined) remarks.push('No longer staged, so this list has a part of the values only.');
  return { ...row, line: String(line ?? ''), errors: [...errors, ...remarks].join(' ') };
}

/** The text of a value in a cell; `null` for one that a cell cannot hold. */
function cellOf(name, value) {
  if (value === undefined || value === null || value === '') return '';
  if (name === 'customFields') return isObject(value) ? JSON.stringify(value) : null;
  if (Object.hasOwn(SEPARATORS, name)) {
    const isWhole = Array.isArray(value) && value.every((text) => typeof text === 'string' && !SEPARATORS[name].test(text));
    return isWhole ? value.join(';') : null;
  }
  return typeof value === 'object' ? null : String(value);
}

function isObject(value) {
  return typeof value === 'object' && !Array.isArray(value);
}
