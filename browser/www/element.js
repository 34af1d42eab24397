/**
 * `<tau-agent>`: Tau in a page, with one tag.
 *
 * The element is a shadow root with screens; the agent behind it runs in a Web Worker (`tau.js`).
 * Everything shown comes from that agent.
 */

import { Actions } from './parts/actions.js';
import { button, notice } from './parts/controls.js';
import { h } from './parts/dom.js';
import { Frame } from './parts/frame.js';
import { icon } from './parts/icons.js';
import { problem } from './parts/problem.js';
import { Store } from './parts/store.js';
import { restoreTheme } from './parts/theme.js';

const STYLES = ['tokens.css', 'base.css', 'frame.css', 'talk.css', 'prose.css', 'screens.css'];

/** Attributes that are settings of the agent, and how their text is read. */
const SETTINGS = {
  'base-url': ['base_url', String],
  model: ['model', String],
  api: ['api', String],
  'context-tokens': ['context_tokens', Number],
  'max-output-tokens': ['max_output_tokens', Number],
  memory: ['memory', (/** @type {string} */ text) => text !== 'off'],
  policy: ['policy', String],
  system: ['system', String],
};

export class TauAgent extends HTMLElement {
  /** @type {import('./parts/actions.js').Agent | null} */
  #agent = null;
  /** @type {Frame | null} */
  #frame = null;
  #store = new Store();
  /** Names the start under way or done: another one makes it stale. @type {object | null} */
  #start = null;
  /** Ends the listeners on the window. */
  #gone = new AbortController();

  constructor() {
    super();
    this.attachShadow({ mode: 'open' });
  }

  /** The agent, once the element is ready: see `tau.js` for what can be called. */
  get agent() {
    return this.#agent;
  }

  /**
   * Begins a turn as if the text had been written into the element.
   *
   * @param {string} text
   * @returns {Promise<boolean>} whether it was taken
   */
  async prompt(text) {
    if (!this.#frame) throw new Error('the element is not ready: wait for its event tau-ready');
    this.#frame.actions.show('talk');
    return this.#frame.actions.prompt(text);
  }

  connectedCallback() {
    if (this.#start) return;
    this.#start = {};
    restoreTheme(this);
    this.#gone = new AbortController();
    const opening = h('div', { class: 'opening', role: 'status' }, icon('tau'), h('span', { class: 'unseen' }, 'Tau is starting'));
    const styles = STYLES.map((name) => h('link', { rel: 'stylesheet', href: new URL(name, import.meta.url).href }));
    this.shadowRoot?.append(...styles, opening);
    void this.#open(this.#start, styles, opening);
  }

  disconnectedCallback() {
    // Moving an element disconnects it for a moment only.
    queueMicrotask(() => {
      if (!this.isConnected) this.#clear();
    });
  }

  /** As if it had never been started. */
  #clear() {
    this.#start = null;
    this.#gone.abort();
    /** @type {any} */ (this.#agent)?.close();
    this.#agent = null;
    this.#frame = null;
    this.#store = new Store();
    this.shadowRoot?.replaceChildren();
  }

  /**
   * @param {object} start
   * @param {HTMLLinkElement[]} styles
   * @param {HTMLElement} opening
   */
  async #open(start, styles, opening) {
    const stale = () => this.#start !== start;
    try {
      const [{ Agent }] = await Promise.all([import('./tau.js'), ...styles.map(loaded)]);
      if (stale()) return;
      const given = this.#given();
      const store = this.getAttribute('store') ?? undefined;
      const agent = await Agent.open({ store, page: this.#page(), agents: this.hasAttribute('agents') });
      if (stale()) return agent.close();
      this.#agent = agent;
      if (Object.keys(given).length > 0) await agent.call('settings.set', given);
      if (stale()) return;
      const actions = new Actions(this.#store, agent);
      this.#watchNetwork();
      this.#frame = new Frame(this, actions, {
        placeholder: this.getAttribute('placeholder') ?? 'Ask Tau',
        greeting: this.getAttribute('greeting') ?? 'What would you like to do?',
        fixed: new Set(Object.keys(given)),
        embedded: this.getAttribute('embedded') ?? new URL('model/files/', import.meta.url).href,
      });
      await actions.start();
      if (stale()) return;
      opening.replaceWith(this.#frame.root);
      if (this.hasAttribute('autofocus')) this.#frame.compose();
      this.dispatchEvent(new CustomEvent('tau-ready', { bubbles: true }));
    } catch (error) {
      if (!stale()) this.#fail(error, opening);
    }
  }

  /** What the page decided by attributes. */
  #given() {
    /** @type {Record<string, string | number | boolean>} */
    const given = {};
    for (const [attribute, [name, read]] of Object.entries(SETTINGS)) {
      const text = this.getAttribute(attribute);
      if (text !== null) given[/** @type {string} */ (name)] = /** @type {(text: string) => string | number | boolean} */ (read)(text);
    }
    return given;
  }

  /** The page's text for the agent, which a person allows each time; only where the page offers it. */
  #page() {
    if (!this.hasAttribute('reads-page')) return undefined;
    const selector = this.getAttribute('reads-page') || 'body';
    return () => /** @type {HTMLElement | null} */ (document.querySelector(selector))?.innerText ?? '';
  }

  #watchNetwork() {
    const tell = () => this.#store.set({ online: navigator.onLine });
    addEventListener('online', tell, { signal: this.#gone.signal });
    addEventListener('offline', tell, { signal: this.#gone.signal });
  }

  /**
   * @param {unknown} error
   * @param {HTMLElement} opening
   */
  #fail(error, opening) {
    const { title, cause, hint } = problem(error, 'Tau could not start');
    const again = button('Try again', () => {
      this.#clear();
      this.connectedCallback();
    });
    opening.replaceWith(h('div', { class: 'opening', role: 'alert' }, notice({ kind: 'bad', title, text: cause, hint, actions: [again] })));
    this.dispatchEvent(new CustomEvent('tau-error', { detail: error, bubbles: true }));
  }
}

/**
 * Waits for a style sheet; a missing one is an error, not an ugly page.
 *
 * @param {HTMLLinkElement} link
 */
function loaded(link) {
  return new Promise((resolve, reject) => {
    link.addEventListener('load', resolve, { once: true });
    link.addEventListener('error', () => reject(new Error(`${link.href} could not be loaded`)), { once: true });
  });
}

customElements.define('tau-agent', TauAgent);
