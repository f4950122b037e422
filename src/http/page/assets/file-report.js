// The account of a file: what of each type is imported, failed, passed over or waits, and why.

import { writeCsv } from './csv.js';
import { byId, download, notice, setText } from './dom.js';
import { table } from './table.js';
import { ENDED, isOfFile, number } from './words.js';

const PAGE = 25;
const LARGEST_PAGE = 100;
// While an import goes on the account is not asked for more often than this.
const LOAD_INTERVAL_MS = 2000;

const TYPES = { user: 'People', contact: 'Contacts', channel: 'Rooms', message: 'Messages' };
const OUTCOMES = { failed: 'failed', passedOver: 'passed over' };
const TOTAL_COLUMNS = [
  { name: 'Type' },
  { name: 'In the file', numeric: true },
  { name: 'Imported', numeric: true },
  { name: 'Failed', numeric: true },
  { name: 'Passed over', numeric: true },
  { name: 'Waiting', numeric: true },
];
const LINE_COLUMNS = [{ name: 'Outcome' }, { name: 'Type' }, { name: 'Number', numeric: true }, { name: 'Place' }, { name: 'Reason' }];
const CSV_COLUMNS = ['outcome', 'type', 'count', 'place', 'ids', 'reason'];

/** The tables of the account, kept up to date while the import goes on. */
export class FileReport {
  #api;
  #about = null;
  #operation = null;
  #offset = 0;
  #total = 0;
  #timer = null;
  #loadedAt = 0;
  #turn = 0;

  constructor(api) {
    this.#api = api;
    byId('file-report').hidden = true;
    byId('report-previous').onclick = () => this.#go(-PAGE);
    byId('report-next').onclick = () => this.#go(PAGE);
    byId('report-download').onclick = () => this.#download();
  }

  update({ state, operation }) {
    const shown = isOfFile(operation) && ['loading', 'ready', 'importing', ...ENDED].includes(state);
    byId('file-report').hidden = !shown;
    const about = shown ? `${operation._id} ${state} ${JSON.stringify(operation.count ?? {})}` : null;
    if (about === this.#about) return;
    if (operation?._id !== this.#operation) {
      this.#offset = 0;
      byId('report-totals').replaceChildren();
      byId('report-lines').replaceChildren();
    }
    this.#about = about;
    this.#operation = operation?._id;
    clearTimeout(this.#timer);
    if (!shown) {
      this.#turn += 1;
      return;
    }
    const soon = ENDED.includes(state) || state === 'ready' ? 0 : this.#loadedAt + LOAD_INTERVAL_MS - Date.now();
    this.#timer = setTimeout(() => this.#load(), Math.max(0, soon));
  }

  async #go(by) {
    const offset = this.#offset + by;
    if (offset < 0 || offset >= this.#total) return;
    this.#offset = offset;
    await this.#load();
  }

  async #load() {
    this.#turn += 1;
    const turn = this.#turn;
    this.#loadedAt = Date.now();
    try {
      const query = { operationId: this.#operation, count: PAGE, offset: this.#offset };
      const report = await this.#api.get('import.report', query);
      if (turn === this.#turn) this.#show(report);
    } catch (error) {
      if (turn === this.#turn && error.kind !== 'closed') {
        // A server without accounts of files shows none.
        if (error.kind === 'missing') byId('file-report').hidden = true;
        else notice(byId('report-error'), error.message);
      }
    }
  }

  #show({ totals, lines, notes, history, total }) {
    notice(byId('report-error'), null);
    const rows = totals.map((part) => [
      TYPES[part.type] ?? part.type,
      ...[part.elements, part.imported, part.failed, part.passedOver, part.waiting].map(number),
    ]);
    byId('report-totals').replaceChildren(...(rows.length > 0 ? [table('By type', TOTAL_COLUMNS, rows)] : []));
    this.#total = total;
    const reasons = lines.map((line) => [
      OUTCOMES[line.outcome] ?? line.outcome, line.type, number(line.count), line.place ?? '', line.reason,
    ]);
    byId('report-lines').replaceChildren(...(reasons.length > 0 ? [table('Not imported, and why', LINE_COLUMNS, reasons)] : []));
    byId('report-pages').hidden = total <= PAGE;
    byId('report-download').hidden = total === 0;
    setText(byId('report-range'), `${number(this.#offset + 1)}–${number(this.#offset + lines.length)} of ${number(total)}`);
    byId('report-previous').setAttribute('aria-disabled', String(this.#offset === 0));
    byId('report-next').setAttribute('aria-disabled', String(this.#offset + PAGE >= total));
    const facts = notes.map(({ note, count }) => `${number(count)} × ${note}`);
    if (history?.days > 0) facts.push(`${number(history.days)} days of rooms lack messages that were imported`);
    notice(byId('report-notes'), facts.join('; ') || null);
  }

  async #download() {
    notice(byId('report-error'), null);
    const lines = [];
    try {
      for (;;) {
        const query = { operationId: this.#operation, count: LARGEST_PAGE, offset: lines.length };
        const page = await this.#api.get('import.report', query);
        lines.push(...page.lines);
        if (page.lines.length === 0 || lines.length >= page.total) break;
      }
    } catch (error) {
      if (error.kind !== 'closed') notice(byId('report-error'), error.message);
      return;
    }
    const rows = lines.map((line) => [
      line.outcome, line.type, String(line.count), line.place ?? '', line.ids.join(';'), line.reason,
    ]);
    download('not-imported.csv', 'text/csv', writeCsv([CSV_COLUMNS, ...rows]));
  }
}
