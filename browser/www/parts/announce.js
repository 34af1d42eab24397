/**
 * Tells a screen reader what happens: an answer in whole paragraphs, never token by token; a
 * question of the agent at once.
 */

import { h, say } from './dom.js';
import { split } from './markdown.js';
import { spoken } from './prose.js';

export class Announcer {
  /** @param {import('./store.js').Store} store */
  constructor(store) {
    this.calm = h('div', { class: 'unseen', role: 'log', 'aria-live': 'polite', 'aria-label': 'Answer' });
    this.urgent = h('div', { class: 'unseen', role: 'alert' });
    this.root = h('div', {}, this.calm, this.urgent);
    /** How many blocks of the message being written were told. */
    this.told = 0;
    store.addEventListener('heard', (event) => {
      const { session, event: heard } = /** @type {CustomEvent} */ (event).detail;
      const talk = store.state.talk;
      if (talk && talk.session === session) this.hear(heard, talk.draft?.text ?? '');
    });
  }

  /**
   * @param {import('./talk.js').AgentEvent} event
   * @param {string} draft
   */
  hear(event, draft) {
    switch (event.type) {
      case 'model_called':
        this.told = 0;
        break;
      case 'text_delta':
        if (event.text.includes('\n')) this.tellBlocks(split(draft).slice(0, -1));
        break;
      case 'message': {
        const text = event.message.parts.map((/** @type {any} */ part) => (part.type === 'text' ? part.text : '')).join('');
        this.tellBlocks(split(text));
        break;
      }
      case 'tool_started':
        this.tell(`Tool ${event.name} runs.`);
        break;
      case 'approval_requested':
        say(this.urgent, `Tau asks whether it may use ${event.name}: ${event.reason}. Alt Y allows it once, Alt N refuses it.`);
        break;
      case 'turn_finished':
        say(this.urgent, event.outcome.outcome === 'failed' ? `The turn failed: ${event.outcome.error?.message}` : '');
        break;
    }
  }

  /** @param {string[]} blocks */
  tellBlocks(blocks) {
    if (blocks.length > this.told) this.tell(blocks.slice(this.told).map(spoken).join(' '));
    this.told = blocks.length;
  }

  /** @param {string} text */
  tell(text) {
    this.calm.append(h('p', {}, text));
    while (this.calm.childElementCount > 20) this.calm.firstElementChild?.remove();
  }
}
