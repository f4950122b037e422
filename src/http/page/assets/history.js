// The imports that were.

import { byId, notice } from './dom.js';
import { table } from './table.js';
import { countsOf, describe, moment, number, stateOf } from './words.js';

const COLUMNS = [
  { name: 'Started' },
  { name: 'State' },
  { name: 'Importer' },
  { name: 'Imported', numeric: true },
  { name: 'Failed', numeric: true },
  { name: 'Total', numeric: true },
  { name: 'By user id' },
];

/** The table of past imports. */
export class History {
  #api;
  #about = null;
  #loading = 0;

  constructor(api) {
    this.#api = api;
    byId('history-table').replaceChildren();
    notice(byId('history-note'), null);
  }

  update({ state, operation }) {
    const about = `${operation?._id} ${state} ${operation?.valid}`;
    if (about !== this.#about) {
      this.#about = about;
      this.#load();
    }
  }

  async #load() {
    this.#loading += 1;
    const turn = this.#loading;
    try {
      const operations = await this.#api.get('getLatestImportOperations');
      if (turn === this.#loading) this.#show(operations);
    } catch (error) {
      if (error.kind === 'closed' || turn !== this.#loading) {
        return;
      }
      byId('history-table').replaceChildren();
      notice(byId('history-note'), error.kind === 'forbidden'
        ? 'Not shown: this account lacks the permission view-import-operations.'
        : error.message);
    }
  }

  #show(operations) {
    notice(byId('history-note'), operations.length === 0 ? 'There are none yet.' : null);
    byId('history-table').replaceChildren(...(operations.length === 0
      ? []
      : [table('The latest 20 that changed last', COLUMNS, operations.map(rowOf))]));
  }
}

function rowOf(operation) {
  const counts = countsOf(operation);
  return [
    moment(operation.ts),
    describe(stateOf(operation), counts, null, operation).title,
    String(operation.importerKey ?? ''),
    number(counts.completed),
    number(counts.failed),
    number(counts.total),
    String(operation.user ?? ''),
  ];
}
