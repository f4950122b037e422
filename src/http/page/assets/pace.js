// How fast an import goes, from the statuses this page has seen of it.

import { countsOf, stalledOf } from './words.js';

// The rate is that of the last moments: an import is not equally fast all the way.
const WINDOW_MS = 10_000;
// So many points are drawn at most. With more, every other one goes.
const MOST_SAMPLES = 600;

/** Keeps what was seen of the newest import. */
export class Pace {
  #operation = null;
  #samples = [];
  #sawStart = false;
  #ended = false;

  /** Takes in a status that arrived at `now` (milliseconds) and tells where the import stands. */
  record(status, now = Date.now()) {
    const { state, operation } = status;
    if (operation?._id !== this.#operation) {
      this.#operation = operation?._id;
      this.#samples = [];
      this.#sawStart = false;
      this.#ended = false;
    }
    const counts = countsOf(operation);
    const sample = { at: now, completed: counts.completed, failed: counts.failed };
    if (state === 'ready') {
      this.#samples = [{ at: now, completed: 0, failed: 0, isBefore: true }];
      this.#sawStart = true;
      this.#ended = false;
    } else if (state === 'importing') {
      // The moments before the run are none of its time, if its first steps were seen.
      const begins = this.#samples.length === 1 && this.#samples[0].isBefore && counts.completed + counts.failed === 0;
      this.#samples = begins ? [] : this.#samples;
      this.#add(sample);
    } else if (!this.#ended && this.#samples.length > 0) {
      this.#add(sample);
      this.#ended = true;
    }
    return this.#standing(status, counts);
  }

  #add(sample) {
    this.#samples.push(sample);
    if (this.#samples.length > MOST_SAMPLES) {
      const last = this.#samples.length - 1;
      this.#samples = this.#samples.filter((_, position) => position % 2 === 0 || position === last);
    }
  }

  #standing({ state, operation, progress }, counts) {
    const processed = counts.completed + counts.failed;
    // None of none is no part of anything: a bar of it would be empty or full, and both would be wrong.
    const percent = counts.total > 0 ? progress?.percent ?? (processed / counts.total) * 100 : null;
    const running = state === 'importing' && stalledOf(operation) === null;
    const rate = running ? progress?.usersPerSecond ?? this.#recentRate() : this.#wholeRate();
    let secondsLeft = null;
    if (running && progress?.estimatedEnd) {
      secondsLeft = Math.max(0, (new Date(progress.estimatedEnd) - Date.now()) / 1000);
    } else if (running && rate > 0) {
      secondsLeft = Math.max(0, counts.total - processed) / rate;
    }
    return {
      counts,
      percent: percent === null ? null : Math.min(100, Math.max(0, percent)),
      rate,
      bytes: bytesOf(operation, progress),
      secondsLeft,
      secondsElapsed: progress?.elapsedSeconds ?? this.#secondsSeen(),
      samples: this.#samples,
    };
  }

  /** Users a second in the last moments, or `null` while nothing can be said. */
  #recentRate() {
    const last = this.#samples.at(-1);
    const first = this.#samples.find((sample) => sample.at >= last.at - WINDOW_MS);
    return rateBetween(first, last);
  }

  #wholeRate() {
    return this.#ended ? rateBetween(this.#samples[0], this.#samples.at(-1)) : null;
  }

  #secondsSeen() {
    return this.#sawStart && this.#samples.length > 1
      ? (this.#samples.at(-1).at - this.#samples[0].at) / 1000
      : null;
  }
}

/** The bytes of an operation that fetches files, and how many come in a second; `null` for other operations. */
function bytesOf(operation, progress) {
  const { bytes, bytesTotal } = operation?.import ?? {};
  if (!Number.isFinite(bytes)) return null;
  return { done: bytes, total: bytesTotal ?? bytes, rate: progress?.bytesPerSecond ?? 0 };
}

function rateBetween(first, last) {
  const seconds = (last.at - first.at) / 1000;
  const made = last.completed + last.failed - first.completed - first.failed;
  return seconds > 0 && made >= 0 ? made / seconds : null;
}
