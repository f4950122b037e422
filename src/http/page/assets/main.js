// Signing in and out.

import { Api } from './api.js';
import { showDashboard } from './dashboard.js';
import { byId, notice, setText } from './dom.js';
import { forget, ofRocketChat, remember, remembered } from './session.js';

let api = null;

/** Tries what was entered, and goes on if the server takes it. */
async function signIn(credentials) {
  const button = byId('sign-in-button');
  if (button.getAttribute('aria-disabled') === 'true') {
    return;
  }
  button.setAttribute('aria-disabled', 'true');
  notice(byId('sign-in-error'), null);
  const candidate = new Api(credentials);
  try {
    await candidate.get('import.status');
    remember(credentials);
    enter(candidate);
    byId('current-title').focus();
  } catch (error) {
    notice(byId('sign-in-error'), error.message);
    if (error.kind === 'not-signed-in') byId('token').focus();
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

function enter(signedIn) {
  api = signedIn;
  byId('token').value = '';
  byId('sign-in').hidden = true;
  byId('dashboard').hidden = false;
  byId('sign-out').hidden = false;
  setText(byId('who'), `Signed in as ${api.userId}`);
  byId('who').hidden = false;
  showDashboard(api, (error) => leave(error.message));
}

/** Back to the sign-in form, with a word about why. */
function leave(words) {
  api?.close();
  api = null;
  forget();
  document.title = 'Import';
  byId('dashboard').hidden = true;
  byId('sign-out').hidden = true;
  byId('who').hidden = true;
  setText(byId('announcer'), '');
  if (byId('question').open) byId('question').close('no');
  showSignIn(words);
  byId('sign-in-title').focus();
}

function showSignIn(words) {
  byId('sign-in').hidden = false;
  byId('as-rocket-chat').hidden = ofRocketChat() === null;
  notice(byId('sign-in-error'), words);
}

byId('sign-in-form').addEventListener('submit', (event) => {
  event.preventDefault();
  signIn({ userId: byId('user-id').value.trim(), token: byId('token').value.trim() });
});

byId('use-rocket-chat').addEventListener('click', () => {
  const credentials = ofRocketChat();
  if (credentials === null) {
    showSignIn('Rocket.Chat is signed out by now.');
  } else {
    signIn(credentials);
  }
});

byId('sign-out').addEventListener('click', () => leave(null));

const kept = remembered();
if (kept === null) {
  showSignIn(null);
} else {
  enter(new Api(kept));
}
