// Filling a new import, each user exactly once also when the connection fails on the way.

import { ApiError } from './api.js';
import { isTooLargeForProxy } from './send-file.js';

const BATCH = 500;

/**
 * Makes a new import and stages the users in it. A batch has a key, so it may be sent again when its answer is lost. A batch that is too large for the way to
 * the server is sent in halves.
 *
 * @param {(sent: number) => void} onProgress called with the number of users that are staged
 * @returns {Promise<boolean>} whether a batch was too large for a proxy
 * @throws {ApiError} and `error.staged` says how many users are staged all the same
 */
export async function sendUsers(api, users, onProgress) {
  await api.postAgain('import.new');
  let most = BATCH;
  let isHalved = false;
  for (let staged = 0; staged < users.length;) {
    onProgress(staged);
    const batch = users.slice(staged, staged + most);
    try {
      await api.postAgain('import.addUsers', { users: batch }, { 'Idempotency-Key': newKey() });
      staged += batch.length;
    } catch (error) {
      if (error.kind === 'too-large' && batch.length > 1) {
        most = Math.ceil(batch.length / 2);
        isHalved ||= isTooLargeForProxy(error);
      } else {
        throw Object.assign(error.kind === 'too-large' ? tooLarge(batch[0]) : error, { staged });
      }
    }
  }
  onProgress(users.length);
  return isHalved;
}

/** One user who is too large alone. */
function tooLarge({ username, emails, importIds }) {
  const name = [username, emails?.[0], importIds?.[0]].find((text) => text) ?? '';
  return new ApiError('rejected',
    `The user ${name} alone is larger than the server, or a proxy before it, takes. Raise its limit (with nginx: client_max_body_size).`);
}

/** `crypto.randomUUID` is there on secure pages only. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
