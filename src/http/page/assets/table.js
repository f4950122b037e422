// Tables that become one block a row on a phone. The roles are spelled out because a browser may forget them once the
// style is no longer that of a table.

import { element } from './dom.js';

/**
 * @param {string} caption what the table lists
 * @param {{ name: string, numeric?: boolean }[]} columns
 * @param {string[][]} rows the text of each cell
 */
export function table(caption, columns, rows) {
  const kind = (column) => (column.numeric ? { class: 'number' } : {});
  const heads = columns.map((column) =>
    element('th', { role: 'columnheader', scope: 'col', ...kind(column) }, column.name));
  const lines = rows.map((cells) =>
    element('tr', { role: 'row' }, ...cells.map((text, position) => {
      const column = columns[position];
      return element('td', { role: 'cell', 'data-label': column.name, ...kind(column) }, element('span', {}, text));
    })));
  return element('table', { role: 'table' },
    element('caption', {}, caption),
    element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...heads)),
    element('tbody', { role: 'rowgroup' }, ...lines));
}
