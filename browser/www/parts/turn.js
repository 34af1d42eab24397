/** One turn on the screen: the prompt, the trace of steps beside its rail, how it ended. */

import { button, iconButton, notice } from './controls.js';
import { h, Keyed, say, set } from './dom.js';
import { usage } from './format.js';
import { icon } from './icons.js';
import { picture } from './picture.js';
import { ending } from './problem.js';
import { Prose } from './prose.js';
import { ToolRow } from './tool.js';
import { tipOf } from './tree.js';

/** @typedef {import('./turns.js').Turn} Turn */
/** @typedef {import('./turns.js').Step} Step */

export class TurnView {
  /**
   * @param {Turn} turn
   * @param {import('./actions.js').Actions} actions
   */
  constructor(turn, actions) {
    this.actions = actions;
    this.prompt = new PromptView(actions);
    this.steps = h('div', { class: 'steps' });
    this.list = new Keyed(this.steps, (/** @type {{ step: Step, key: string }} */ { key }) => key, ({ step }) => {
      const view = stepView(step);
      return { root: view.root, update: (item) => view.update(/** @type {any} */ (item.step)) };
    });
    this.wait = h('p', { class: 'wait' }, icon('tau'), h('span', {}));
    this.notices = h('div', { class: 'turn-notices' });
    this.end = h('div', { class: 'turn-end' });
    this.foot = h('footer', { class: 'turn-foot' });
    this.usage = h('span', { class: 'turn-usage' });
    this.redo = iconButton('Ask again', 'again', () => this.turn.prompt && actions.again(this.turn.prompt));
    this.foot.append(this.usage, this.redo);
    this.answer = h('div', { class: 'answer', role: 'group', 'aria-label': 'Tau' }, h('span', { class: 'answer-mark' }, icon('tau')), this.steps, this.wait, this.notices, this.end, this.foot);
    this.root = h('li', { class: 'turn' }, this.prompt.root, this.answer);
    this.turn = turn;
    this.drawn = false;
    this.ended = '';
  }

  /** @param {Turn} turn */
  update(turn) {
    if (turn === this.turn && this.drawn) return;
    this.drawn = true;
    this.turn = turn;
    this.prompt.update(turn);
    this.list.update(turn.steps.map((step, place) => ({ step, key: `${place} ${step.kind}` })));
    const words = waitingFor(turn);
    set(this.wait, { hidden: !words });
    say(/** @type {Element} */ (this.wait.lastChild), words ?? '');
    const told = turn.notices.map((text) => h('p', { dir: 'auto' }, text));
    if (told.map((node) => node.textContent).join('\n') !== [...this.notices.children].map((node) => node.textContent).join('\n')) this.notices.replaceChildren(...told);
    this.updateEnd(turn);
    const figures = turn.usage ? usage(turn.usage) : '';
    say(this.usage, figures && turn.live ? `${figures}, so far` : figures);
    const offered = this.end.querySelector('button') !== null;
    set(this.redo, { hidden: turn.live || turn.fixed || !turn.prompt || offered });
    set(this.foot, { hidden: !figures && (turn.live || offered) });
    set(this.answer, { 'data-live': turn.live, hidden: !turn.live && turn.steps.length === 0 && !this.ended });
  }

  /** @param {Turn} turn */
  updateEnd(turn) {
    const unanswered = !turn.live && !turn.fixed && turn.last && turn.prompt && turn.steps.length === 0;
    const end = turn.outcome ? ending(turn.outcome) : unanswered ? { kind: /** @type {const} */ ('info'), title: 'There is no answer to this', cause: undefined } : null;
    const ended = JSON.stringify(end);
    if (ended === this.ended || (!end && !this.ended)) return;
    this.ended = end ? ended : '';
    if (!end) return this.end.replaceChildren();
    const again = turn.prompt && button('Try again', () => this.turn.prompt && this.actions.again(this.turn.prompt), { icon: 'again' });
    const settings = 'settings' in end && end.settings && button('Open settings', () => this.actions.show('settings'), { icon: 'settings' });
    const actions = [again, settings].filter((node) => node instanceof HTMLElement);
    if (end.kind === 'info' && !end.cause && turn.outcome) return this.end.replaceChildren(h('p', { class: 'help' }, end.title));
    this.end.replaceChildren(notice({ kind: end.kind, title: end.title, text: end.cause, hint: end.hint, actions }));
  }
}

/** @param {Turn} turn */
function waitingFor(turn) {
  if (!turn.live) return null;
  if (turn.retrying) return `Trying again: ${turn.retrying.error}`;
  const open = (/** @type {Step} */ step) => step.kind === 'tool' && (step.state?.state === 'waiting' || step.state?.state === 'running');
  if (turn.steps.some(open)) return null;
  const last = turn.steps[turn.steps.length - 1];
  if (last?.kind === 'tool') return last.state?.state === 'done' ? 'Reading the result' : null;
  return last && 'live' in last && last.live ? null : 'Thinking';
}

/** @param {Step} step */
function stepView(step) {
  if (step.kind === 'tool') return new ToolRow(step);
  if (step.kind === 'thinking') return new Thinking();
  const prose = new Prose();
  return { root: prose.root, update: (/** @type {any} */ words) => prose.update(words.text) };
}

/** The model's reasoning, folded. */
class Thinking {
  constructor() {
    this.label = h('span', {}, 'Reasoning');
    this.prose = new Prose();
    this.root = h('details', { class: 'thinking' }, h('summary', {}, icon('thought'), this.label), this.prose.root);
    this.text = '';
    this.root.addEventListener('toggle', () => this.show());
  }

  /** @param {import('./turns.js').Words} words */
  update(words) {
    say(this.label, words.live ? 'Reasoning …' : 'Reasoning');
    this.text = words.text;
    this.show();
  }

  show() {
    if (this.root.open) this.prose.update(this.text);
  }
}

/** What the person asked: to be changed and asked again, and the other things asked in its place. */
class PromptView {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.words = h('div', { class: 'prompt-words', dir: 'auto' });
    this.pictures = h('div', { class: 'pictures' });
    this.edit = iconButton('Change and ask again', 'edit', () => this.startEdit());
    this.place = h('span', { class: 'branch-place' });
    this.previous = iconButton('Previous branch', 'previous', () => this.go(-1));
    this.next = iconButton('Next branch', 'next', () => this.go(1));
    this.branches = h('div', { class: 'branches', role: 'group', 'aria-label': 'Branches' }, this.previous, this.place, this.next);
    this.tools = h('div', { class: 'prompt-tools' }, this.branches, this.edit);
    this.root = h('div', { class: 'prompt', role: 'group', 'aria-label': 'You' }, this.words, this.pictures, this.tools);
    /** @type {Turn | null} */
    this.turn = null;
  }

  /** @param {Turn} turn */
  update(turn) {
    const fresh = this.turn === null;
    this.turn = turn;
    set(this.root, { 'data-kind': turn.kind, hidden: !turn.text && turn.images.length === 0 });
    if (turn.kind === 'summary') {
      set(this.root, { 'aria-label': 'Summary of what came before' });
      if (fresh) this.words.replaceChildren(summaryView(turn.text));
    } else if (!this.editing) {
      say(this.words, turn.text);
    }
    if (fresh) this.pictures.replaceChildren(...turn.images.map(picture));
    const place = turn.alternatives.findIndex((entry) => entry.id === turn.prompt?.id);
    const count = turn.alternatives.length;
    set(this.branches, { hidden: count < 2 });
    say(this.place, `${place + 1} of ${count}`);
    // A running turn is not left by accident; the element would lose sight of it.
    set(this.previous, { disabled: place <= 0 || turn.live || turn.fixed });
    set(this.next, { disabled: place >= count - 1 || turn.live || turn.fixed });
    set(this.edit, { hidden: !turn.prompt || turn.live || turn.fixed || this.editing });
    set(this.tools, { hidden: count < 2 && this.edit.hidden });
  }

  get editing() {
    return this.words.querySelector('textarea') !== null;
  }

  /** @param {number} by */
  async go(by) {
    const talk = this.actions.state.talk;
    const { alternatives = [], prompt } = this.turn ?? {};
    const other = alternatives[alternatives.findIndex((entry) => entry.id === prompt?.id) + by];
    if (talk && other) await this.actions.switchTo(tipOf(talk.entries, talk.view.tips, other.id));
  }

  startEdit() {
    const text = this.turn?.text ?? '';
    const area = h('textarea', { class: 'input', rows: Math.min(12, text.split('\n').length + 1), 'aria-label': 'Changed message', dir: 'auto', value: text });
    const close = () => {
      this.words.replaceChildren(text);
      set(this.edit, { hidden: false });
      this.edit.focus();
    };
    const send = () => {
      const changed = area.value.trim();
      close();
      if (changed && this.turn?.prompt) void this.actions.again(this.turn.prompt, changed);
    };
    area.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        close();
      } else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      }
    });
    this.words.replaceChildren(area, h('div', { class: 'actions' }, button('Ask', send, { kind: 'primary' }), button('Cancel', close)));
    set(this.edit, { hidden: true });
    area.focus();
  }
}

/** @param {string} text */
function summaryView(text) {
  const prose = new Prose();
  prose.update(text);
  return h('details', { class: 'thinking' }, h('summary', {}, icon('fold'), h('span', {}, 'Earlier messages, summarised for the model')), prose.root);
}
