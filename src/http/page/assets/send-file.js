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
  const id = (await begunBefore(api, file, importerKey, sha256)) ?? (await announce(api, file, importerKey, sha256));
  let { offset } = await look(api, id);
  let length = FIRST_PIECE;
  let failures = 0;
  for (;;) {
    onProgress('sent', offset);
    signal.throwIfAborted();
    const begun = performance.now();
    try {
      const query = replace ? { replace: 'true' } : {};
      const headers = { 'Content-Type': PIECE_TYPE, 'Upload-Offset': String(offset) };
      const piece = file.slice(offset, offset + length);
      const told = progressOf(await api.tus('PATCH', `import.upload/${id}`, { query, headers, body: piece, signal }));
      if (told.operation !== null) {
        onProgress('sent', file.size);
        return told.operation;
      }
      offset = told.offset;
      failures = 0;
      const took = performance.now() - begun;
      if (took < QUICK_MS) length = Math.min(length * 2, LARGEST_PIECE);
      if (took > SLOW_MS) length = Math.max(length / 2, SMALLEST_PIECE);
    } catch (error) {
      signal.throwIfAborted();
      failures += 1;
      if (!error.passes || failures > MOST_FAILURES) throw error;
      if (error.kind !== 'in-work') {
        await pauseAfter(error, failures);
      }
      length = Math.max(length / 4, SMALLEST_PIECE);
      const there = await look(api, id);
      if (there.operation !== null) return there.operation;
      if (error.kind === 'in-work') {
        if (there.offset === file.size) throw new InTheWay(error.told);
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

async function announce(api, file, importerKey, sha256) {
  const pairs = Object.entries({ filename: file.name, importerKey, sha256 });
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
