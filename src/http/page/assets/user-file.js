// A file of users, read and checked line by line before anything is sent.

import { CsvError, originalText, readCsv } from './csv.js';
import { linesOf } from './json-lines.js';

const isText = (value) => typeof value === 'string';
const isTexts = (value) => Array.isArray(value) && value.every(isText);

// What the API takes, and how a cell of a CSV file becomes it.
const FIELDS = {
  importIds: { is: isTexts, words: 'a list of texts', needed: true, read: listOf },
  emails: { is: isTexts, words: 'a list of texts', needed: true, read: listOf },
  username: { is: isText, words: 'a text', read: (cell) => cell },
  name: { is: isText, words: 'a text', read: (cell) => cell },
  password: { is: isText, words: 'a text', read: (cell) => cell },
  roles: { is: isTexts, words: 'a list of texts', read: listOf },
  type: { is: isText, words: 'a text', read: (cell) => cell },
  bio: { is: isText, words: 'a text', read: (cell) => cell },
  statusText: { is: isText, words: 'a text', read: (cell) => cell },
  avatarUrl: { is: isText, words: 'a text', read: (cell) => cell },
  utcOffset: { is: Number.isFinite, words: 'a number', read: numberOf },
  deleted: { is: (value) => typeof value === 'boolean', words: 'true or false', read: yesOrNo },
};

// Other ways to write a column's name, beside letter case.
const ALIASES = { importid: 'importIds', email: 'emails', role: 'roles' };
// The list of failed users has it, and may be mended and sent again.
const IGNORED_COLUMNS = ['errors'];

/**
 * Reads the users out of a file.
 *
 * @param {File} file
 * @returns {Promise<{ users: object[], problems: { where: string, what: string }[] }>} nothing may be sent when there
 *   is a problem
 */
export async function readUserFile(file) {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    return { users: [], problems: [{ where: 'File', what: 'It cannot be read as UTF-8 text.' }] };
  }
  return readUsers(file.name, text);
}

/** The same for a file whose text is at hand. */
export function readUsers(name, text) {
  const problems = [];
  const report = (where, what) => problems.push({ where, what });
  const entries = isJson(name, text) ? entriesOfJson(text, report) : entriesOfCsv(text, report);
  for (const { where, user } of entries) {
    for (const what of problemsOf(user)) {
      report(where, what);
    }
  }
  findDoubles(entries, report);
  const users = entries.map(({ user }) => user);
  if (users.length === 0 && problems.length === 0) {
    report('File', 'There is no user in it.');
  }
  problems.sort((one, other) => lineIn(one.where) - lineIn(other.where));
  return { users, problems };
}

function lineIn(where) {
  return Number(/^Line (\d+)/.exec(where)?.[1] ?? 0);
}

function isJson(name, text) {
  const ending = /\.(\w+)$/.exec(name)?.[1].toLowerCase();
  return ['json', 'jsonl', 'ndjson'].includes(ending) || (ending !== 'csv' && /^\s*[[{]/.test(text));
}

// JSON

function entriesOfJson(text, report) {
  if (/^\s*\[/.test(text)) {
    return entriesOfArray(text, (body) => body, 1, report);
  }
  const lines = text.split(/\r\n|\n|\r/).map((content, index) => ({ content, where: `Line ${index + 1}` }))
    .filter(({ content }) => content.trim() !== '');
  if (lines.length > 1 && lines.every(({ content }) => /^\s*\{.*\}\s*$/.test(content))) {
    return entriesOfLines(lines, report);
  }
  // One line alone may be one user or a whole body of the API.
  const isBody = /^\s*\{\s*"users"\s*:/.test(text);
  if (isBody) {
    return entriesOfArray(text, bodyUsers, 2, report);
  }
  return entriesOfLines(lines, report);
}

function bodyUsers(body) {
  return Object.keys(body).length === 1 ? body.users : undefined;
}

function entriesOfArray(text, usersIn, depth, report) {
  let users;
  try {
    users = usersIn(JSON.parse(text));
  } catch {
    report(`Line ${linesOf(text, depth).errorLine}`, 'This is not valid JSON.');
    return [];
  }
  if (!Array.isArray(users)) {
    report('File', 'It must hold a list of users, or an object with nothing but "users", which is such a list.');
    return [];
  }
  const { itemLines } = linesOf(text, depth);
  return users.map((user, index) => ({ where: `Line ${itemLines[index]} (user ${index + 1})`, user }));
}

function entriesOfLines(lines, report) {
  const entries = [];
  for (const { content, where } of lines) {
    try {
      entries.push({ where, user: JSON.parse(content) });
    } catch {
      report(where, 'This is not valid JSON.');
    }
  }
  return entries;
}

// CSV

function entriesOfCsv(text, report) {
  let rows;
  try {
    rows = readCsv(text);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    report(`Line ${error.line}`, error.message);
    return [];
  }
  const [head, ...body] = rows;
  const columns = head === undefined ? null : columnsOf(head, report);
  return columns === null ? [] : body.map((row) => ({ where: `Line ${row.line}`, user: userOf(row, columns, report) }));
}

function columnsOf({ line, cells }, report) {
  const where = `Line ${line}`;
  const columns = cells.map(columnNamed);
  const unknown = cells.filter((_, index) => columns[index] === undefined);
  const doubled = columns.filter((column, index) => column && columns.indexOf(column) !== index);
  const missing = Object.keys(FIELDS).filter((field) => FIELDS[field].needed && !columns.includes(field));
  unknown.forEach((name) => report(where, `There is no column "${name}". The first line names the columns.`));
  doubled.forEach((column) => report(where, `The column ${column} is there twice.`));
  missing.forEach((column) => report(where, `The column ${column} is missing.`));
  return unknown.length + doubled.length + missing.length === 0 ? columns : null;
}

function columnNamed(name) {
  const plain = name.trim().toLowerCase();
  return ALIASES[plain] ?? [...Object.keys(FIELDS), ...IGNORED_COLUMNS].find((field) => field.toLowerCase() === plain);
}

function userOf({ line, cells }, columns, report) {
  if (cells.length !== columns.length) {
    report(`Line ${line}`, `There are ${cells.length} values for ${columns.length} columns.`);
  }
  const user = { importIds: [], emails: [] };
  columns.forEach((column, index) => {
    const cell = originalText((cells[index] ?? '').trim());
    if (cell !== '' && !IGNORED_COLUMNS.includes(column)) {
      user[column] = FIELDS[column].read(cell);
    }
  });
  return user;
}

function listOf(cell) {
  return cell.split(';').map((item) => originalText(item.trim())).filter((item) => item !== '');
}

function numberOf(cell) {
  const value = Number(cell);
  return Number.isFinite(value) ? value : cell;
}

function yesOrNo(cell) {
  return { true: true, false: false }[cell.toLowerCase()] ?? cell;
}

// Both

function problemsOf(user) {
  if (typeof user !== 'object' || user === null || Array.isArray(user)) {
    return ['A user must be an object.'];
  }
  const problems = [];
  for (const [field, { is, words, needed }] of Object.entries(FIELDS)) {
    const value = user[field];
    if (value === undefined || value === null) {
      if (needed) problems.push(`${field} is missing.`);
    } else if (!is(value)) {
      problems.push(`${field} must be ${words}.`);
    } else if (needed && !value.some((text) => text !== '')) {
      problems.push(`${field} is empty.`);
    }
  }
  return problems;
}

/** Of two users with one name or address the second cannot be imported. */
function findDoubles(entries, report) {
  const seen = new Map();
  const look = (where, kind, value) => {
    const key = `${kind} ${value}`;
    const first = seen.get(key);
    if (first === undefined) {
      seen.set(key, where);
    } else if (first !== where) {
      report(where, `The ${kind} ${value} stands on ${first[0].toLowerCase()}${first.slice(1)} already.`);
    }
  };
  for (const { where, user } of entries) {
    if (isText(user?.username) && user.username !== '') {
      look(where, 'username', user.username);
    }
    for (const email of isTexts(user?.emails) ? user.emails : []) {
      if (email !== '') look(where, 'e-mail address', email);
    }
  }
}
