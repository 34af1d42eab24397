/** The conversation: turns, questions of the agent, and where to write. */

import { Composer, isReady } from './composer.js';
import { button, iconButton, notice } from './controls.js';
import { h, Keyed, say, set } from './dom.js';
import { loadModel, progressOf } from './embedded.js';
import { hostOf, usage } from './format.js';
import { icon } from './icons.js';
import { recall } from './kept.js';
import { ApprovalCard } from './tool.js';
import { TurnView } from './turn.js';
import { turns } from './turns.js';

/** @typedef {import('./turns.js').Turn} Turn */
/** @typedef {import('./talk.js').Question} Question */

export class Conversation {
  /**
   * @param {import('./actions.js').Actions} actions
   * @param {{ placeholder: string, greeting: string }} words
   */
  constructor(actions, words) {
    this.actions = actions;
    this.empty = new Empty(actions, words.greeting);
    this.list = h('ol', { class: 'turns', 'aria-label': 'Messages' });
    this.turns = new Keyed(this.list, (/** @type {Turn} */ turn) => turn.key, (turn) => new TurnView(turn, actions));
    this.questions = h('div', { class: 'questions' });
    // A call's id alone names nothing: another conversation or a later turn may use it again.
    this.cards = new Keyed(this.questions, (/** @type {Question} */ question) => keyOf(question), (question) => new ApprovalCard(question, actions));
    this.total = h('p', { class: 'total' });
    this.column = h('div', { class: 'column' }, this.empty.root, this.list, this.questions, this.total);
    this.scroller = h('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Conversation', onscroll: () => this.scrolled() }, this.column);
    this.latest = iconButton('To the latest message', 'down', () => this.toEnd(), { class: 'icon-button latest', hidden: true });
    this.composer = new Composer(actions, words.placeholder);
    this.root = h('div', { class: 'conversation' }, this.scroller, h('div', { class: 'foot' }, this.latest, this.composer.root));
    /** Whether the end is in sight and is to stay there. */
    this.following = true;
    /** @type {string | null} */
    this.shown = null;
  }

  /** @param {import('./store.js').State} state */
  update(state) {
    const talk = state.talk;
    const list = talk ? turns(talk) : [];
    if ((talk?.session ?? null) !== this.shown) {
      this.shown = talk?.session ?? null;
      this.following = true;
    }
    set(this.empty.root, { hidden: list.length > 0 || state.opening !== null });
    if (list.length === 0) this.empty.update(state);
    this.turns.update(list);
    this.cards.update(talk && this.actions.canAnswer ? talk.questions : []);
    const figures = talk && list.length > 1 && !talk.running ? usage(talk.view.usage) : '';
    say(this.total, figures && `All turns: ${figures}`);
    this.composer.update(state);
    if (this.following) this.toEnd();
    else this.scrolled();
  }

  /** The first question, if the person has it before their eyes; otherwise it is brought there. @returns {ApprovalCard | null} */
  cardInSight() {
    const question = this.actions.canAnswer ? this.actions.state.talk?.questions[0] : undefined;
    const card = question && /** @type {ApprovalCard | undefined} */ (this.cards.parts.get(keyOf(question)));
    if (!card?.root.checkVisibility()) return null;
    const [view, place] = [this.scroller.getBoundingClientRect(), card.root.getBoundingClientRect()];
    if (place.top < view.bottom && place.bottom > view.top) return card;
    card.root.scrollIntoView({ block: 'nearest' });
    return null;
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const left = scrollHeight - scrollTop - clientHeight;
    this.following = left < 48;
    // Near the end it would only be in the way of what stands there.
    set(this.latest, { hidden: left < 160 });
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    set(this.latest, { hidden: true });
  }
}

/** @type {WeakMap<Question, string>} */
const keys = new WeakMap();
let lastKey = 0;

/**
 * Another question has another key, whatever it says.
 *
 * @param {Question} question
 */
function keyOf(question) {
  const key = keys.get(question) ?? String((lastKey += 1));
  keys.set(question, key);
  return key;
}

/** What a new conversation shows: what to do, and what is missing for it. */
class Empty {
  /**
   * @param {import('./actions.js').Actions} actions
   * @param {string} greeting
   */
  constructor(actions, greeting) {
    this.actions = actions;
    this.need = h('div', { class: 'need' });
    this.tools = h('ul', { class: 'tool-list' });
    this.about = h('div', { class: 'about-tools' }, h('h3', {}, 'What it can use'), this.tools);
    this.root = h('div', { class: 'empty' }, icon('tau'), h('h2', {}, greeting), this.need, this.about);
    this.shown = '';
  }

  /** @param {import('./store.js').State} state */
  update(state) {
    const { status, settings, model, phase } = state;
    const shown = JSON.stringify([status?.model, status?.has_key, status?.key_needed, status?.tools, settings, model, phase]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.need.replaceChildren(...(phase === 'ready' ? this.needs(state) : []));
    const tools = status?.tools ?? [];
    this.tools.replaceChildren(...tools.map((/** @type {string} */ tool) => h('li', {}, h('code', {}, tool))));
    set(this.about, { hidden: tools.length === 0 });
  }

  /** @param {import('./store.js').State} state */
  needs(state) {
    const { status, settings } = state;
    const open = (/** @type {'primary' | undefined} */ kind) => button('Open settings', () => this.actions.show('settings'), { kind, icon: 'settings' });
    if (settings?.api === 'embedded' && state.model?.state !== 'ready') {
      const url = recall('embedded');
      const loading = progressOf(state.model);
      const load = url && button('Load it', () => loadModel(this.actions, url), { kind: 'primary', icon: 'download' });
      const text = loading ?? 'It is to answer here, but it has to be read into memory again after each reload. Its files are kept, so this is quick.';
      return [notice({ kind: 'info', title: 'The small model is not loaded yet', text, actions: loading ? [] : [load || open('primary')] })];
    }
    if (!isReady(state)) {
      const text = 'Name an endpoint that speaks like OpenAI or Anthropic, or load the small model into this page: it needs no account and no network afterwards.';
      return [notice({ kind: 'info', title: 'First, choose a model', text, actions: [open('primary')] })];
    }
    if (!status.has_key && !status.key_needed && mayNeedKey(settings)) {
      const text = 'The key is held in memory only, so it is asked for again after each reload. An endpoint without keys needs none.';
      return [notice({ kind: 'info', title: `${hostOf(settings.base_url)} may want a key`, text, actions: [open(undefined)] })];
    }
    if (settings?.api === 'embedded') return [h('p', { class: 'lead' }, 'What you write stays in this page: the small model answers here.')];
    return [h('p', { class: 'lead' }, 'What you write goes to ', h('b', {}, status.model), ` at ${hostOf(settings.base_url)}.`)];
  }
}

/**
 * A server on this machine usually wants no key.
 *
 * @param {any} settings
 */
function mayNeedKey(settings) {
  if (!settings?.base_url || settings.api === 'embedded') return false;
  const host = hostOf(settings.base_url).replace(/:\d+$/, '');
  return !['localhost', '127.0.0.1', '[::1]', location.hostname].includes(host);
}
