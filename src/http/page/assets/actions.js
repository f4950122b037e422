// Running, resuming and clearing the import.

import { byId, notice, offer, setText } from './dom.js';
import { ask } from './question.js';
import { ENDED, counted, isOfFile } from './words.js';

/** The buttons of the current import. Each is there only while it makes sense. */
export class Actions {
  #api;
  #refresh;
  #status = null;
  #left = 0;
  #sending = false;
  // The buttons whose work is under way or waits, and the end of the last one's.
  #pressed = new Set();
  #last = Promise.resolve();

  /** @param refresh asks for the status at once */
  constructor(api, { refresh }) {
    this.#api = api;
    this.#refresh = refresh;
    notice(byId('action-error'), null);
    byId('run').onclick = () => this.#run();
    byId('resume').onclick = () => this.#do('resume', () => this.#api.post('import.resume'));
    byId('clear').onclick = () => this.#clear();
    byId('receipt').onclick = () => this.#download();
  }

  update(status) {
    if (status.state !== this.#status?.state) {
      notice(byId('action-error'), null);
    }
    this.#status = status;
    this.#show();
  }

  /** How many users an ended import has left staged. */
  setLeft(left) {
    this.#left = left;
    this.#show();
  }

  /** Whether users are being sent: nobody should run half of them. */
  setSending(sending) {
    this.#sending = sending;
    this.#show();
  }

  #show() {
    const state = this.#status?.state;
    const ended = ENDED.includes(state);
    const hadFocus = document.activeElement;
    // An import of a file is started with a choice.
    byId('run').hidden = state !== 'ready' || this.#sending || isOfFile(this.#status?.operation);
    byId('run-choice').hidden = byId('run').hidden;
    byId('resume').hidden = !ended || this.#left === 0 || this.#sending;
    setText(byId('resume'), `Resume with ${counted(this.#left, this.#status?.operation)}`);
    byId('clear').hidden = this.#sending || !(['new', 'loading', 'ready', 'importing'].includes(state) || this.#left > 0);
    byId('receipt').hidden = !(ended || state === 'importing');
    if (hadFocus?.closest('#actions') && hadFocus.hidden) {
      byId('current-title').focus();
    }
  }

  async #clear() {
    const running = this.#status?.state === 'importing';
    const agreed = await ask({
      title: 'Clear the import?',
      text: running
        ? 'The import is stopped, and users that are still staged are removed from the staging area. Accounts made '
          + 'until then stay.'
        : 'The import ends, and all staged users, those that failed too, are removed from the staging area. Accounts '
          + 'that were made stay.',
      yes: running ? 'Stop and clear' : 'Clear',
    });
    if (agreed) {
      await this.#do('clear', () => this.#api.post('import.clear'));
    }
  }

  /** Runs the import that is shown and no other, also if the answer is lost and the request has to be sent again. */
  async #run() {
    const operationId = this.#status.operation._id;
    const onExisting = byId('run-on-existing').value;
    const onUsernameTaken = byId('run-username-suffix').checked ? 'suffix' : 'fail';
    const joinDefaultChannels = byId('run-join-default-channels').checked;
    const rules = { onExisting, onUsernameTaken, joinDefaultChannels };
    await this.#do('run', () => this.#api.postAgain('import.run', { operationId, ...rules }));
  }

  async #download() {
    const operationId = this.#status.operation._id;
    await this.#do('receipt', async () => {
      offer(`receipt-${operationId}.csv`, await this.#api.file('import.receipt', { operationId, format: 'csv' }));
    });
  }

  /**
   * Does the work of a button once that of the others is over: the state may have moved on before the last answer came.
   * A second click meanwhile does nothing more.
   */
  async #do(button, work) {
    if (this.#pressed.has(button)) {
      return;
    }
    this.#pressed.add(button);
    const before = this.#last;
    this.#last = before.then(() => this.#work(work));
    await this.#last;
    this.#pressed.delete(button);
    await this.#refresh();
  }

  async #work(work) {
    byId('actions').setAttribute('aria-busy', 'true');
    notice(byId('action-error'), null);
    try {
      await work();
    } catch (error) {
      if (error.kind !== 'closed') notice(byId('action-error'), error.message);
    } finally {
      byId('actions').removeAttribute('aria-busy');
    }
  }
}
