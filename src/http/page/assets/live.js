// Following `import.status`: by the stream of events where the server has one, else by asking every second.
//
// EventSource cannot send the headers that sign a request in, so the stream is read by hand.

import { ApiError } from './api.js';

const STATUS = 'import.status';
const STREAM = 'import.status.stream';

const POLL_INTERVAL_MS = 1000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
// A proxy that collects the stream before it passes it on would leave the page without a first word.
const FIRST_EVENT_PATIENCE_MS = 10_000;
// The server says something every now and then. This long without a word, and the connection is dead.
const SILENCE_PATIENCE_MS = 90_000;

/** The stream is of no use here. */
class NoStream extends Error {}

/** Follows one workspace's import. */
export class Live {
  #api;
  #told;
  #lastEventId = null;
  #newest = null;
  #hasStream = true;
  #failures = 0;

  /**
   * @param told `status(status)` with every new status, `connection(words)` with what is wrong with the connection or
   *   `null`, `refused(error)` once the user may not look any more
   */
  constructor(api, told) {
    this.#api = api;
    this.#told = told;
  }

  /** Follows until the API is closed or the user is refused. */
  async follow() {
    while (!this.#api.isClosed) {
      try {
        await (this.#hasStream ? this.#readStream() : this.#poll());
        // The server has ended the stream, as it does before it stops.
        await pause(FIRST_RETRY_MS);
      } catch (error) {
        if (error instanceof NoStream || error.kind === 'missing') {
          this.#hasStream = false;
          continue;
        }
        if (error.kind === 'closed') {
          return;
        }
        if (error.kind === 'not-signed-in' || error.kind === 'forbidden') {
          this.#told.refused(error);
          return;
        }
        await this.#waitAfter(error);
      }
    }
  }

  /** Asks once, at once: something was just done. */
  async refresh() {
    try {
      this.#take(await this.#api.get(STATUS));
    } catch {
      // Whatever is wrong, following meets it too, and tells.
    }
  }

  async #poll() {
    for (;;) {
      this.#take(await this.#api.get(STATUS));
      await pause(POLL_INTERVAL_MS);
    }
  }

  async #readStream() {
    const reading = new AbortController();
    let silence;
    const listen = (patience) => {
      clearTimeout(silence);
      silence = setTimeout(() => reading.abort(), patience);
    };
    let events = 0;
    try {
      listen(SILENCE_PATIENCE_MS);
      const headers = { Accept: 'text/event-stream' };
      if (this.#lastEventId !== null) {
        headers['Last-Event-ID'] = this.#lastEventId;
      }
      const response = await this.#api.open(STREAM, headers, reading.signal);
      if (!response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
        throw new NoStream();
      }
      // Who comes back with an id may have to wait: nothing happened since.
      const heard = () => {
        listen(events > 0 || this.#lastEventId !== null ? SILENCE_PATIENCE_MS : FIRST_EVENT_PATIENCE_MS);
      };
      heard();
      this.#connected();
      for await (const event of eventsOf(response.body, heard)) {
        events += 1;
        heard();
        if (await this.#heed(event)) {
          return;
        }
      }
    } catch (error) {
      if (error instanceof ApiError || error instanceof NoStream) {
        throw error;
      }
      if (this.#api.isClosed) {
        throw new ApiError('closed', 'You have signed out.');
      }
      if (reading.signal.aborted && events === 0 && this.#lastEventId === null) {
        throw new NoStream();
      }
      throw new ApiError('offline', 'The server cannot be reached.');
    } finally {
      clearTimeout(silence);
      reading.abort();
    }
  }

  /** Whether the stream ends with this event. */
  async #heed({ id, name, data }) {
    if (name === 'end') {
      // Whether token or permission is gone, the plain endpoint tells.
      this.#take(await this.#api.get(STATUS));
      return true;
    }
    if (name === 'status') {
      this.#take(JSON.parse(data));
    }
    if (id !== null) {
      this.#lastEventId = id;
    }
    return false;
  }

  /** An answer that was overtaken by a newer one is left out, so that nothing on the page goes backwards. */
  #take(status) {
    this.#connected();
    if (this.#newest !== null && isOlder(status.operation, this.#newest.operation)) {
      return;
    }
    this.#newest = status;
    this.#told.status(status);
  }

  #connected() {
    this.#failures = 0;
    this.#told.connection(null);
  }

  async #waitAfter(error) {
    const words = error instanceof ApiError ? error.message : 'The server said something that cannot be understood.';
    this.#told.connection(`${words} Trying again.`);
    const backoff = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS);
    this.#failures += 1;
    // Spread out, so that a server that comes back is not met by everybody at once.
    await pause(error.retryAfterMs ?? backoff * (0.5 + Math.random() / 2));
  }
}

function isOlder(operation, than) {
  if (!operation || !than) {
    return false;
  }
  const times = operation._id === than._id
    ? [operation._updatedAt, than._updatedAt]
    : [operation.ts, than.ts];
  return times.every((time) => typeof time === 'string') && times[0] < times[1];
}

/** The events of a stream. `heard` is called with every piece that arrives, comments too. */
async function* eventsOf(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let event = { id: null, name: 'message', data: [] };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return;
    }
    heard();
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (event.data.length > 0) {
          yield { ...event, data: event.data.join('\n') };
        }
        event = { id: null, name: 'message', data: [] };
        continue;
      }
      const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (field === 'data') event.data.push(text);
      else if (field === 'event') event.name = text;
      else if (field === 'id') event.id = text;
    }
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
