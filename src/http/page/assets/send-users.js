// Filling a new import, each user exactly once also when the connection fails on the way.

import { countsOf } from './words.js';

const BATCH = 500;
const MOST_ATTEMPTS = 6;
const FIRST_RETRY_MS = 1000;

/**
 * Makes a new import and stages the users in it.
 *
 * @param {(sent: number) => void} onProgress called with the number of users that are staged
 * @throws {ApiError} and `error.staged` says how many users are staged all the same
 */
export async function sendUsers(api, users, onProgress) {
  const { operation } = await api.post('import.new');
  let staged = 0;
  let attempts = 0;
  while (staged < users.length) {
    onProgress(staged);
    try {
      await api.post('import.addUsers', { users: users.slice(staged, staged + BATCH) });
      staged = Math.min(staged + BATCH, users.length);
      attempts = 0;
    } catch (error) {
      attempts += 1;
      if (!error.passes || attempts === MOST_ATTEMPTS) {
        throw Object.assign(error, { staged });
      }
      await pause(error.retryAfterMs ?? FIRST_RETRY_MS * 2 ** (attempts - 1));
      // The answer may have been lost on its way, after the users were staged.
      staged = (await stagedIn(api, operation._id)) ?? staged;
    }
  }
  onProgress(staged);
}

/** How many users the import holds by the server's own count; `null` when it cannot say. */
async function stagedIn(api, id) {
  try {
    const { operation } = await api.get('import.status');
    return operation?._id === id ? countsOf(operation).total : null;
  } catch {
    return null;
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
