// Who could not be imported, and why.

import { byId, download, notice, setText } from './dom.js';
import { listOfFailed } from './failed-list.js';
import { table } from './table.js';
import { countsOf, isOfFile, number, users } from './words.js';

const PAGE = 25;
// What the server hands out at once, unless it is set to less.
const LARGEST_PAGE = 100;
// While an import runs the list is not asked for more often than this.
const LOAD_INTERVAL_MS = 3000;

const COLUMNS = [{ name: 'Import id' }, { name: 'Username' }, { name: 'E-mail' }, { name: 'Reason' }];

const STATES_WITHOUT = ['none', 'new', 'loading'];

/** The table of failed users, a page at a time, and all of them as a file. */
export class FailedUsers {
  #api;
  #about = null;
  #offset = 0;
  #total = 0;
  #loadedAt = 0;
  #timer = null;
  #loading = 0;

  constructor(api) {
    this.#api = api;
    byId('failed-users').hidden = true;
    byId('failed-previous').onclick = () => this.#turn(-PAGE);
    byId('failed-next').onclick = () => this.#turn(PAGE);
    byId('failed-download').onclick = () => this.#download();
  }

  update({ state, operation }) {
    const about = `${operation?._id} ${state} ${operation?.valid} ${countsOf(operation).failed}`;
    if (about === this.#about) {
      return;
    }
    if (!this.#about?.startsWith(`${operation?._id} `)) {
      this.#offset = 0;
    }
    this.#about = about;
    clearTimeout(this.#timer);
    // Those of a file are in its account.
    if (STATES_WITHOUT.includes(state) || isOfFile(operation)) {
      this.#loading += 1;
      byId('failed-users').hidden = true;
      return;
    }
    const soon = state === 'importing' ? this.#loadedAt + LOAD_INTERVAL_MS - Date.now() : 0;
    this.#timer = setTimeout(() => this.#load(), Math.max(0, soon));
  }

  async #turn(by) {
    const offset = this.#offset + by;
    if (offset < 0 || offset >= this.#total) {
      return;
    }
    this.#offset = offset;
    await this.#load();
  }

  async #load() {
    this.#loading += 1;
    const turn = this.#loading;
    this.#loadedAt = Date.now();
    try {
      const page = await this.#api.get('import.errors', { count: PAGE, offset: this.#offset });
      if (turn !== this.#loading) {
        return;
      }
      if (page.errors.length === 0 && page.total > 0) {
        this.#offset = Math.floor((page.total - 1) / PAGE) * PAGE;
        await this.#load();
        return;
      }
      notice(byId('failed-error'), null);
      this.#show(page);
    } catch (error) {
      if (error.kind !== 'closed' && turn === this.#loading) {
        notice(byId('failed-error'), error.message);
      }
    }
  }

  #show({ errors, total }) {
    this.#total = total;
    byId('failed-users').hidden = total === 0;
    const rows = errors.map(cellsOf);
    byId('failed-table').replaceChildren(table(`${users(total)} not imported`, COLUMNS,
      rows.map(([ids, emails, username, reasons]) => [ids.join(', '), username, emails.join(', '), reasons.join(' ')])));
    byId('failed-pages').hidden = total <= PAGE;
    setText(byId('failed-range'),
      `${number(this.#offset + 1)}–${number(this.#offset + errors.length)} of ${number(total)}`);
    // Not `disabled`, which would take the focus away from whoever pages by keyboard.
    byId('failed-previous').setAttribute('aria-disabled', String(this.#offset === 0));
    byId('failed-next').setAttribute('aria-disabled', String(this.#offset + PAGE >= total));
  }

  async #download() {
    const button = byId('failed-download');
    if (button.getAttribute('aria-disabled') === 'true') {
      return;
    }
    button.setAttribute('aria-disabled', 'true');
    try {
      download('failed-users.csv', 'text/csv;charset=utf-8', listOfFailed(await this.#all()));
      notice(byId('failed-error'), null);
    } catch (error) {
      if (error.kind !== 'closed') notice(byId('failed-error'), error.message);
    } finally {
      button.removeAttribute('aria-disabled');
    }
  }

  async #all() {
    const failed = [];
    for (;;) {
      const page = await this.#api.get('import.errors', { count: LARGEST_PAGE, offset: failed.length });
      failed.push(...page.errors);
      if (page.errors.length === 0 || failed.length >= page.total) {
        return failed;
      }
    }
  }
}

function cellsOf({ importIds, emails, username, errors }) {
  return [importIds, emails, username ?? '', errors];
}
