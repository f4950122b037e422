// Completed and failed records over time, drawn as two lines.

import { byId, setText, svg } from './dom.js';
import { completedWord, counted, duration, number } from './words.js';

const WIDTH = 600;
const HEIGHT = 120;

/** Draws what was seen of an import; nothing when too little was. */
export function drawChart(samples, total, operation) {
  const figure = byId('chart');
  figure.hidden = samples.length < 2;
  if (figure.hidden) {
    return;
  }
  const start = samples[0].at;
  const last = samples.at(-1);
  const span = Math.max(last.at - start, 1);
  const top = Math.max(total, last.completed, last.failed, 1);
  const x = (sample) => round(((sample.at - start) / span) * WIDTH);
  const y = (value) => round(HEIGHT - (value / top) * HEIGHT);
  const line = (name) => samples.map((sample) => `${x(sample)},${y(sample[name])}`).join(' ');

  const seconds = (last.at - start) / 1000;
  const words = `After ${duration(seconds)} of watching, ${counted(last.completed, operation)} of ${number(total)} `
    + `${completedWord(operation)} and ${number(last.failed)} failed.`;
  const completed = line('completed');
  byId('chart-plot').replaceChildren(svg('svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': words },
    svg('line', { class: 'grid', x1: 0, x2: WIDTH, y1: HEIGHT / 2, y2: HEIGHT / 2 }),
    svg('line', { class: 'grid', x1: 0, x2: WIDTH, y1: 0, y2: 0 }),
    svg('polygon', { class: 'area', points: `0,${HEIGHT} ${completed} ${WIDTH},${HEIGHT}` }),
    svg('polyline', { class: 'line completed', points: completed }),
    svg('polyline', { class: 'line failed', points: line('failed') })));
  setText(byId('chart-top'), number(top));
  setText(byId('chart-start'), '0 s');
  setText(byId('chart-end'), duration(seconds));
}

const round = (value) => Math.round(value * 10) / 10;
