// Where the import stands.

import { drawChart } from './chart.js';
import { byId, setProgress, setText } from './dom.js';
import { Pace } from './pace.js';
import { ENDED, completedWord, describe, duration, number, percentage, problemOf, rate, size } from './words.js';

// A screen reader is told of these steps, not of every number, and not more often than this.
const ANNOUNCED_PERCENT = 10;
const ANNOUNCED_INTERVAL_MS = 10_000;

const COUNTED = ['importing', ...ENDED];

/** Shows state, numbers and chart, and says aloud what is worth saying. */
export class StatusView {
  #pace = new Pace();
  #announced = { title: null, operation: null, step: 0, at: 0 };

  update(status) {
    const standing = this.#pace.record(status);
    const words = describe(status.state, standing.counts, problemOf(status.operation), status.operation);
    const badge = byId('state');
    setText(badge, words.title);
    badge.className = `badge ${words.tone}`;
    setText(byId('state-detail'), words.detail);
    this.#showProgress(status, standing, words.tone);
    this.#announce(status, standing, words);
    document.title = status.state === 'importing' && standing.percent !== null
      ? `${percentage(standing.percent)} – Import`
      : `${words.title} – Import`;
  }

  #showProgress({ state, operation }, { counts, percent, rate: pace, bytes, secondsLeft, secondsElapsed, samples }, tone) {
    const shown = COUNTED.includes(state) && percent !== null;
    byId('progress').hidden = !shown;
    drawChart(shown ? samples : [], counts.total, operation);
    if (!shown) {
      return;
    }
    const fill = byId('progress-fill');
    fill.classList.toggle('success', tone === 'success');
    fill.classList.toggle('danger', tone === 'danger');
    const completed = completedWord(operation);
    document.querySelectorAll('.completed-word').forEach((label) => setText(label, capitalized(completed)));
    const words = `${percentage(percent)}, ${number(counts.completed)} of ${number(counts.total)} ${completed}, `
      + `${number(counts.failed)} failed`;
    setProgress(byId('progress-bar'), fill, percent, words);
    setText(byId('percent'), percentage(percent));
    setText(byId('completed'), number(counts.completed));
    setText(byId('failed'), number(counts.failed));
    setText(byId('total'), number(counts.total));
    showFigure('bytes', bytes === null ? null : bytesWords(bytes));
    showFigure('rate', rateWords(pace, bytes));
    showFigure('left', secondsLeft === null ? null : duration(secondsLeft));
    showFigure('elapsed', secondsElapsed === null ? null : duration(secondsElapsed));
  }

  #announce({ state, operation }, { percent }, words) {
    const said = this.#announced;
    const step = Math.floor((percent ?? 0) / ANNOUNCED_PERCENT);
    const now = Date.now();
    if (words.title !== said.title || operation?._id !== said.operation) {
      setText(byId('announcer'), `${words.title}. ${words.detail}`);
    } else if (state === 'importing' && step > said.step && now - said.at >= ANNOUNCED_INTERVAL_MS) {
      setText(byId('announcer'), `${step * ANNOUNCED_PERCENT} percent ${completedWord(operation)}.`);
    } else {
      return;
    }
    this.#announced = { title: words.title, operation: operation?._id, step, at: now };
  }
}

function capitalized(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function bytesWords({ done, total }) {
  return total > done ? `${size(done)} of ${size(total)}` : size(done);
}

function rateWords(pace, bytes) {
  if (bytes !== null && bytes.rate > 0) return size(bytes.rate);
  return pace === null ? null : rate(pace);
}

function showFigure(name, text) {
  byId(`${name}-figure`).hidden = text === null;
  setText(byId(name), text ?? '');
}
