// Who is staged, and whether anybody still is once an import has ended.

import { byId, notice, setText } from './dom.js';
import { table } from './table.js';
import { ENDED, countsOf, isOfFile, number, users } from './words.js';

const MOST_ROWS = 25;

const COLUMNS = [{ name: 'Import id' }, { name: 'Username' }, { name: 'E-mail' }, { name: 'Note' }];

/** Lists the staged users of a ready import, and counts those that an ended one has left. */
export class StagedUsers {
  #api;
  #onLeft;
  #about = null;

  /** @param onLeft called with the number of users that an ended import has left staged */
  constructor(api, { onLeft }) {
    this.#api = api;
    this.#onLeft = onLeft;
    byId('staged-show').onclick = () => this.show();
  }

  update({ state, operation }) {
    const about = `${operation?._id} ${state} ${operation?._updatedAt}`;
    byId('staged-users').hidden = state !== 'ready' || isOfFile(operation);
    if (about === this.#about) {
      return;
    }
    this.#about = about;
    notice(byId('staged-error'), null);
    notice(byId('staged-taken'), null);
    byId('staged-table').replaceChildren();
    byId('staged-show').hidden = false;
    if (state === 'ready') {
      setText(byId('staged-summary'), `${users(countsOf(operation).total)} staged.`);
    }
    this.#countLeft(state, operation);
  }

  async show() {
    const about = this.#about;
    try {
      const { users: staged } = await this.#api.get('getImportFileData');
      if (about === this.#about) {
        this.#list(staged ?? []);
      }
    } catch (error) {
      if (error.kind !== 'closed') notice(byId('staged-error'), error.message);
    }
  }

  #list(staged) {
    const shown = staged.slice(0, MOST_ROWS);
    const rows = shown.map((user) => [
      user.user_id ?? '', user.username ?? '', user.email ?? '', notesOn(user).join(', '),
    ]);
    const caption = staged.length > shown.length ? `The first ${MOST_ROWS} of ${users(staged.length)}` : users(staged.length);
    byId('staged-table').replaceChildren(table(caption, COLUMNS, rows));
    const taken = staged.filter((user) => user.is_email_taken).length;
    notice(byId('staged-taken'), taken > 0
      ? `${number(taken)} of them would fail: another account has the e-mail address.`
      : null);
    byId('staged-show').hidden = true;
    byId('staged-title').tabIndex = -1;
    byId('staged-title').focus();
  }

  async #countLeft(state, operation) {
    this.#onLeft(0);
    if (!ENDED.includes(state)) {
      return;
    }
    const about = this.#about;
    const counts = countsOf(operation);
    try {
      let left = 0;
      // The receipt keeps the failed users of an import that was cleared; the staging area does not.
      if (state === 'done' && counts.failed > 0 && operation.valid) {
        left = (await this.#api.get('import.errors', { count: 1 })).total;
      } else if (counts.total > counts.completed) {
        left = (await this.#api.get('getImportFileData')).users?.length ?? 0;
      }
      if (about === this.#about) this.#onLeft(left);
    } catch {
      // Then nothing is offered.
    }
  }
}

function notesOn(user) {
  return [
    user.is_email_taken && 'e-mail address is taken',
    user.is_deleted && 'will be deactivated',
    user.is_bot && 'bot',
  ].filter(Boolean);
}
