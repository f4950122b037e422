// A file of users, checked and read by the server before anything is staged.

import { ApiError } from './api.js';
import { isTooLargeForProxy, withUpload } from './send-file.js';
import { RAISE_LIMIT, size } from './words.js';

// As much as the server takes.
const LARGEST_BYTES = 50 * 1024 * 1024;

/**
 * Has the server check a file, and say what a run would do with each of its users. Nothing stays stored there. A file that
 * a proxy does not let through as a whole is sent in pieces.
 *
 * @param {File} file
 * @param {[string, string][]} choices the rules for people who have an account and for user names that are taken, and how the file is read
 * @param {number} kept how many problems, how many that would fail, and how many warnings are kept
 * @param {(bytes: number) => void} onSent called while the file is sent in pieces
 * @param {AbortSignal} signal ends the check
 * @returns {Promise<{ users: object[], problems: object[], failing: object[], warnings: object[], rejects: string, summary: object }>}
 *   the users that a run has something to do with, the first problems, failures to come and warnings, the bad lines as the text of a
 *   file, and the counts of the whole file, in which `warned` are the warnings of the workspace
 * @throws {ApiError}
 */
export async function checkFile(api, file, choices, kept, onSent, signal) {
  if (file.size > LARGEST_BYTES) {
    throw new ApiError('rejected', 'The file is larger than 50 MiB: split it, or use the command line.');
  }
  const query = [['users', 'true'], ['rejects', 'true'], ['workspace', 'true'], ['name', file.name], ...choices];
  try {
    return await readChecked(await api.postFile('import.check', query, file, signal), kept);
  } catch (error) {
    if (!isTooLargeForProxy(error)) throw error;
  }
  const check = async (upload) => (
    readChecked(await api.postFile('import.check', [...query, ['upload', upload]], null, signal), kept)
  );
  const checked = await withUpload(api, file, onSent, signal, check).catch((error) => {
    throw isTooLargeForProxy(error) ? tooLarge(file) : error;
  });
  checked.summary.remarks.push(`A proxy before the server takes no file of ${size(file.size)} at once, so it was sent in pieces. ${RAISE_LIMIT}`);
  return checked;
}

async function readChecked(response, kept) {
  const checked = { users: [], problems: [], failing: [], warnings: [], rejects: '', summary: null };
  const keep = (list, found) => {
    if (list.length < kept) list.push(found);
  };
  let last = null;
  let warned = 0;
  for await (const line of linesOf(response.body)) {
    const { user, line: lineOfUser, record, problem, rejects, end, error } = JSON.parse(line);
    if (user !== undefined) {
      // The list of failed users says it.
      last = { ...user, line: lineOfUser };
    } else if (record !== undefined) {
      const { line: place, importIds: [importId], reason } = record;
      if (record.outcome === 'refused') keep(checked.problems, { line: place, importId, reason });
      else if (record.outcome !== 'same') checked.users.push(last);
      if (record.outcome === 'failed') keep(checked.failing, { line: place, importId, reason });
      const said = [...record.twins ?? [], ...(record.warnings ?? []).map((warning) => warning.reason)];
      for (const warning of record.outcome === 'refused' ? [] : said) {
        warned += 1;
        keep(checked.warnings, { line: place, importId, reason: warning });
      }
    } else if (problem !== undefined) {
      keep(problem.severity === 'warning' ? checked.warnings : checked.problems, problem);
    } else if (rejects !== undefined) {
      checked.rejects += rejects;
    } else if (end !== undefined) {
      checked.summary = { ...end, warned };
    } else if (error !== undefined) {
      throw new ApiError('rejected', error);
    }
  }
  if (checked.summary === null) {
    throw brokenOff();
  }
  return checked;
}

/** A problem as the command line words it. That of a setting has no line. */
export function wordsOf({ line, reason, importId }) {
  const place = line === undefined ? '' : `line ${line}: `;
  return `${place}${reason}${importId === undefined ? '' : ` (import id ${importId})`}`;
}

async function* linesOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw brokenOff();
    });
    if (done) {
      return;
    }
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    yield* lines;
  }
}

/** A proxy before the server lets no piece of the file through. */
function tooLarge(file) {
  return new ApiError('rejected',
    `A proxy before the server takes no file of ${size(file.size)}, and no piece of it. Raise its limit to 50 MB (with nginx: client_max_body_size), or use the `
    + 'command line, which sends in parts. Or split the file: each part needs the line of column names.');
}

function brokenOff() {
  return new ApiError('offline', 'The answer of the server broke off. Choose the file again.');
}
