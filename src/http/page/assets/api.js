// The API, and what to tell people when it says no.

// Beside this file's folder, wherever a proxy has put the two.
const ROOT = new URL('../api/v1/', import.meta.url);

// Longer than the server takes for its longest answer.
const PATIENCE_MS = 75_000;

const MOST_ATTEMPTS = 6;
const FIRST_RETRY_MS = 1000;

const WORDS = {
  'error-operation-not-found': 'There is no import to run.',
  'error-invalid-operation-status': 'The import is not ready to run. Somebody may have started or cleared it just now.',
  'error-importer-not-defined': 'This import was filled by an importer that is not known here. Rocket.Chat can run it.',
};

/**
 * Why a request had no success. `told` is the server's own sentence. `kind` is one of: `not-signed-in`, `forbidden`, `too-many`, `too-large`, `unavailable`,
 * `rejected`, `offline`, `in-work` (the same request was not finished yet), `missing` (the server has no such endpoint), `closed` (the user has signed out meanwhile).
 */
export class ApiError extends Error {
  constructor(kind, message, retryAfterMs = null, told = '') {
    super(message);
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
    this.told = told;
  }

  /** Whether the same request may succeed a little later. */
  get passes() {
    return ['too-many', 'unavailable', 'offline', 'in-work'].includes(this.kind);
  }
}

/** The API as one user. */
export class Api {
  #credentials;
  #closing = new AbortController();

  constructor(credentials) {
    this.#credentials = credentials;
  }

  get userId() {
    return this.#credentials.userId;
  }

  /** Ends whatever is under way. */
  close() {
    this.#closing.abort();
  }

  get isClosed() {
    return this.#closing.signal.aborted;
  }

  async get(endpoint, query = {}) {
    return this.#json('GET', endpoint, query, undefined);
  }

  async post(endpoint, body = {}, headers = {}) {
    return this.#json('POST', endpoint, {}, JSON.stringify(body), headers);
  }

  /** The same for what may be sent twice and is done once: sent again while the trouble is one that passes. */
  async postAgain(endpoint, body = {}, headers = {}) {
    return again(() => this.post(endpoint, body, headers));
  }

  /** Sends a file, again while the trouble is one that passes. The answer as it comes, until `signal` aborts. */
  async postFile(endpoint, query, file, signal) {
    const headers = { 'Content-Type': 'application/octet-stream' };
    return again(() => this.#send('POST', endpoint, query, file, headers, signal), signal);
  }

  /** A request of a resumable upload. The answer, whose headers say how far it is. */
  async tus(method, endpoint, { query = {}, headers = {}, body, signal = this.#closing.signal }) {
    return this.#send(method, endpoint, query, body, { 'Tus-Resumable': '1.0.0', ...headers }, signal);
  }

  /** The answer as it comes, for reading it piece by piece until `signal` aborts. */
  async open(endpoint, headers, signal) {
    return this.#send('GET', endpoint, {}, undefined, headers, signal);
  }

  /** The answer as a file, however long it takes to come. */
  async file(endpoint, query) {
    const response = await this.#send('GET', endpoint, query, undefined, {}, this.#closing.signal);
    try {
      return await response.blob();
    } catch {
      throw this.#unreachable();
    }
  }

  async #json(method, endpoint, query, body, more = {}) {
    const headers = body === undefined ? more : { ...more, 'Content-Type': 'application/json' };
    const response = await this.#send(method, endpoint, query, body, headers, AbortSignal.timeout(PATIENCE_MS));
    try {
      return await response.json();
    } catch {
      throw this.#unreachable();
    }
  }

  async #send(method, endpoint, query, body, headers, signal) {
    const url = new URL(endpoint, ROOT);
    url.search = new URLSearchParams(query);
    let response;
    try {
      response = await fetch(url, {
        method,
        body,
        headers: { ...headers, 'X-User-Id': this.#credentials.userId, 'X-Auth-Token': this.#credentials.token },
        signal: AbortSignal.any([signal, this.#closing.signal]),
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
      });
    } catch (error) {
      if (!this.isClosed && error instanceof TypeError && !isHeaderText(this.#credentials)) {
        throw new ApiError('not-signed-in', 'The user id or the token holds characters that none ever has.');
      }
      throw this.#unreachable();
    }
    if (response.ok) {
      return response;
    }
    throw await errorOf(response);
  }

  #unreachable() {
    return this.isClosed
      ? new ApiError('closed', 'You have signed out.')
      : new ApiError('offline', 'The server cannot be reached.');
  }
}

async function again(call, signal) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!error.passes || attempt === MOST_ATTEMPTS || signal?.aborted) {
        throw error;
      }
      await pause(error.retryAfterMs ?? FIRST_RETRY_MS * 2 ** (attempt - 1));
    }
  }
}

/** Waits. */
export function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Headers carry nothing beyond Latin-1. */
function isHeaderText({ userId, token }) {
  return /^[\u0020-\u00ff]*$/.test(userId + token);
}

async function errorOf(response) {
  const body = await response.json().catch(() => ({}));
  const told = typeof body.error === 'string' ? body.error : '';
  switch (response.status) {
    case 401:
      return new ApiError('not-signed-in',
        'This user id and token do not go together, or the token is no longer valid.');
    case 403:
      return new ApiError('forbidden',
        'This account may not run imports: it lacks the permission run-import. An administrator can grant it.');
    case 404:
      return new ApiError('missing', 'The server does not offer this.');
    case 409:
      return new ApiError('in-work', 'The server is still working on the same request.', null, told);
    case 413:
      return new ApiError('too-large', told
        || 'The server, or a proxy before it, takes nothing as large as this. Raise its limit (with nginx: client_max_body_size), '
        + 'or use the command line, which sends in parts.', null, told);
    case 429: {
      const reset = Number(response.headers.get('X-RateLimit-Reset'));
      const wait = reset > 0 ? Math.max(reset - Date.now(), 1000) : null;
      return new ApiError('too-many', 'The server asks to slow down: too many requests.', wait);
    }
    case 502:
    case 503:
    case 504:
      return new ApiError('unavailable', body.errorType === 'error-service-overloaded'
        ? 'The server has too much to do at the moment.'
        : 'The server cannot reach its database at the moment.');
    default:
      return new ApiError('rejected', WORDS[told] ?? (told || `The server answered with an error (${response.status}).`), null, told);
  }
}
