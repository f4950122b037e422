// Starting an import from an export: rooms, messages and people.

import { byId, notice, setProgress, setText } from './dom.js';
import { guessImporter } from './guess-importer.js';
import { ask } from './question.js';
import { InTheWay, sendFile } from './send-file.js';
import { duration, size } from './words.js';

// The pace is that of these last milliseconds.
const WINDOW_MS = 8000;

/** The form that takes an export and sends it. */
export class FileImport {
  #api;
  #onSent;
  #file = null;
  #stop = null;

  /** @param onSent called once the import has begun */
  constructor(api, { onSent }) {
    this.#api = api;
    this.#onSent = onSent;
    const drop = byId('export-drop');
    byId('export-file').value = '';
    byId('export-file').onchange = () => this.#choose(byId('export-file').files[0] ?? null);
    drop.ondragover = (event) => {
      event.preventDefault();
      drop.classList.add('over');
    };
    drop.ondragleave = () => drop.classList.remove('over');
    drop.ondrop = (event) => {
      event.preventDefault();
      drop.classList.remove('over');
      if (this.#stop === null) this.#choose(event.dataTransfer.files[0] ?? null);
    };
    byId('export-form').onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    byId('export-stop').onclick = () => this.#stop?.abort();
    this.#choose(null);
  }

  async #choose(file) {
    this.#file = file;
    notice(byId('export-error'), null);
    byId('export-chosen').hidden = file === null;
    byId('export-send').hidden = file === null;
    byId('export-sending').hidden = true;
    if (file === null) return;
    setText(byId('export-name'), `${file.name}, ${size(file.size)}`);
    const importer = await guessImporter(file).catch(() => null);
    if (this.#file !== file) return;
    byId('export-importer').value = importer ?? '';
    if (importer === null) byId('export-importer').focus();
  }

  async #send(replace = false) {
    const importerKey = byId('export-importer').value;
    const file = this.#file;
    if (this.#stop !== null || file === null) return;
    if (importerKey === '') {
      notice(byId('export-error'), 'Say what the file is.');
      byId('export-importer').focus();
      return;
    }
    this.#setSending(new AbortController());
    notice(byId('export-error'), null);
    byId('export-sending').hidden = false;
    let inTheWay = null;
    try {
      const { signal } = this.#stop;
      await sendFile(this.#api, file, { importerKey, replace }, progressOf(file.size), signal);
      byId('export-file').value = '';
      this.#choose(null);
      this.#onSent();
    } catch (error) {
      if (error instanceof InTheWay) inTheWay = error.message;
      else if (this.#stop.signal.aborted) notice(byId('export-error'), 'Stopped. Send it again to go on from there.');
      else if (error.kind !== 'closed') notice(byId('export-error'), `${error.message} Send it again to go on from there.`);
    } finally {
      this.#setSending(null);
    }
    if (inTheWay !== null && (await mayReplace(inTheWay))) this.#send(true);
  }

  #setSending(stop) {
    this.#stop = stop;
    const sending = stop !== null;
    byId('export-file').disabled = sending;
    byId('export-importer').disabled = sending;
    byId('export-send').setAttribute('aria-disabled', String(sending));
    byId('export-stop').hidden = !sending;
    if (!sending) byId('export-sending').hidden = true;
  }
}

function mayReplace(reason) {
  return ask({
    title: 'End the present import?',
    text: `${reason.replace(/\.$/, '')}. Its staged records, those that failed too, are removed from the staging area. `
      + 'What was imported until then stays.',
    yes: 'End it and go on',
  });
}

/** Shows how many bytes are checked or sent, with the pace and the time left. */
function progressOf(total) {
  let seen = [];
  let last = null;
  return (step, bytes) => {
    const now = performance.now();
    if (step !== last) seen = [];
    last = step;
    seen.push([now, bytes]);
    while (seen.length > 2 && seen[1][0] < now - WINDOW_MS) seen.shift();
    const [[since, before]] = seen;
    const pace = now - since > 300 ? (bytes - before) / ((now - since) / 1000) : 0;
    const rest = pace > 0 && bytes < total ? `, ${size(pace)} a second, ${duration((total - bytes) / pace)} left` : '';
    const words = `${size(bytes)} of ${size(total)} ${step}${rest}`;
    setProgress(byId('export-bar'), byId('export-fill'), total > 0 ? (bytes / total) * 100 : 100, words);
    setText(byId('export-words'), words);
  };
}
