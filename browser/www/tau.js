/**
 * Tau in a page: `import { Agent } from './tau.js'`.
 *
 * The agent lives in a Web Worker of its own (`agent.js`), so a page never waits for it. A page asks by
 * `call(name, arguments)` and hears by events. What each call takes and gives, and every event, is in
 * `PROTOCOL` below; `browser/src/calls.rs` is where they are answered.
 *
 * ```js
 * const agent = await Agent.open({ page: () => document.body.innerText });
 * agent.addEventListener('session', ({ detail }) => console.log(detail.event));
 * await agent.call('settings.set', { base_url: 'https://api.example.com/v1', model: 'm' });
 * await agent.call('key.set', { key });
 * const { session } = await agent.call('sessions.create');
 * await agent.call('prompt', { session, text: 'Hello' });
 * ```
 *
 * PROTOCOL. A call gives a promise of its answer, or of an {@link AgentError}. A session is named by its id.
 *
 * | call | takes | gives |
 * |---|---|---|
 * | `status` | | `{version, home: "browser", storage: {used, quota, persisted}, model, tools, online, has_key, key_needed, page}` |
 * | `settings.get` | | `{base_url, model, api, context_tokens, max_output_tokens, images, policy, system, memory}` |
 * | `settings.set` | any of those | all of them |
 * | `key.set` | `{key}` | held by the agent until the page closes; never stored, never given back |
 * | `key.forget` | | |
 * | `sessions.list` | | the sessions' lines, the last written first |
 * | `sessions.create` | | `{session}`: open, and stored with its first prompt |
 * | `sessions.open` | `{session}` | its view; its events arrive from here on. With `held` when another tab has it |
 * | `sessions.close` | `{session}` | another tab may have it. A turn that runs is finished first |
 * | `sessions.delete` | `{session}` | |
 * | `sessions.export` | `{session}` | JSON lines, as `tau session export` writes them |
 * | `bundle.export` | `{session?, encrypt_to?}` | `{base64, id, did, parts}`: the agent, or one session with memory and policy, signed |
 * | `bundle.import` | `{base64, own?}` | `{id, did, author, sessions, receipts, memories, unknown, left_behind}`: all of it verified first |
 * | `prompt` | `{session, text, images?}` | once it was taken |
 * | `interrupt`, `undo`, `redo`, `compact` | `{session}` | |
 * | `approve` | `{session, call_id, extent?: 'call' | 'session' | 'always', digest?}` | |
 * | `deny` | `{session, call_id, reason?}` | |
 * | `switch` | `{session, to}` | |
 * | `memory.list` | `{query?, forgotten?}` | entries, the newest or the best first |
 * | `memory.add` | `{text, kind?, tags?, namespace?}` | the entry |
 * | `memory.remove` | `{id}` | |
 * | `memory.restore` | `{id}` | the entries that are back |
 * | `grants.list` | | `[{rule, at, session}]`: what was allowed for good |
 * | `grants.revoke` | `{rule}` | |
 * | `identity` | | `{did, w3c, did_key, identity_key, created, algorithm, exportable, events, standing}` |
 * | `identity.log` | | the log of the agent's keys as text, for `tau identity import` and other pages |
 * | `identity.learn` | `{log}` | `{did, learned, standing}`: another agent is known by the log it showed |
 * | `identity.sign` | `{text}` | `{signature, did}`: Ed25519 over `tau:statement:v1`, a zero byte and the text's UTF-8, in base64 |
 * | `identity.verify` | `{text, signature, did?}` | `{valid, why?}`: whether it is the signature of that agent, which is known, or `did:key`; of this agent without one |
 * | `message.write` | `{to, text, kind?, fields?, answers?, life_ms?, way?: 'sealed' or 'channel' or 'plain'}` | the message with `packet`, text for whoever carries it |
 * | `message.shake` | `{to}` | the same, of the first packet of a session of two; the other's `reply` is taken within a minute |
 * | `message.send` | `{to, text, …, url?, allow?}` or `{id, url?, allow?}` | the message, and how it went: sent by `fetch` where the policy and `allow` let it |
 * | `message.flush` | `{allow?}` | `{sent, next_ms}`: what waits and is due is sent again |
 * | `message.take` | `{packet}` | `{taken, from, letter, text, body, kind, sealed, reply}`; what is refused is an error whose code says why |
 * | `message.list` | `{from?, unread?}` | letters, the oldest first |
 * | `message.read` | `{letter}` | the letter |
 * | `message.give` | `{letter, session}` | the open session reads it, as content of another agent, in a turn; once |
 * | `message.sent` | | `[{to, id, status, attempts, next_ms, why, …}]` |
 * | `message.channels` | | `[{with, channel}]`: with whom hands were shaken |
 * | `trust.list` | | `{height, agents, uncounted}`: the scores, as computed here |
 * | `trust.show` | `{did}` | `{score, tier, standing, terms, counted, …}` |
 * | `trust.attest` | `{did, task, outcome, response_ms?, note?}`, `{did, endorse}` or `{did, capability, proof}` | `{id, text}`: signed, for others |
 * | `trust.import` | `{text}` | `{admitted, known, refused, ledgers, refused_ledgers, learned, forked}` |
 * | `trust.export` | | text: all that scores are computed from |
 * | `escrow.deposit`, `escrow.withdraw` | `{amount, asset?, receipt?, ledger?}` | `{available, backing, …}` |
 * | `escrow.reserve` | `{to, amount, deadline_ms, asset?, task?, arbiter?, min_score?, min_arbiter_score?, ledger?}` | `{id, done, escrow}`; `deadline_ms` is counted from now |
 * | `escrow.release` | `{id, amount?}` | `{done, escrow, next, command}`: recorded, or text for the keeper of the ledger |
 * | `escrow.refund` | `{id}` | likewise |
 * | `escrow.dispute` | `{id, reason}` | likewise |
 * | `escrow.resolve` | `{id, to_payee, to_payer}` | likewise |
 * | `escrow.agree` | `{text}` | likewise: the other party's decision |
 * | `escrow.settle` | `{id, cost}`, `{id, session, turn?}` or `{id, outcome: 'failed' or 'timed_out'}` | `{escrow, to_payee, to_payer, recorded, commands, waits_for}` |
 * | `escrow.list` | `{all?}` | escrows; those that ended with `all` |
 * | `escrow.ledgers` | | `[{name, keeper, events, holds, why, sums}]` |
 * | `escrow.export` | `{ledger?}` | text: the ledger with the key logs it is checked by |
 * | `escrow.import` | `{text}` | another's ledger is taken in, or a party's command recorded |
 * | `model.load` | `{url}` | once the embedded model is there |
 * | `embedder.load` | `{url}` | once memory can be searched by meaning, too: of the model's files, only two are fetched |
 * | `embedder.status` | | `{state}`, also told as the event `embedder` |
 * | `model.unload` | | |
 * | `model.status` | | `{state: "absent" or "loading" or "ready" or "failed", …}` |
 * | `storage.persist` | | whether the browser promises to keep what is stored |
 *
 * | event | its `detail` |
 * |---|---|
 * | `session` | `{session, mark, event}`: something that happened in an open session |
 * | `held` | `{session, holder, since}`: another tab has it, who in words and since when, if it says; this one waits in line |
 * | `released` | `{session, view}`: this tab has it now, as it is stored |
 * | `model` | as `model.status` gives it: the model's state changed |
 * | `embedder` | as `embedder.status` gives it: its state changed |
 * | `settings` | as `settings.get` gives them: another tab changed them |
 * | `error` | an {@link AgentError}: what concerns no call, or nobody waited for |
 */

import { startWorker } from './agent/start.js';

/** Why a call was refused, or what went wrong. */
export class AgentError extends Error {
  /** @param {{ code: string, message: string, hint?: string, session?: string }} error */
  constructor({ code, message, hint, session }) {
    super(message);
    this.name = 'AgentError';
    /** Stable, for programs. */
    this.code = code;
    /** What to do about it, where that is known. @type {string | undefined} */
    this.hint = hint;
    /** The session it happened in, if one. @type {string | undefined} */
    this.session = session;
  }
}

/** The connection to an agent of this page. */
export class Agent extends EventTarget {
  /**
   * Starts the agent.
   *
   * @param {object} [options]
   * @param {string} [options.store] names what the agent keeps, for a page with several; letters, digits and hyphens
   * @param {() => string | Promise<string>} [options.page] gives the page's text when the agent asks for it, which a
   *   person allows each time; without it the agent has no such tool
   * @param {boolean} [options.agents] whether it can write to other agents, trust them and hold escrows with them, for
   *   which a larger module is loaded
   * @returns {Promise<Agent>} rejects with an {@link AgentError} where the browser lacks what it takes
   */
  static async open(options = {}) {
    const agent = new Agent(options);
    try {
      await agent.#ready;
    } catch (error) {
      // Nobody gets it, so nobody could close it.
      agent.close();
      throw error;
    }
    return agent;
  }

  #worker;
  #page;
  #next = 0;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: AgentError) => void }>} */
  #waiting = new Map();
  /** @type {Promise<void>} */
  #ready;
  /** @type {AgentError | null} */
  #over = null;

  /**
   * Use {@link Agent.open}.
   *
   * @param {{ store?: string, page?: () => string | Promise<string>, agents?: boolean }} options
   */
  constructor({ store = 'tau', page, agents = false }) {
    super();
    this.#page = page;
    this.#worker = startWorker(new URL('./agent.js', import.meta.url));
    this.#ready = new Promise((resolve, reject) => this.#waiting.set(0, { resolve, reject }));
    this.#worker.addEventListener('message', ({ data }) => this.#hear(data));
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.#end({ code: 'crashed', message: event.message || 'the agent could not be loaded', hint: 'reload the page' });
    });
    this.#send({ id: 0, call: 'open', args: { store, page: Boolean(page), agents, title: document.title } });
  }

  /**
   * Asks the agent.
   *
   * @param {string} name
   * @param {Record<string, any>} [args]
   * @returns {Promise<any>}
   */
  call(name, args = {}) {
    if (this.#over) return Promise.reject(this.#over);
    if (name === 'storage.persist') return persist();
    args = whole(name, args);
    this.#next += 1;
    const id = this.#next;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      try {
        this.#send({ id, call: name, args });
      } catch (error) {
        this.#waiting.delete(id);
        reject(new AgentError({ code: 'bad_request', message: `${name}: ${words(error)}` }));
      }
    });
  }

  /** Ends the agent at once. What was stored stays; a turn that was running goes on when its session is opened again. */
  close() {
    this.#end({ code: 'closed', message: 'the agent was closed by the page' }, false);
  }

  /** @param {any} message */
  #hear(message) {
    if ('ask' in message) void this.#answer(message.ask);
    else if ('event' in message) this.#tell(message.event, message.detail);
    else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ('error' in message) waiting?.reject(new AgentError(message.error));
      else waiting?.resolve(message.ok);
    }
  }

  /**
   * @param {string} event
   * @param {any} detail
   */
  #tell(event, detail) {
    if (event === 'crashed') this.#end(detail);
    else this.dispatchEvent(new CustomEvent(event, { detail: event === 'error' ? new AgentError(detail) : detail }));
  }

  /**
   * The agent may read the page.
   *
   * @param {number} ask
   */
  async #answer(ask) {
    try {
      const text = await this.#page?.();
      this.#send({ answer: ask, text: String(text ?? '') });
    } catch (error) {
      this.#send({ answer: ask, error: words(error) });
    }
  }

  /**
   * @param {{ code: string, message: string, hint?: string }} why
   * @param {boolean} [told]
   */
  #end(why, told = true) {
    if (this.#over) return;
    this.#over = new AgentError(why);
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(this.#over);
    this.#waiting.clear();
    if (told) this.dispatchEvent(new CustomEvent('error', { detail: this.#over }));
  }

  /** @param {object} message */
  #send(message) {
    this.#worker.postMessage(message);
  }
}

/**
 * Makes addresses whole that a page gives relative to itself: the worker is somewhere else.
 *
 * @param {string} name
 * @param {Record<string, any>} args
 */
function whole(name, args) {
  const { url, base_url } = args;
  if ((name === 'model.load' || name === 'embedder.load') && url) return { ...args, url: new URL(url, document.baseURI).href };
  // Only what cannot be a host: `api.example/v1` without a scheme is a slip, not a folder.
  if (name === 'settings.set' && base_url?.startsWith?.('/')) return { ...args, base_url: new URL(base_url, document.baseURI).href };
  return args;
}

/** Only a window may ask for it. */
async function persist() {
  return (await navigator.storage?.persist?.()) ?? false;
}

/** @param {unknown} error */
function words(error) {
  return error instanceof Error ? error.message : String(error);
}
