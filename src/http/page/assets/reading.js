// How a file of users is read: the fields beside it, and sentences about flags of the command line in the words of the page.

import { byId } from './dom.js';

// The parameters of `import.check`, and the fields that hold them.
const FIELDS = {
  from: 'users-from',
  map: 'users-columns',
  constant: 'users-constants',
  sheet: 'users-sheet',
  encoding: 'users-encoding',
  ignoreUnknown: 'users-ignore-unknown',
  importIdFrom: 'users-import-id-from',
};

/** The fields, to be watched and disabled. */
export const READING_FIELDS = Object.values(FIELDS);

// Flags with what stands round them, where the name of the field alone would read badly.
const PHRASES = [
  [/give --from ([a-z-]+)/g, (_, from) => `choose ${sourceOf(from)} under ${named('from')}`],
  [/\(--from ([a-z-]+)\)/g, (_, from) => `(${named('from')}: ${sourceOf(from)})`],
  [/give another --encoding/g, () => `write another one under ${named('encoding')}`],
  [/give --encoding ([\w-]+)/g, (_, encoding) => `write ${encoding} under ${named('encoding')}`],
  [/give --map '([^']*)'/g, (_, line) => `write ${line} under ${named('map')}`],
  [/with --map '([^']*)'/g, (_, line) => `by writing ${line} under ${named('map')}`],
  [/give --map and/g, () => `use ${named('map')} and`],
  [/give --map/g, () => `say under ${named('map')} which field it is`],
  [/with --map/g, () => `under ${named('map')}`],
  [/and --ignore-unknown/g, () => `and tick ${named('ignoreUnknown')}`],
  [/leave such columns out with --ignore-unknown/g, () => `tick ${named('ignoreUnknown')}`],
  [/--import-id-from( username or email)?/g, () => `choose one under ${named('importIdFrom')}`],
  [/with --on-username-taken suffix/g, () => `by ticking ${labelOf('users-username-suffix')}`],
  [/leave --sheet away/g, () => `leave ${named('sheet')} empty`],
  [/--([a-z-]+)/g, (flag, name) => named(parameterOf(name)) ?? flag],
];

/** The parameters for which something is chosen or written, each with its value. A line of a field is one of its own. */
export function readingParameters() {
  return Object.entries(FIELDS).flatMap(([parameter, id]) => {
    const field = byId(id);
    if (field.type === 'checkbox') return field.checked ? [[parameter, 'true']] : [];
    const values = field.type === 'textarea' ? field.value.split('\n') : [field.value];
    return values.map((value) => value.trim()).filter((value) => value !== '').map((value) => [parameter, value]);
  });
}

/** The sentence with the names of fields in place of flags and parameters. What stands in quotation marks is the file's own. */
export function inWordsOfPage(sentence) {
  const ofParameter = sentence.replace(/^([a-zA-Z]+): /, (whole, name) => (named(name) ? `${named(name)}: ` : whole));
  const pieces = ofParameter.split(/("[^"]*")/);
  return pieces.map((piece, index) => (index % 2 === 1 ? piece : withoutFlags(piece))).join('');
}

function withoutFlags(text) {
  return PHRASES.reduce((words, [flag, phrase]) => words.replace(flag, phrase), text);
}

function parameterOf(flag) {
  return flag.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());
}

/** The label of the field of a parameter; `null` where there is none. */
function named(parameter) {
  return Object.hasOwn(FIELDS, parameter) ? labelOf(FIELDS[parameter]) : null;
}

function labelOf(id) {
  const [label] = byId(id).labels;
  return `“${label.textContent.replace(/\s+/g, ' ').trim()}”`;
}

/** The words of a source in its list. */
function sourceOf(from) {
  const option = [...byId(FIELDS.from).options].find(({ value }) => value === from);
  return `“${option?.textContent.trim() ?? from}”`;
}
