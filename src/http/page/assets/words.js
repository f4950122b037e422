// States, numbers and times as people say them.

const NUMBER = new Intl.NumberFormat('en');
const PERCENT = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

const LOADING_STEP = /^importer_(uploading|downloading_file|file_loaded|preparing_\w+)$/;
const IMPORTING_STEP = /^importer_(importing_\w+|finishing)$/;

/** The states in which an import has ended. */
export const ENDED = ['done', 'error', 'canceled'];

/** What to do about a proxy that takes no large bodies. */
export const RAISE_LIMIT = 'It is quicker with a limit of 50 MB there (nginx: client_max_body_size).';

export const number = (value) => NUMBER.format(value);

/** `percent` from 0 to 100. Never says 100 before the end. */
export function percentage(percent) {
  return PERCENT.format((percent < 100 ? Math.min(percent, 99.9) : 100) / 100);
}

export function users(count) {
  return count === 1 ? '1 user' : `${number(count)} users`;
}

/** Whether the import is that of a file with rooms and messages. */
export function isOfFile(operation) {
  return typeof operation?.importerKey === 'string' && !['api', ''].includes(operation.importerKey);
}

/** Whether the operation fetches the files or the pictures that an import left to be fetched. */
export function isFetching(operation) {
  return ['pending-files', 'pending-avatars'].includes(operation?.importerKey);
}

/** So many records of an import of a file, files or pictures that are fetched, or users. */
export function counted(count, operation) {
  if (isFetching(operation)) {
    const things = thingsOf(operation);
    return count === 1 ? `1 ${things.slice(0, -1)}` : `${number(count)} ${things}`;
  }
  if (!isOfFile(operation)) return users(count);
  return count === 1 ? '1 record' : `${number(count)} records`;
}

/** What became of a record that did not fail. */
export function completedWord(operation) {
  return isFetching(operation) ? 'fetched' : 'imported';
}

/** A number of bytes: `12 B`, `3.4 MB`. */
export function size(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${number(value < 10 && unit > 0 ? Math.round(value * 10) / 10 : Math.round(value))} ${units[unit]}`;
}

/** A span of time: `8 s`, `2 min 5 s`, `1 h 3 min`. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  }
  return `${number(Math.floor(whole / 3600))} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** The number of users a second, with a decimal only where it says something. */
export function rate(usersPerSecond) {
  return number(usersPerSecond < 10 ? Math.round(usersPerSecond * 10) / 10 : Math.round(usersPerSecond));
}

/** A stored date: ISO text, or a number in very old records. */
export function moment(stored) {
  const date = new Date(stored ?? NaN);
  return Number.isNaN(date.getTime()) ? 'unknown' : MOMENT.format(date);
}

/** The numbers in an operation; what is not there reads 0. */
export function countsOf(operation) {
  const count = operation?.count ?? {};
  const of = (name) => (Number.isFinite(count[name]) ? count[name] : 0);
  return { completed: of('completed'), failed: of('error'), total: of('total') };
}

/** The state of an operation, by the rule behind `import.status`. */
export function stateOf({ status, valid }) {
  if (status === 'importer_done') return 'done';
  if (!valid) return 'error';
  if (status === 'importer_new') return 'new';
  if (status === 'importer_user_selection') return 'ready';
  if (status === 'importer_import_failed') return 'error';
  if (status === 'importer_import_cancelled') return 'canceled';
  if (LOADING_STEP.test(status)) return 'loading';
  if (IMPORTING_STEP.test(status)) return 'importing';
  return undefined;
}

/** Why the server ended the import, in its own sentence; `null` if it gave none. */
export function problemOf(operation) {
  const problem = operation?.import?.problem;
  return typeof problem === 'string' && problem !== '' ? problem : null;
}

/** For how long nothing has moved, who runs the import and what to do, in sentences; `null` while it moves. */
export function stalledOf(operation) {
  const words = operation?.import?.stalled?.words;
  return typeof words === 'string' && words !== '' ? words : null;
}

function thingsOf(operation) {
  return operation.importerKey === 'pending-files' ? 'files' : 'pictures';
}

function describeFetching(state, counts, operation) {
  const things = thingsOf(operation);
  if (state !== 'done') {
    const detail = `The ${things} that the import left are being fetched. It goes on when you close this page.`;
    return { title: 'Fetching', tone: 'info', detail };
  }
  const fetched = `${counted(counts.completed, operation)} fetched`;
  return counts.failed > 0
    ? {
      title: 'Done, with failures',
      tone: 'warning',
      detail: `${fetched}; ${number(counts.failed)} could not be. The receipt names each with its reason.`,
    }
    : { title: 'Done', tone: 'success', detail: `${fetched}, none failed.` };
}

/** What to call a state, in what tone, and what it means for whoever looks at it. */
export function describe(state, counts, problem = null, operation = null) {
  const ofFile = isOfFile(operation);
  const stays = ofFile ? `What was ${completedWord(operation)} until then stays.` : 'Accounts made until then stay.';
  const stalled = stalledOf(operation);
  if (stalled !== null) {
    return { title: 'Not moving', tone: 'warning', detail: stalled };
  }
  if (isFetching(operation) && ['new', 'loading', 'ready', 'importing', 'done'].includes(state)) {
    return describeFetching(state, counts, operation);
  }
  switch (state) {
    case 'none':
      return { title: 'No import yet', tone: '', detail: 'Nobody has started an import here. Choose a file below.' };
    case 'new':
      return {
        title: 'New',
        tone: 'info',
        detail: `The import is waiting for its ${ofFile ? 'file' : 'users'}. Nothing is staged yet.`,
      };
    case 'loading':
      return {
        title: 'Loading',
        tone: 'info',
        detail: counts.total > 0
          ? `The file is being read: ${counted(counts.total, operation)} so far.`
          : 'The file is being read.',
      };
    case 'ready':
      return {
        title: 'Ready',
        tone: 'warning',
        detail: ofFile
          ? `${counted(counts.total, operation)} loaded. Nothing changes in the workspace before you start the import.`
          : `${users(counts.total)} staged. No account is made before you run the import.`,
      };
    case 'importing':
      return {
        title: 'Importing',
        tone: 'info',
        detail: `${ofFile ? 'People, rooms and messages' : 'Accounts'} are being made. The import goes on when you close this page.`,
      };
    case 'done':
      return counts.failed > 0
        ? {
          title: 'Done, with failures',
          tone: 'warning',
          detail: `${counted(counts.completed, operation)} imported; ${number(counts.failed)} could not be. The reasons are below.`,
        }
        : { title: 'Done', tone: 'success', detail: `${counted(counts.completed, operation)} imported, none failed.` };
    case 'error':
      return {
        title: 'Stopped',
        tone: 'danger',
        detail: problem === null
          ? 'The import ended before it was finished: it was cleared, replaced by a newer one, cut off by a restart '
            + `of Rocket.Chat, or it met an error. ${stays}`
          : `${problem} ${stays}`,
      };
    case 'canceled':
      return {
        title: 'Canceled',
        tone: 'danger',
        detail: `An administrator stopped the import. ${stays}`,
      };
    default:
      return { title: 'Unknown', tone: '', detail: 'The import is at a step that this page does not know.' };
  }
}
