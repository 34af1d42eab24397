/**
 * One tab has a session at a time, by a Web Lock; who has it tells those who ask.
 *
 * The browser gives a lock on when its tab closes, reloads or crashes, so there is nothing to clean up.
 */

/** How long a holder may take to answer: it lives in a Web Worker that never blocks. */
const PATIENCE_MS = 500;

export class Locks {
  #store;
  #channel;
  #me = crypto.randomUUID();
  /** When each session held here was taken. @type {Map<string, number>} */
  #held = new Map();
  /** @type {Map<string, (holder: { since: number, page: string }) => void>} */
  #asked = new Map();

  /**
   * @param {string} store
   * @param {string} title what this page is called when another tab asks
   */
  constructor(store, title) {
    this.#store = store;
    this.#channel = new BroadcastChannel(`${store}-sessions`);
    this.#channel.addEventListener('message', ({ data }) => {
      const since = data.who && this.#held.get(data.who);
      if (since) this.#channel.postMessage({ to: data.from, session: data.who, holder: { since, page: title } });
      else if (data.to === this.#me) this.#asked.get(data.session)?.(data.holder);
    });
  }

  /**
   * Gets in line for a session. `taken` is kept when it is this tab's turn; `release` gives the session on, or
   * leaves the line.
   *
   * @param {string} session
   */
  lock(session) {
    const leave = new AbortController();
    /** @type {() => void} */
    let end = () => {};
    const over = new Promise((resolve) => {
      end = () => resolve(undefined);
    });
    const taken = new Promise((resolve, reject) => {
      const have = () => {
        this.#held.set(session, Date.now());
        resolve(undefined);
        return over;
      };
      navigator.locks.request(`${this.#store}-session-${session}`, { signal: leave.signal }, have).catch(reject);
    });
    const release = () => {
      leave.abort();
      this.#held.delete(session);
      end();
    };
    return { taken, release };
  }

  /**
   * Asks who has a session.
   *
   * @param {string} session
   * @returns {Promise<string | undefined>} JSON text `{since, page}`; nothing when nobody answers
   */
  holder(session) {
    return new Promise((resolve) => {
      const patience = setTimeout(() => resolve(undefined), PATIENCE_MS);
      this.#asked.set(session, (holder) => {
        clearTimeout(patience);
        this.#asked.delete(session);
        resolve(JSON.stringify(holder));
      });
      this.#channel.postMessage({ who: session, from: this.#me });
    });
  }
}
