// Starting an import from a file.

import { checkFile, wordsOf as wordsOfProblem } from './check-file.js';
import { byId, download, element, notice, setProgress, setText } from './dom.js';
import { ask } from './question.js';
import { READING_FIELDS, inWordsOfPage, readingParameters } from './reading.js';
import { sendUsers } from './send-users.js';
import { RAISE_LIMIT, counted as countedRecords, countsOf, number, size, users as countedUsers } from './words.js';

// As many errors, as many users that would fail, and as many warnings are listed.
const MOST_PROBLEMS = 100;
// The fields that hold the rules.
const RULES = ['users-on-existing', 'users-username-suffix'];
const CASE_TWINS = 'users-refuse-case-twins';
// Everything that a check depends on beside the file.
const CHOICES = [...RULES, CASE_TWINS, ...READING_FIELDS];

/** The form that takes a file, checks it and sends its users. */
export class NewImport {
  #api;
  #onSending;
  #onSent;
  #status = null;
  #users = [];
  #checked = null;
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
    byId('leave-bad-out').onchange = () => this.#decide();
    byId('rejects-download').onclick = () => downloadRejects(this.#checked.rejects);
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
    this.#checked = null;
    byId('leave-bad-out').checked = false;
    notice(byId('file-good'), null);
    notice(byId('file-bad'), null);
    notice(byId('send-error'), null);
    for (const part of ['foreseen', 'leave-bad', 'file-errors', 'file-failures', 'file-notes']) byId(part).hidden = true;
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
      const choices = [...Object.entries(rules()), ...refused(), ...readingParameters()];
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

  #show({ users, problems, failing, warnings, rejects, summary }, name) {
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
    // A line that the workspace refuses has no error of its own in the file.
    const bad = summary.badLines + workspace.refused;
    const good = summary.users - workspace.refused;
    this.#checked = { users, good, bad, rejects, problemCount, warningCount };
    showLeavingOut(bad, rejects, good > 0 && !summary.isUnusable);
    if (problemCount > 0 && (good === 0 || summary.isUnusable)) {
      notice(byId('file-bad'), `${counted(problemCount, 'problem')}, so nothing is sent.`);
      return;
    }
    if (good === 0) {
      notice(byId('file-bad'), `${name}: there are no users in it`);
      return;
    }
    showForeseen(workspace);
    this.#decide();
  }

  /** Offers to send the users, unless there are bad lines that are not to be left out. */
  #decide() {
    const { users, good, bad, problemCount, warningCount } = this.#checked;
    this.#users = [];
    byId('send').hidden = true;
    notice(byId('file-good'), null);
    notice(byId('file-bad'), null);
    if (bad > 0 && !byId('leave-bad-out').checked) {
      notice(byId('file-bad'), `${counted(problemCount, 'problem')}, so nothing is sent. Correct the file, or leave the bad lines out.`);
      return;
    }
    const leftOut = bad > 0 ? `${counted(bad, 'bad line')} left out, ` : '';
    const wrong = warningCount === 0 ? `nothing ${bad > 0 ? 'else ' : ''}wrong` : counted(warningCount, 'warning');
    const found = `${countedUsers(good)}, ${leftOut}${wrong}.`;
    if (users.length === 0) {
      notice(byId('file-good'), `${found} Everybody ${bad > 0 ? 'else ' : ''}is there already, so there is nothing to do.`);
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
    const { bad } = this.#checked;
    this.#setSending(true);
    notice(byId('send-error'), null);
    byId('sending').hidden = false;
    try {
      const isHalved = await sendUsers(this.#api, users, (sent) => showSent(sent, users.length));
      byId('file').value = '';
      this.#reset();
      const leftOut = bad > 0 ? ` ${counted(bad, 'bad line')} left out.` : '';
      const remark = isHalved ? ` A proxy before the server takes small batches only. ${RAISE_LIMIT}` : '';
      notice(byId('file-good'), `${countedUsers(users.length)} staged.${leftOut} Run the import to make the accounts.${remark}`);
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
    for (const choice of [...CHOICES, 'leave-bad-out']) byId(choice).disabled = sending;
    byId('send').setAttribute('aria-disabled', String(sending));
    this.#onSending(sending);
  }

  /** Names what a new import would take away, and asks; where there is nothing, it does not. */
  async #mayReplace() {
    const text = lossBy(this.#status);
    return text === null || ask({ title: 'Start a new import?', text, yes: 'Start a new import' });
  }
}

/** What a new import would take away, in sentences; `null` for nothing. */
function lossBy(status) {
  const { state, operation } = status ?? {};
  const { completed, failed, total } = countsOf(operation);
  const of = (count) => countedRecords(count, operation);
  switch (state) {
    case 'none':
    case 'new':
      return null;
    case 'importing':
      return `An import is running${total > 0 ? `: ${number(completed + failed)} of ${of(total)} done` : ''}. It is stopped: what `
        + 'was imported until then stays, the others are removed from the staging area.';
    case 'loading':
      return 'A file is being read. That is stopped, and what was read is removed from the staging area.';
    case 'ready':
      return total > 0 ? `${of(total)} ${are(total)} staged and ${total === 1 ? 'was' : 'were'} never run. ${removed(total)}` : null;
    case 'done':
      return failed > 0 ? `${of(failed)} failed and ${are(failed)} still staged. ${removed(failed)} The receipt keeps the reasons.` : null;
    default: {
      // What a call has ended has nothing staged any more, where the operation says so.
      const left = operation?.import?.endedByCall ? 0 : Math.max(total - completed, 0);
      return left > 0 ? `The import before has ended early, and up to ${of(left)} ${are(left)} still staged. ${removed(left)}` : null;
    }
  }
}

function are(count) {
  return count === 1 ? 'is' : 'are';
}

function removed(count) {
  return count === 1 ? 'It is removed from the staging area.' : 'They are removed from the staging area.';
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

/** The way past bad lines, and the list of them. */
function showLeavingOut(bad, rejects, isPossible) {
  setText(byId('leave-bad-words'), bad === 1 ? 'Leave the bad line out' : `Leave the ${number(bad)} bad lines out`);
  byId('leave-bad').hidden = bad === 0 || !isPossible;
  byId('rejects').hidden = rejects === '';
}

/** Objects stay objects, a line each; what has columns gets the mark by which spreadsheet programs see that it is UTF-8. */
function downloadRejects(rejects) {
  if (rejects.startsWith('{')) download('bad-lines.jsonl', 'application/x-ndjson', rejects);
  else download('bad-lines.csv', 'text/csv;charset=utf-8', `\ufeff${rejects}`);
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

/** Warnings that are errors. */
function refused() {
  return byId(CASE_TWINS).checked ? [['refuse', 'case-twins']] : [];
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
