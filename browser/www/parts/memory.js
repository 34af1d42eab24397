/** Memory: short texts that Tau keeps across conversations, to be looked through, added and removed. */

import { button, iconButton } from './controls.js';
import { h, Keyed, say, set } from './dom.js';
import { moment, plural } from './format.js';

/** @typedef {{ id: string, text: string, at: number, session?: string, kind?: string, tags?: string[], namespace?: string, scope?: string }} Memory */

export class MemoryScreen {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.search = h('input', { type: 'search', class: 'input search', placeholder: 'Search', 'aria-label': 'Search memory', oninput: () => this.searchSoon() });
    this.count = h('p', { class: 'help', role: 'status' });
    this.back = h('div', { class: 'actions', role: 'status', hidden: true });
    this.rows = h('ul', { class: 'cards' });
    this.list = new Keyed(this.rows, (/** @type {Memory} */ { id }) => id, (memory) => this.row(memory));
    this.text = h('textarea', { class: 'input', rows: 2, 'aria-label': 'New memory', placeholder: 'Something Tau should know in every conversation', dir: 'auto' });
    this.root = h(
      'section',
      { class: 'screen', 'aria-label': 'Memory' },
      h('p', { class: 'lead' }, 'Short texts that Tau looks up when a conversation touches them. It adds some itself; you see and decide all of it. They stay in this browser, and go to the model only when it looks them up.'),
      h(
        'form',
        { class: 'add', onsubmit: (/** @type {Event} */ event) => this.add(event) },
        this.text,
        h('div', { class: 'actions' }, h('button', { class: 'button is-primary' }, 'Remember')),
      ),
      this.search,
      this.back,
      this.count,
      this.rows,
    );
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  update() {}

  async show() {
    const query = this.search.value.trim();
    const done = await this.actions.attempt('Could not read the memory', 'memory.list', query ? { query } : {});
    if (!done.ok || query !== this.search.value.trim()) return;
    /** @type {Memory[]} */
    const memories = done.value;
    this.list.update(memories);
    set(this.search, { hidden: memories.length === 0 && !query });
    say(this.count, query ? plural(memories.length, 'memory matches', 'memories match') : memories.length > 0 ? plural(memories.length, 'memory', 'memories') : 'Nothing is remembered yet. Write something above, or ask Tau to remember it.');
  }

  searchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(), 200);
  }

  /** @param {Event} event */
  async add(event) {
    event.preventDefault();
    const text = this.text.value.trim();
    if (!text) return this.text.focus();
    const done = await this.actions.attempt('Could not remember this', 'memory.add', { text });
    if (!done.ok) return;
    this.text.value = '';
    this.search.value = '';
    await this.show();
  }

  /** @param {Memory} memory */
  row(memory) {
    const remove = iconButton('Forget', 'trash', () => this.ask(root, memory, remove), { 'aria-label': `Forget: ${memory.text.slice(0, 60)}` });
    const filed = [memory.kind && memory.kind !== 'note' ? memory.kind : '', memory.namespace ?? '', (memory.tags ?? []).join(', ')].filter(Boolean);
    const whose = memory.scope && memory.scope !== 'user' ? [memory.scope] : [];
    const about = [moment(memory.at), memory.session ? 'by Tau, in a conversation' : 'by you', ...whose, ...filed].join(' · ');
    const root = h('li', { class: 'card' }, h('div', { class: 'card-words' }, h('p', { dir: 'auto' }, memory.text), h('p', { class: 'help' }, about)), remove);
    return { root, update: () => {} };
  }

  /** Says what was forgotten, and how it can be had back. @param {Memory} memory */
  offerBack(memory) {
    const undo = button('Undo', async () => {
      const done = await this.actions.attempt('Could not have this back', 'memory.restore', { id: memory.id });
      if (!done.ok) return;
      set(this.back, { hidden: true });
      this.back.replaceChildren();
      await this.show();
      this.text.focus();
    });
    this.back.replaceChildren(h('span', { class: 'help' }, `Forgotten: ${memory.text.slice(0, 60)}`), undo);
    set(this.back, { hidden: false });
    undo.focus();
  }

  /**
   * @param {Element} row
   * @param {Memory} memory
   * @param {HTMLElement} from
   */
  ask(row, memory, from) {
    const keep = button('Keep', () => {
      question.remove();
      from.focus();
    });
    const forget = async () => {
      const done = await this.actions.attempt('Could not forget this', 'memory.remove', { id: memory.id });
      if (!done.ok) return;
      await this.show();
      this.offerBack(memory);
    };
    const question = h(
      'div',
      { class: 'confirm', role: 'alertdialog', 'aria-label': 'Forget this?' },
      h('p', {}, 'Forget this?'),
      h('div', { class: 'actions' }, button('Forget', forget, { kind: 'danger' }), keep),
    );
    row.append(question);
    keep.focus();
  }
}
