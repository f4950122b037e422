// Starting an import from a file.

import { checkFile, wordsOf as wordsOfProblem } from './check-file.js';
import { byId, element, notice, setProgress, setText } from './dom.js';
import { ask } from './question.js';
import { READING_FIELDS, inWordsOfPage, readingParameters } from './reading.js';
import { sendUsers } from './send-users.js';
import { RAISE_LIMIT, number, size, users as countedUsers } from './words.js';

// As many errors, as many users that would fail, and as many warnings are listed.
const MOST_PROBLEMS = 100;
// The fields that hold the rules.
const RULES = ['users-on-existing', 'users-username-suffix'];
// Everything that a check depends on beside the file.
const CHOICES = [...RULES, ...READING_FIELDS];

/** The form that takes a file, checks it and sends its users. */
export class NewImport {
  #api;
  #onSending;
  #onSent;
  #status = null;
  #users = [];
  #sending = false;
  #checking = new AbortController();

  /**
   * @param onSending called with whether users are being sent
   * @param onSent called once all are staged, with the rules that were chosen
   */
  constructor(api, { onSending, onSent }) {
    this.#api = api;
    this.#onSending = onSending;
    this.#onSent = onSent;
    byId('file').onchange = () => this.#check();
    for (const choice of CHOICES) byId(choice).onchange = () => this.#check();
    byId('new-form').onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    window.onbeforeunload = (event) => {
      if (this.#sending) event.preventDefault();
    };
    this.#reset();
    byId('file').value = '';
    notice(byId('file-good'), null);
    notice(byId('file-checking'), null);
  }

  update(status) {
    this.#status = status;
  }

  #reset() {
    this.#users = [];
    notice(byId('file-good'), null);
    notice(byId('file-bad'), null);
    notice(byId('send-error'), null);
    for (const part of ['foreseen', 'file-errors', 'file-failures', 'file-notes']) byId(part).hidden = true;
    byId('sending').hidden = true;
    byId('send').hidden = true;
  }

  async #check() {
    this.#reset();
    this.#checking.abort();
    this.#checking = new AbortController();
    const { signal } = this.#checking;
    const [file] = byId('file').files;
    if (!file) {
      notice(byId('file-checking'), null);
      return;
    }
    notice(byId('file-checking'), 'The file is being checked.');
    try {
      const choices = [...Object.entries(rules()), ...readingParameters()];
      const onSent = (bytes) => {
        if (!signal.aborted) notice(byId('file-checking'), `The file is sent in pieces to be checked: ${size(bytes)} of ${size(file.size)}.`);
      };
      const checked = await checkFile(this.#api, file, choices, MOST_PROBLEMS, onSent, signal);
      if (!signal.aborted) this.#show(checked, file.name);
    } catch (error) {
      if (!signal.aborted && error.kind !== 'closed') notice(byId('file-bad'), shownWords(error.message));
    } finally {
      if (!signal.aborted) notice(byId('file-checking'), null);
    }
  }

  #show({ users, problems, failing, warnings, summary }, name) {
    const { workspace } = summary;
    const problemCount = summary.problemCount + workspace.refused;
    const warningCount = summary.warningCount + summary.warned;
    showProblems('file-errors', 'file-problems', [
      ...problems.map((problem) => shownWords(wordsOfProblem(problem))),
      ...more(problemCount - problems.length),
    ]);
    showProblems('file-failures', 'file-failing', [
      ...failing.map(wordsOfProblem),
      ...more(workspace.failed - failing.length),
    ]);
    showProblems('file-notes', 'file-warnings', [
      ...warnings.map((warning) => shownWords(wordsOfProblem(warning))),
      ...more(warningCount - warnings.length),
      ...unsureOf(workspace),
      ...summary.remarks.map(inWordsOfPage),
    ]);
    if (problemCount > 0) {
      notice(byId('file-bad'), `${counted(problemCount, 'problem')}, so nothing is sent.`);
      return;
    }
    if (summary.users === 0) {
      notice(byId('file-bad'), `${name}: there are no users in it`);
      return;
    }
    showForeseen(workspace);
    const wrong = warningCount === 0 ? 'nothing wrong' : counted(warningCount, 'warning');
    const found = `${countedUsers(summary.users)}, ${wrong}.`;
    if (users.length === 0) {
      notice(byId('file-good'), `${found} Everybody is there already, so there is nothing to do.`);
      return;
    }
    this.#users = users;
    notice(byId('file-good'), found);
    setText(byId('send'), `Stage ${countedUsers(users.length)}`);
    byId('send').hidden = false;
  }

  async #send() {
    if (this.#sending || this.#users.length === 0 || !(await this.#mayReplace())) {
      return;
    }
    const users = this.#users;
    this.#setSending(true);
    notice(byId('send-error'), null);
    byId('sending').hidden = false;
    try {
      const isHalved = await sendUsers(this.#api, users, (sent) => showSent(sent, users.length));
      byId('file').value = '';
      this.#reset();
      const remark = isHalved ? ` A proxy before the server takes small batches only. ${RAISE_LIMIT}` : '';
      notice(byId('file-good'), `${countedUsers(users.length)} staged. Run the import to make the accounts.${remark}`);
      this.#onSent(rules());
    } catch (error) {
      if (error.kind !== 'closed') {
        byId('sending').hidden = true;
        notice(byId('send-error'), wordsOf(error, users.length));
      }
    } finally {
      this.#setSending(false);
    }
  }

  #setSending(sending) {
    this.#sending = sending;
    byId('file').disabled = sending;
    for (const choice of CHOICES) byId(choice).disabled = sending;
    byId('send').setAttribute('aria-disabled', String(sending));
    this.#onSending(sending);
  }

  /** Asks if there is something that a new import would end. */
  async #mayReplace() {
    const state = this.#status?.state;
    if (state === 'none' || state === 'new') {
      return true;
    }
    const present = state === 'importing'
      ? 'The import that is running is stopped; accounts made until then stay.'
      : 'The present import ends.';
    return ask({
      title: 'Start a new import?',
      text: `${present} Users that are still staged, those that failed too, are removed from the staging area.`,
      yes: 'Start a new import',
    });
  }
}

/** The sentence in the words of the page. Where it names a field, the fields are unfolded. */
function shownWords(sentence) {
  const words = inWordsOfPage(sentence);
  if (words !== sentence) byId('users-reading').open = true;
  return words;
}

function showProblems(section, list, words) {
  byId(list).replaceChildren(...words.map((text) => element('li', {}, text)));
  byId(section).hidden = words.length === 0;
}

function showForeseen(counts) {
  const figures = [['created', 'Created'], ['linked', 'Linked'], ['updated', 'Updated'], ['same', 'Same'], ['failed', 'Failed']];
  byId('foreseen').replaceChildren(...figures.map(([name, title]) => (
    element('div', {}, element('dt', {}, title), element('dd', { id: `foreseen-${name}` }, number(counts[name])))
  )));
  byId('foreseen').hidden = false;
}

/** What becomes of people who have an account, and of those whose user name another person has. */
function rules() {
  const [onExisting, suffix] = RULES.map(byId);
  return { onExisting: onExisting.value, onUsernameTaken: suffix.checked ? 'suffix' : 'fail' };
}

function unsureOf({ unsure }) {
  return unsure > 0
    ? [`${countedUsers(unsure)} found by an address that nobody verified, or by name alone: look at them in the receipt`]
    : [];
}

function more(count) {
  return count > 0 ? [`and ${number(count)} more`] : [];
}

function counted(count, what) {
  return count === 1 ? `1 ${what}` : `${number(count)} ${what}s`;
}

function showSent(sent, total) {
  const words = `${number(sent)} of ${number(total)} users sent`;
  setProgress(byId('sending-bar'), byId('sending-fill'), (sent / total) * 100, words);
  setText(byId('sending-words'), words);
}

function wordsOf(error, total) {
  const staged = error.staged ?? 0;
  return staged > 0
    ? `${error.message} ${number(staged)} of ${number(total)} users are staged. Send the file again to start over.`
    : error.message;
}
