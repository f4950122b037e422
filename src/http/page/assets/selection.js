// The choice among the people and rooms of a loaded file. It takes 50,000 of them: they are shown a page at a time.

import { byId, element, notice, setText } from './dom.js';
import { ask } from './question.js';
import { isOfFile, number } from './words.js';

const PAGE = 50;
const RETENTION = 'error-retention-policy';

const PARTS = {
  users: {
    one: 'person',
    many: 'people',
    id: (user) => user.user_id ?? '',
    name: (user) => user.username ?? user.email ?? user.user_id ?? '',
    note: (user) => [
      user.email,
      user.is_bot && 'bot',
      user.is_deleted && 'deactivated',
      user.is_email_taken && 'has an account here',
    ],
  },
  channels: {
    one: 'room',
    many: 'rooms',
    id: (channel) => channel.channel_id,
    name: (channel) => channel.name ?? channel.channel_id,
    note: (channel) => [
      channel.is_direct ? 'all of them' : channel.is_private ? 'private' : 'public',
      channel.is_archived && 'archived',
    ],
  },
};

/** One list: search, page, and which are left out. */
class Part {
  #name;
  #kind;
  #onChange;
  #entries = [];
  #found = [];
  #page = 0;
  out = new Set();

  constructor(name, onChange) {
    this.#name = name;
    this.#kind = PARTS[name];
    this.#onChange = onChange;
    byId(`${name}-search`).oninput = () => this.#search();
    byId(`${name}-previous`).onclick = () => this.#turn(-1);
    byId(`${name}-next`).onclick = () => this.#turn(1);
    byId(`${name}-all`).onclick = () => this.#setFound(true);
    byId(`${name}-none`).onclick = () => this.#setFound(false);
    byId(`${name}-list`).onchange = (event) => this.#set(event.target);
  }

  fill(list) {
    const kind = this.#kind;
    this.#entries = list.map((item) => {
      const note = kind.note(item).filter(Boolean).join(', ');
      const [id, name] = [kind.id(item), kind.name(item)];
      return { id, name, note, text: `${id} ${name} ${note}`.toLowerCase() };
    });
    this.out = new Set();
    byId(`${this.#name}-search`).value = '';
    this.#search();
  }

  get total() {
    return this.#entries.length;
  }

  get chosen() {
    return this.#entries.length - this.out.size;
  }

  /** What `startImport` takes. */
  get choice() {
    if (this.out.size === 0) return { all: true };
    return { list: this.#entries.filter(({ id }) => !this.out.has(id)).map(({ id }) => id) };
  }

  #search() {
    const words = byId(`${this.#name}-search`).value.toLowerCase().split(/\s+/).filter(Boolean);
    this.#found = words.length === 0
      ? this.#entries
      : this.#entries.filter(({ text }) => words.every((word) => text.includes(word)));
    this.#page = 0;
    this.#show();
  }

  #turn(by) {
    const page = this.#page + by;
    if (page < 0 || page * PAGE >= this.#found.length) return;
    this.#page = page;
    this.#show();
  }

  #set(box) {
    if (box.checked) this.out.delete(box.value);
    else this.out.add(box.value);
    this.#tell();
  }

  #setFound(chosen) {
    for (const { id } of this.#found) {
      if (chosen) this.out.delete(id);
      else this.out.add(id);
    }
    this.#show();
  }

  #show() {
    const first = this.#page * PAGE;
    const shown = this.#found.slice(first, first + PAGE);
    byId(`${this.#name}-list`).replaceChildren(...shown.map(({ id, name, note }) => {
      const box = element('input', { type: 'checkbox', value: id });
      box.checked = !this.out.has(id);
      const words = element('span', {}, element('span', { class: 'choice-name' }, name));
      if (note !== '') words.append(element('span', { class: 'choice-note' }, ` ${note}`));
      return element('li', {}, element('label', { class: 'choice' }, box, words));
    }));
    const found = this.#found.length;
    setText(byId(`${this.#name}-range`), found === 0
      ? 'none found'
      : `${number(first + 1)}–${number(first + shown.length)} of ${number(found)}`);
    byId(`${this.#name}-previous`).setAttribute('aria-disabled', String(first === 0));
    byId(`${this.#name}-next`).setAttribute('aria-disabled', String(first + PAGE >= found));
    this.#tell();
  }

  #tell() {
    const { many } = this.#kind;
    setText(byId(`${this.#name}-summary`), `${number(this.chosen)} of ${number(this.total)} ${many} are imported.`);
    this.#onChange();
  }
}

/** The choice, and the start with it. */
export class Selection {
  #api;
  #refresh;
  #about = null;
  #operation = null;
  #parts;
  #contacts = 0;
  #busy = false;

  /** @param refresh asks for the status at once */
  constructor(api, { refresh }) {
    this.#api = api;
    this.#refresh = refresh;
    const tell = () => this.#tell();
    this.#parts = { users: new Part('users', tell), channels: new Part('channels', tell) };
    byId('selection').hidden = true;
    byId('selection-form').onsubmit = (event) => {
      event.preventDefault();
      this.#start();
    };
  }

  async update({ state, operation }) {
    const about = state === 'ready' && isOfFile(operation) ? operation._id : null;
    if (about === this.#about) return;
    this.#about = about;
    this.#operation = operation;
    byId('selection').hidden = about === null;
    byId('selection-body').hidden = true;
    notice(byId('selection-error'), null);
    if (about === null) return;
    notice(byId('selection-loading'), 'The people and rooms of the file are coming.');
    try {
      const data = await this.#api.get('getImportFileData');
      if (about !== this.#about) return;
      this.#contacts = data.contacts?.length ?? 0;
      this.#parts.users.fill(data.users ?? []);
      this.#parts.channels.fill(data.channels ?? []);
      byId('selection-body').hidden = false;
    } catch (error) {
      if (about === this.#about && error.kind !== 'closed') notice(byId('selection-error'), error.message);
    } finally {
      if (about === this.#about) notice(byId('selection-loading'), null);
    }
  }

  #tell() {
    const { users, channels } = this.#parts;
    const empty = users.chosen + channels.chosen + this.#contacts === 0;
    byId('selection-start').setAttribute('aria-disabled', String(empty || this.#busy));
  }

  /** Starts the import that is shown and no other, also if the answer is lost and the request has to be sent again. */
  async #start(acceptRetention = false) {
    if (byId('selection-start').getAttribute('aria-disabled') === 'true') return;
    const { users, channels } = this.#parts;
    this.#busy = true;
    this.#tell();
    notice(byId('selection-error'), null);
    let removed = null;
    try {
      await this.#api.postAgain('startImport', {
        operationId: this.#operation._id,
        input: { users: users.choice, channels: channels.choice, contacts: { all: true } },
        onExisting: byId('on-existing').value,
        joinDefaultChannels: byId('join-default-channels').checked,
        acceptRetention,
      });
    } catch (error) {
      if (error.told?.includes(RETENTION)) removed = error.told;
      else if (error.kind !== 'closed') notice(byId('selection-error'), error.message);
    } finally {
      this.#busy = false;
      this.#tell();
    }
    if (removed !== null) {
      const text = `${removed.split('. ')[0]}.`;
      if (await ask({ title: 'Import messages that are soon removed?', text, yes: 'Import them' })) this.#start(true);
      return;
    }
    await this.#refresh();
    if (byId('selection').hidden) byId('current-title').focus();
  }
}
