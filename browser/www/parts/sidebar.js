/** The menu: the screens, and all conversations with search, export and deletion. */

import { button, iconButton } from './controls.js';
import { h, Keyed, say, set } from './dom.js';
import { plural, recent } from './format.js';
import { icon } from './icons.js';

/** @typedef {import('./store.js').SessionLine} SessionLine */
/** @typedef {import('./icons.js').IconName} IconName */

/** @type {{ screen: import('./store.js').Screen, name: string, drawing: IconName }[]} */
const SCREENS = [
  { screen: 'talk', name: 'Conversation', drawing: 'talk' },
  { screen: 'memory', name: 'Memory', drawing: 'memory' },
  { screen: 'identity', name: 'Identity', drawing: 'identity' },
  { screen: 'settings', name: 'Settings', drawing: 'settings' },
];

export class Sidebar {
  /**
   * @param {import('./actions.js').Actions} actions
   * @param {{ theme: HTMLElement, help: () => void }} extras
   */
  constructor(actions, { theme, help }) {
    this.actions = actions;
    const close = iconButton('Close menu', 'close', () => actions.store.set({ drawer: false }), { class: 'icon-button only-narrow' });
    this.screens = SCREENS.map(({ screen, name, drawing }) => ({
      screen,
      link: h('button', { type: 'button', class: 'nav', onclick: () => actions.show(screen) }, icon(drawing), h('span', {}, name)),
    }));
    this.search = h('input', {
      type: 'search',
      class: 'input search',
      placeholder: 'Search',
      'aria-label': 'Search conversations',
      oninput: () => actions.store.set({ query: this.search.value }),
    });
    this.rows = h('ul', { class: 'session-list' });
    this.list = new Keyed(this.rows, (/** @type {SessionLine} */ line) => line.session, (line) => new SessionRow(line, actions));
    this.none = h('p', { class: 'help' });
    this.root = h(
      'aside',
      { class: 'sidebar', 'aria-label': 'Menu' },
      h('div', { class: 'brand' }, icon('tau'), h('span', {}, 'Tau'), close),
      h('nav', { 'aria-label': 'Screens' }, h('ul', {}, ...this.screens.map(({ link }) => h('li', {}, link)))),
      h(
        'section',
        { class: 'sessions', 'aria-label': 'Conversations' },
        h('div', { class: 'sessions-head' }, h('h2', {}, 'Conversations'), iconButton('New conversation', 'plus', () => actions.fresh(), { 'aria-keyshortcuts': 'Alt+C' })),
        this.search,
        this.none,
        this.rows,
      ),
      h('div', { class: 'sidebar-foot' }, theme, iconButton('Keyboard shortcuts', 'keyboard', help)),
    );
  }

  /** @param {import('./store.js').State} state */
  update(state) {
    for (const { screen, link } of this.screens) set(link, { 'aria-current': state.screen === screen ? 'page' : null });
    const all = state.sessions ?? [];
    const words = state.query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((line) => words.every((word) => `${line.title} ${line.model}`.toLocaleLowerCase().includes(word)));
    found.sort((a, b) => b.updated - a.updated);
    const current = state.opening ?? state.talk?.session ?? null;
    this.list.update(found.map((line) => ({ ...line, current: state.screen === 'talk' && line.session === current })));
    set(this.search, { hidden: all.length === 0 });
    say(this.none, found.length > 0 || state.sessions === null ? '' : all.length > 0 ? 'None has these words in its title.' : 'None yet. The first message begins one; it is kept in this browser.');
    set(this.none, { hidden: this.none.textContent === '' });
  }

  focusSearch() {
    this.search.focus();
  }
}

class SessionRow {
  /**
   * @param {SessionLine} line
   * @param {import('./actions.js').Actions} actions
   */
  constructor(line, actions) {
    this.session = line.session;
    this.actions = actions;
    this.title = h('span', { class: 'session-title', dir: 'auto' });
    this.about = h('span', { class: 'session-about' });
    this.open = h('button', { type: 'button', class: 'session-open', onclick: () => actions.open(this.session) }, this.title, this.about);
    this.saver = iconButton('Export', 'download', () => this.export());
    this.remover = iconButton('Delete', 'trash', () => this.ask());
    this.tools = h('div', { class: 'session-tools' }, this.saver, this.remover);
    this.root = h('li', { class: 'session' }, this.open, this.tools);
  }

  /** @param {SessionLine & { current?: boolean }} line */
  update(line) {
    const title = line.title || 'Without a title';
    say(this.title, title);
    say(this.about, [line.running ? 'at work' : recent(line.updated), plural(line.turns, 'turn')].join(' · '));
    set(this.open, { 'aria-current': line.current ? 'true' : null });
    set(this.root, { 'data-running': line.running });
    set(this.saver, { 'aria-label': `Export ${title}` });
    set(this.remover, { 'aria-label': `Delete ${title}` });
  }

  export() {
    void exportSession(this.actions, this.session);
  }

  ask() {
    const keep = button('Keep', () => {
      question.remove();
      this.remover.focus();
    });
    const question = h(
      'div',
      { class: 'confirm', role: 'alertdialog', 'aria-label': 'Delete this conversation?' },
      h('p', {}, 'Delete this conversation with all its branches? This cannot be undone.'),
      h('div', { class: 'actions' }, button('Delete', () => this.actions.remove(this.session), { kind: 'danger' }), keep),
    );
    question.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      keep.click();
    });
    this.root.append(question);
    keep.focus();
  }
}

/**
 * Saves a conversation as a file of JSON lines.
 *
 * @param {import('./actions.js').Actions} actions
 * @param {string} session
 */
export async function exportSession(actions, session) {
  const done = await actions.attempt('Could not export the conversation', 'sessions.export', { session });
  if (!done.ok) return;
  const text = typeof done.value === 'string' ? done.value : done.value.jsonl;
  const address = URL.createObjectURL(new Blob([text], { type: 'application/jsonl' }));
  h('a', { href: address, download: `tau-${session}.jsonl` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
