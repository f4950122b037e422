// A file of users, checked and read by the server before anything is staged.

import { ApiError } from './api.js';

// As much as the server takes.
const LARGEST_BYTES = 50 * 1024 * 1024;

/**
 * Has the server check a file. Nothing is stored there.
 *
 * @param {File} file
 * @param {number} kept how many problems, and how many warnings, are kept
 * @param {AbortSignal} signal ends the check
 * @returns {Promise<{ users: object[], problems: object[], warnings: object[], summary: object }>} the users that can
 *   be imported, the first problems and warnings of lines, and the counts of the whole file
 * @throws {ApiError}
 */
export async function checkFile(api, file, kept, signal) {
  if (file.size > LARGEST_BYTES) {
    throw new ApiError('rejected', 'The file is larger than 50 MiB: split it, or use the command line.');
  }
  const response = await api.postFile('import.check', { users: true, name: file.name }, file, signal);
  const checked = { users: [], problems: [], warnings: [], summary: null };
  for await (const line of linesOf(response.body)) {
    const { user, problem, end, error } = JSON.parse(line);
    if (user !== undefined) {
      checked.users.push(user);
    } else if (problem !== undefined) {
      const list = problem.severity === 'warning' ? checked.warnings : checked.problems;
      if (list.length < kept) list.push(problem);
    } else if (end !== undefined) {
      checked.summary = end;
    } else if (error !== undefined) {
      throw new ApiError('rejected', error);
    }
  }
  if (checked.summary === null) {
    throw brokenOff();
  }
  return checked;
}

/** A problem as the command line words it. */
export function wordsOf({ line, reason, importId }) {
  return `line ${line}: ${reason}${importId === undefined ? '' : ` (import id ${importId})`}`;
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

function brokenOff() {
  return new ApiError('offline', 'The answer of the server broke off. Choose the file again.');
}
