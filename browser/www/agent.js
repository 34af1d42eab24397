/**
 * The agent's Web Worker: loads the WebAssembly module and gives it what the browser has.
 *
 * Messages from the page are `{id, call, args}` and `{answer, …}`; to the page `{id, ok}`, `{id, error}`,
 * `{event, detail}` and `{ask}`. See `tau.js`.
 */

import { Keys } from './agent/keys.js';
import { Locks } from './agent/locks.js';
import { startModel } from './agent/model.js';
import { time } from './agent/time.js';

/** @typedef {{ store: string, page: boolean, agents: boolean, title: string }} Options */

/** What the module needs of the browser, under the names it knows (`browser/src/browser.rs`). */
class Browser {
  /** @type {Map<number, { resolve: (text: string) => void, reject: (error: Error) => void }>} */
  #asked = new Map();
  #asks = 0;
  #keys;
  #locks;
  /** Between the tabs. */
  #settings;

  /** @param {Options} options */
  constructor({ store, title }) {
    this.#keys = new Keys(store);
    this.#locks = new Locks(store, title);
    this.#settings = new BroadcastChannel(`${store}-settings`);
    this.#settings.addEventListener('message', () => agent?.settingsChanged());
  }

  /** @param {string} text */
  post(text) {
    postMessage(JSON.parse(text));
  }

  /** The page's text, as the page gives it. */
  page() {
    this.#asks += 1;
    const ask = this.#asks;
    return new Promise((resolve, reject) => {
      this.#asked.set(ask, { resolve, reject });
      postMessage({ ask });
    });
  }

  /** @param {{ answer: number, text?: string, error?: string }} message */
  answered({ answer, text, error }) {
    const asked = this.#asked.get(answer);
    this.#asked.delete(answer);
    if (error === undefined) asked?.resolve(text ?? '');
    else asked?.reject(new Error(error));
  }

  /** What is public of the agent's keys, made at the first visit. */
  identity() {
    return this.#keys.identity();
  }

  /**
   * @param {'identity' | 'signing'} which
   * @param {Uint8Array} bytes
   */
  sign(which, bytes) {
    return this.#keys.sign(which, bytes);
  }

  /** @param {Uint8Array} other */
  agree(other) {
    return this.#keys.agree(other);
  }

  /**
   * @param {string} before
   * @param {string} log
   */
  keepLog(before, log) {
    return this.#keys.keepLog(before, log);
  }

  /** @param {string} session */
  lock(session) {
    return this.#locks.lock(session);
  }

  /** @param {string} session */
  holder(session) {
    return this.#locks.holder(session);
  }

  async persisted() {
    return (await navigator.storage?.persisted?.()) ?? false;
  }

  /** @param {string} zone */
  time(zone) {
    return time(zone);
  }

  online() {
    return navigator.onLine !== false;
  }

  /** The other tabs read them again. */
  settingsChanged() {
    this.#settings.postMessage(null);
  }

  /** @param {(message: string) => void} hear */
  startModel(hear) {
    return startModel(hear);
  }
}

/** What a page must have; browsers give it to secure origins (https, localhost) alone. */
const NEEDED = [
  ['crypto.subtle', () => self.crypto?.subtle],
  ['Web Locks', () => navigator.locks],
  ['IndexedDB', () => self.indexedDB],
];

/** @type {Browser | undefined} */
let browser;
/** @type {import('./tau_agent.js').Agent | undefined} */
let agent;

self.addEventListener('message', async ({ data }) => {
  if ('answer' in data) browser?.answered(data);
  else if (agent) agent.receive(data.id, data.call, JSON.stringify(data.args));
  else if (data.call === 'open') await open(data.id, data.args);
});

/**
 * @param {number} id
 * @param {Options} options
 */
async function open(id, options) {
  const missing = NEEDED.find(([, has]) => !has());
  if (missing) {
    const message = `this page has no ${missing[0]}`;
    postMessage({ id, error: { code: 'insecure_context', message, hint: 'serve the page over https or from localhost' } });
    return;
  }
  browser = new Browser(options);
  try {
    const module = options.agents ? './agents/tau_agent.js' : './tau_agent.js';
    const { default: init, Agent } = await import(module);
    await init();
    agent = await Agent.open(browser, options.store, options.page);
    postMessage({ id, ok: null });
  } catch (error) {
    // The module fails with JSON text, the browser with an exception.
    const told = typeof error === 'string' ? JSON.parse(error) : { code: 'load', message: String(error) };
    postMessage({ id, error: told });
  }
}
