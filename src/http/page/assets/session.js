// Who is signed in. The token stays in this tab's storage and in request headers; it never gets into an address.

const KEY = 'rocketchat-import.session';

// Where Rocket.Chat's own web client, on the same origin, keeps what it signed in with.
const ROCKET_CHAT_USER_ID = 'Meteor.userId';
const ROCKET_CHAT_TOKEN = 'Meteor.loginToken';

/** What this tab signed in with, or `null`. */
export function remembered() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY));
    return kept?.userId && kept?.token ? { userId: kept.userId, token: kept.token } : null;
  } catch {
    return null;
  }
}

/** Keeps it for this tab. A browser that stores nothing asks again after a reload. */
export function remember({ userId, token }) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ userId, token }));
  } catch {
    // Nothing is lost but convenience.
  }
}

export function forget() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Then nothing was kept either.
  }
}

/** What Rocket.Chat is signed in with in this browser, or `null`. */
export function ofRocketChat() {
  try {
    const userId = localStorage.getItem(ROCKET_CHAT_USER_ID);
    const token = localStorage.getItem(ROCKET_CHAT_TOKEN);
    return userId && token ? { userId, token } : null;
  } catch {
    return null;
  }
}
