/** The branches of a conversation: where each ends, going there, beginning one, bringing one here. */

import { button, field } from './controls.js';
import { h } from './dom.js';
import { textOf } from './tree.js';

/**
 * @typedef {import('./talk.js').Talk} Talk
 * @typedef {{ name: string | null, tip: string | null, line: string, current: boolean }} Branch
 */

/** Characters of what was said last on a branch. */
const LINE = 80;

/**
 * The branches, in the order in which their ends were stored; one with a name and nothing said on it
 * is there too.
 *
 * @param {Talk} talk
 * @returns {Branch[]}
 */
export function branchesOf({ view, entries }) {
  const named = (view.names ?? []).filter(({ kind }) => kind === 'branch');
  const at = (/** @type {string | null} */ tip) => entries.find(({ id }) => id === tip);
  const line = (/** @type {string | null} */ tip) => {
    const entry = at(tip);
    const words = entry ? textOf(entry.message).trim().split('\n', 1)[0] : '';
    return words.length > LINE ? `${words.slice(0, LINE)}…` : words;
  };
  const head = view.head ?? null;
  /** @type {Branch[]} */
  const all = named.map(({ name, entry }) => ({
    name,
    tip: entry ?? null,
    line: line(entry ?? null),
    current: view.branch ? name === view.branch : entry === head,
  }));
  for (const tip of view.tips) {
    if (named.some(({ entry }) => entry === tip)) continue;
    all.push({ name: null, tip, line: line(tip), current: !view.branch && tip === head });
  }
  const place = (/** @type {Branch} */ { tip }) => entries.findIndex(({ id }) => id === tip);
  return all.sort((a, b) => place(a) - place(b));
}

export class Branches {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.list = h('ul', { class: 'branch-list' });
    this.name = h('input', { class: 'input', autocomplete: 'off', spellcheck: 'false', maxlength: 64, required: true });
    const begin = h('button', { type: 'submit', class: 'button is-primary' }, 'Begin');
    const form = h('form', { onsubmit: (/** @type {Event} */ event) => this.begin(event) }, field('Begin a branch here', this.name, 'Its name: letters, digits and - _ . /'), h('div', { class: 'actions' }, begin));
    this.root = h(
      'dialog',
      { class: 'dialog branch-dialog', 'aria-labelledby': 'tau-branches' },
      h('h2', { id: 'tau-branches' }, 'Branches'),
      h('p', { class: 'help' }, 'Nothing is lost by going to another one. One undo takes a merge back.'),
      this.list,
      form,
      h('div', { class: 'actions' }, button('Close', () => this.root.close())),
    );
  }

  open() {
    const talk = this.actions.state.talk;
    if (!talk) return;
    this.list.replaceChildren(...branchesOf(talk).map((branch) => this.item(branch)));
    this.name.value = '';
    this.root.showModal();
  }

  /** @param {Branch} branch */
  item(branch) {
    const name = branch.name ?? 'Without a name';
    const of = branch.name ?? (branch.line || 'the branch without a name');
    const to = branch.name ? { name: branch.name } : { to: branch.tip };
    const doing = (/** @type {string} */ text, /** @type {() => Promise<boolean>} */ act) => button(text, () => this.do(act), { props: { 'aria-label': `${text}: ${of}` } });
    const merge = (/** @type {string} */ how) => () => this.actions.command('Could not merge the branch', 'merge', { from: branch.tip, how });
    const deeds = branch.current
      ? [h('span', { class: 'help' }, 'You are here')]
      : [
          doing('Go there', () => this.actions.command('Could not go to the other branch', 'switch', to)),
          ...(branch.tip ? [doing('Merge here', merge('append')), doing('Merge in short', merge('squash'))] : []),
        ];
    return h('li', { 'data-current': branch.current }, h('b', { dir: 'auto' }, name), h('p', { class: 'help', dir: 'auto' }, branch.line || 'Nothing was said on it'), h('div', { class: 'actions' }, ...deeds));
  }

  /** @param {Event} event */
  begin(event) {
    event.preventDefault();
    const name = this.name.value.trim();
    if (name) void this.do(() => this.actions.command('Could not begin a branch', 'branch', { name }));
  }

  /**
   * What went wrong stands above the conversation, so this is out of the way either way.
   *
   * @param {() => Promise<boolean>} act
   */
  async do(act) {
    this.root.close();
    const talk = this.actions.state.talk;
    if ((await act()) && talk) await this.actions.refreshTalk(talk);
  }
}
