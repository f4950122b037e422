// Everything that is shown to somebody who is signed in, over one stream of statuses.

import { Actions } from './actions.js';
import { byId, notice } from './dom.js';
import { FailedUsers } from './failed-users.js';
import { FileImport } from './file-import.js';
import { FileReport } from './file-report.js';
import { History } from './history.js';
import { Live } from './live.js';
import { NewImport } from './new-import.js';
import { Selection } from './selection.js';
import { StagedUsers } from './staged-users.js';
import { StatusView } from './status-view.js';
import { offerTemplates } from './templates.js';

/** Shows the dashboard and keeps it up to date until the API is closed. `onRefused` is told when access is lost. */
export function showDashboard(api, onRefused) {
  const live = new Live(api, {
    status: (status) => views.forEach((view) => view.update(status)),
    connection: (words) => notice(byId('connection'), words),
    refused: onRefused,
  });
  const actions = new Actions(api, { refresh: () => live.refresh() });
  const onSent = async () => {
    await live.refresh();
    byId('current-title').focus();
  };
  new FileImport(api, { onSent });
  offerTemplates(api);
  const views = [
    new StatusView(),
    actions,
    new StagedUsers(api, { onLeft: (left) => actions.setLeft(left) }),
    new Selection(api, { refresh: () => live.refresh() }),
    new FileReport(api),
    new FailedUsers(api),
    new NewImport(api, {
      onSending: (sending) => actions.setSending(sending),
      onSent: ({ onExisting, onUsernameTaken }) => {
        byId('run-on-existing').value = onExisting;
        byId('run-username-suffix').checked = onUsernameTaken === 'suffix';
        return onSent();
      },
    }),
    new History(api),
  ];
  live.follow();
}
