// Filling a new import, each user exactly once also when the connection fails on the way.

const BATCH = 500;

/**
 * Makes a new import and stages the users in it. A batch has a key, so it may be sent again when its answer is lost.
 *
 * @param {(sent: number) => void} onProgress called with the number of users that are staged
 * @throws {ApiError} and `error.staged` says how many users are staged all the same
 */
export async function sendUsers(api, users, onProgress) {
  await api.postAgain('import.new');
  for (let staged = 0; staged < users.length; staged += BATCH) {
    onProgress(staged);
    try {
      const batch = { users: users.slice(staged, staged + BATCH) };
      await api.postAgain('import.addUsers', batch, { 'Idempotency-Key': newKey() });
    } catch (error) {
      throw Object.assign(error, { staged });
    }
  }
  onProgress(users.length);
}

/** `crypto.randomUUID` is there on secure pages only. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
