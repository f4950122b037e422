// Files of users to fill in, as the command line prints them.

import { byId, notice, offer } from './dom.js';

const KINDS = ['csv', 'xlsx'];

/** Has the buttons hand out the files. */
export function offerTemplates(api) {
  notice(byId('template-error'), null);
  for (const kind of KINDS) byId(`template-${kind}`).onclick = () => handOut(api, kind);
}

async function handOut(api, kind) {
  const button = byId(`template-${kind}`);
  if (button.getAttribute('aria-disabled') === 'true') {
    return;
  }
  button.setAttribute('aria-disabled', 'true');
  notice(byId('template-error'), null);
  try {
    offer(`users.${kind}`, await api.file('import.template', { format: kind }));
  } catch (error) {
    if (error.kind !== 'closed') notice(byId('template-error'), error.message);
  } finally {
    button.removeAttribute('aria-disabled');
  }
}
