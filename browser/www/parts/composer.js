/** Where a message is written: Enter sends, Shift+Enter begins a line, Escape stops the answer. */

import { iconButton } from './controls.js';
import { h, say, set } from './dom.js';

export class Composer {
  /**
   * @param {import('./actions.js').Actions} actions
   * @param {string} placeholder
   */
  constructor(actions, placeholder) {
    this.actions = actions;
    this.area = h('textarea', {
      class: 'composer-text',
      rows: 1,
      'aria-label': 'Message to Tau',
      placeholder,
      dir: 'auto',
      oninput: () => this.grow(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
    });
    this.send = iconButton('Send', 'send', () => this.submit(), { class: 'icon-button send' });
    this.stop = iconButton('Stop', 'stop', () => actions.stop(), { class: 'icon-button send is-stop', 'aria-keyshortcuts': 'Escape' });
    this.hint = h('p', { class: 'composer-hint' });
    this.root = h(
      'form',
      { class: 'composer', part: 'composer', onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
      h('div', { class: 'composer-box' }, this.area, this.stop, this.send),
      this.hint,
    );
    this.sending = false;
    // Another width wraps the text elsewhere.
    let width = 0;
    new ResizeObserver(([entry]) => {
      if (entry && entry.contentRect.width !== width) this.grow();
      width = entry?.contentRect.width ?? 0;
    }).observe(this.area);
  }

  /** @param {import('./store.js').State} state */
  update(state) {
    const { talk, status, settings, held } = state;
    if (talk?.returned && this.area.value === '') {
      this.area.value = talk.returned;
      talk.returned = null;
      this.grow();
    }
    const running = Boolean(talk && (talk.running || talk.pending !== null));
    const ready = isReady(state);
    this.blocked = running || !ready || Boolean(held) || Boolean(talk?.stopped) || state.opening !== null;
    set(this.stop, { hidden: !running });
    set(this.send, { hidden: running, disabled: this.blocked || this.area.value.trim() === '' });
    set(this.area, { 'aria-disabled': this.blocked && !running });
    const model = settings?.api === 'embedded' ? 'the small model in this page' : status?.model;
    say(this.hint, status?.model ? `Answered by ${model}. Check what matters.` : '');
  }

  grow() {
    this.area.style.height = 'auto';
    this.area.style.height = `${this.area.scrollHeight}px`;
    set(this.send, { disabled: this.blocked || this.area.value.trim() === '' });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void this.submit();
  }

  async submit() {
    const text = this.area.value.trim();
    if (!text || this.blocked || this.sending) return;
    this.sending = true;
    const taken = this.actions.prompt(text);
    this.area.value = '';
    this.grow();
    // What was not taken is given back, unless something new was written meanwhile.
    if (!(await taken) && this.area.value === '') {
      this.area.value = text;
      this.grow();
    }
    this.sending = false;
  }

  focus() {
    this.area.focus();
  }
}

/**
 * Whether there is a model to ask.
 *
 * @param {import('./store.js').State} state
 */
export function isReady({ status }) {
  return Boolean(status?.model);
}
