// A file on its way to the server: in pieces, and on from where it was.

import { ApiError, pause } from './api.js';
import { Sha256 } from './sha256.js';

const HASHED_BYTES = 1024 * 1024;
const FIRST_PIECE = 512 * 1024;
const SMALLEST_PIECE = 64 * 1024;
const LARGEST_PIECE = 8 * 1024 * 1024;
// Pieces that take less than the first get larger, and those that take more than the second smaller.
const QUICK_MS = 700;
const SLOW_MS = 4000;
const MOST_FAILURES = 12;
const LONGEST_PAUSE_MS = 10_000;

const PIECE_TYPE = 'application/offset+octet-stream';

/** An import is in the way of the file, whose bytes are all there. */
export class InTheWay extends Error {}

/**
 * Sends a file until an import is begun with it.
 *
 * @param {{ importerKey: string, replace: boolean }} wanted
 * @param {(step: 'checked' | 'sent', bytes: number) => void} onProgress
 * @param {AbortSignal} signal stops it; what was sent stays for another try
 * @returns {Promise<string>} the `_id` of the operation
 */
export async function sendFile(api, file, { importerKey, replace }, onProgress, signal) {
  const sha256 = await hashOf(file, (bytes) => onProgress('checked', bytes), signal);
  const id = (await begunBefore(api, file, importerKey, sha256)) ?? (await announce(api, file, { importerKey, sha256 }));
  return sendPieces(api, file, { id, begins: true, replace }, (bytes) => onProgress('sent', bytes), signal);
}

/**
 * Sends a file for a check, and removes it from the server once `check` is over, however that ends.
 *
 * @param {(bytes: number) => void} onProgress
 * @param {AbortSignal} signal stops it
 * @param {(id: string) => Promise<T>} check has the upload of this id checked
 * @returns {Promise<T>}
 * @template T
 */
export async function withUpload(api, file, onProgress, signal, check) {
  const sha256 = await hashOf(file, () => {}, signal);
  const id = await announce(api, file, { purpose: 'check', sha256 });
  try {
    await sendPieces(api, file, { id, begins: false, replace: false }, onProgress, signal);
    return await check(id);
  } finally {
    // What stays is removed within an hour.
    await api.tus('DELETE', `import.upload/${id}`, {}).catch(() => {});
  }
}

/** Whether a proxy before the server has refused a body as too large. */
export function isTooLargeForProxy(error) {
  return error.kind === 'too-large' && error.told === '';
}

/** Sends what is missing of an upload. Returns the `_id` of the operation with it; `null` where it begins none. */
async function sendPieces(api, file, { id, begins, replace }, onProgress, signal) {
  let { offset } = await look(api, id);
  let length = FIRST_PIECE;
  let largest = LARGEST_PIECE;
  let failures = 0;
  for (;;) {
    onProgress(offset);
    signal.throwIfAborted();
    const begun = performance.now();
    const piece = file.slice(offset, offset + length);
    try {
      const query = replace ? { replace: 'true' } : {};
      const headers = { 'Content-Type': PIECE_TYPE, 'Upload-Offset': String(offset) };
      const told = progressOf(await api.tus('PATCH', `import.upload/${id}`, { query, headers, body: piece, signal }));
      offset = told.offset;
      if (offset === file.size) {
        onProgress(offset);
        return told.operation;
      }
      failures = 0;
      const took = performance.now() - begun;
      if (took < QUICK_MS) length = Math.min(length * 2, largest);
      if (took > SLOW_MS) length = Math.max(length / 2, SMALLEST_PIECE);
    } catch (error) {
      signal.throwIfAborted();
      if (isTooLargeForProxy(error) && piece.size > SMALLEST_PIECE) {
        largest = Math.max(Math.ceil(piece.size / 2), SMALLEST_PIECE);
        length = largest;
        continue;
      }
      failures += 1;
      if (!error.passes || failures > MOST_FAILURES) throw error;
      if (error.kind !== 'in-work') {
        await pauseAfter(error, failures);
      }
      length = Math.max(length / 4, SMALLEST_PIECE);
      const there = await look(api, id);
      if (there.operation !== null) return there.operation;
      if (error.kind === 'in-work') {
        if (begins && there.offset === file.size) throw new InTheWay(error.told);
        await pause(500);
      }
      offset = there.offset;
    }
  }
}

async function hashOf(file, onProgress, signal) {
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += HASHED_BYTES) {
    signal.throwIfAborted();
    onProgress(at);
    const piece = await file.slice(at, at + HASHED_BYTES).arrayBuffer().catch(() => {
      throw new ApiError('rejected', 'The file cannot be read: it was changed or is gone. Choose it again.');
    });
    hash.update(new Uint8Array(piece));
  }
  return hash.digest();
}

/** The upload that an earlier try has left; one whose import is over is passed over. */
async function begunBefore(api, file, importerKey, sha256) {
  const { uploads } = await api.get('import.upload');
  for (const upload of uploads) {
    if (upload.size !== file.size || upload.importerKey !== importerKey || upload.sha256 !== sha256) continue;
    const { operation } = await look(api, upload.id);
    if (operation === null) return upload.id;
    const status = await api.get('import.status');
    const { _id: newest, import: own } = status.operation ?? {};
    const isIt = newest === operation || own?.records === operation;
    if (isIt && ['loading', 'ready', 'importing'].includes(status.state)) return upload.id;
  }
  return null;
}

/** @param {{ importerKey: string } | { purpose: string }} wanted, and the `sha256` */
async function announce(api, file, wanted) {
  const pairs = Object.entries({ filename: file.name, ...wanted });
  const metadata = pairs.map(([key, value]) => `${key} ${base64(value)}`).join(',');
  const headers = { 'Upload-Length': String(file.size), 'Upload-Metadata': metadata };
  const response = await api.tus('POST', 'import.upload', { headers });
  return response.headers.get('Location').split('/').pop();
}

async function look(api, id) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return progressOf(await api.tus('HEAD', `import.upload/${id}`, {}));
    } catch (error) {
      if (!error.passes || attempt === MOST_FAILURES) throw error;
      await pauseAfter(error, attempt);
    }
  }
}

function pauseAfter(error, attempt) {
  return pause(error.retryAfterMs ?? Math.min(500 * 2 ** attempt, LONGEST_PAUSE_MS));
}

function progressOf(response) {
  return { offset: Number(response.headers.get('Upload-Offset')), operation: response.headers.get('Import-Operation') };
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
