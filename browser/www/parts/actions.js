/** What a person can do, as calls of the agent. A call that fails leaves its reason in the state. */

import { keep, recall } from './kept.js';
import { problem } from './problem.js';
import { textOf } from './tree.js';
import { Talk } from './talk.js';

/** @typedef {{ call: (name: string, args?: object) => Promise<any>, addEventListener: EventTarget['addEventListener'] }} Agent */

export class Actions {
  /**
   * @param {import('./store.js').Store} store
   * @param {Agent} agent
   */
  constructor(store, agent) {
    this.store = store;
    this.agent = agent;
    /** Conversations that may still be running. @type {Map<string, Talk>} */
    this.talks = new Map();
    agent.addEventListener('session', (event) => this.onSession(/** @type {CustomEvent} */ (event).detail));
    agent.addEventListener('held', (event) => this.onHeld(/** @type {CustomEvent} */ (event).detail));
    agent.addEventListener('released', (event) => this.onReleased(/** @type {CustomEvent} */ (event).detail));
    agent.addEventListener('model', (event) => store.set({ model: /** @type {CustomEvent} */ (event).detail }));
    agent.addEventListener('embedder', (event) => store.set({ embedder: /** @type {CustomEvent} */ (event).detail }));
    agent.addEventListener('settings', (event) => {
      store.set({ settings: /** @type {CustomEvent} */ (event).detail });
      void this.refreshStatus();
    });
    agent.addEventListener('error', (event) => {
      const error = /** @type {CustomEvent} */ (event).detail ?? event;
      store.set({ problem: problem(error, 'The agent ran into an error') });
    });
  }

  get state() {
    return this.store.state;
  }

  /** Loads what the screens begin with. */
  async start() {
    const [status, settings, sessions, model, embedder] = await Promise.all([
      this.agent.call('status'),
      this.agent.call('settings.get'),
      this.agent.call('sessions.list'),
      this.agent.call('model.status'),
      this.agent.call('embedder.status'),
    ]);
    this.store.set({ phase: 'ready', status, settings, sessions, model, embedder });
    const wanted = recall('embedder');
    // From what this browser keeps; without a network and its files, words are searched.
    if (wanted) this.agent.call('embedder.load', { url: wanted }).catch(() => {});
    const last = recall('session');
    if (last && sessions.some((/** @type {any} */ line) => line.session === last)) await this.open(last);
  }

  /**
   * Calls the agent for a person, who is told of a failure; one told before is over.
   *
   * @param {string} doing "Could not …"
   * @param {string} name
   * @param {object} [args]
   */
  attempt(doing, name, args) {
    if (this.state.problem) this.dismiss();
    return this.ask(doing, name, args);
  }

  /**
   * Calls the agent; a failure is told and not thrown.
   *
   * @param {string} doing "Could not …"
   * @param {string} name
   * @param {object} [args]
   * @returns {Promise<{ ok: true, value: any } | { ok: false }>}
   */
  async ask(doing, name, args) {
    try {
      return { ok: true, value: await this.agent.call(name, args) };
    } catch (error) {
      this.store.set({ problem: problem(error, doing) });
      return { ok: false };
    }
  }

  dismiss() {
    this.store.set({ problem: null });
  }

  /** @param {import('./store.js').Screen} screen */
  show(screen) {
    this.store.set({ screen, drawer: false, problem: null });
    if (screen !== 'talk') void this.refreshStatus();
  }

  async refreshStatus() {
    const status = await this.ask('Could not ask the agent how it is', 'status');
    if (status.ok) this.store.set({ status: status.value });
  }

  async refreshSessions() {
    const sessions = await this.ask('Could not list the conversations', 'sessions.list');
    if (sessions.ok) this.store.set({ sessions: sessions.value });
  }

  /** Leaves the open conversation for an empty one. */
  async fresh() {
    const left = this.state.talk;
    keep('session', null);
    this.store.set({ talk: null, held: null, opening: null, screen: 'talk', drawer: false, problem: null });
    await this.leave(left);
  }

  /** @param {string} session */
  async open(session) {
    const left = this.state.talk;
    this.store.set({ opening: session, held: null, screen: 'talk', drawer: false });
    if (left?.session !== session) await this.leave(left);
    if (this.state.opening !== session) return;
    const talk = this.talks.get(session) ?? (await this.load(session));
    // It was left before it was open: nobody looks at it, so another tab may have it.
    if (this.state.opening !== session) return this.letGo(session);
    if (talk) keep('session', session);
    this.store.set({ talk: talk ?? null, opening: null });
    if (left) this.letGo(left.session);
  }

  /**
   * @param {string} session
   * @returns {Promise<Talk | null>}
   */
  async load(session) {
    const view = await this.attempt('Could not open the conversation', 'sessions.open', { session });
    if (!view.ok) return null;
    const talk = this.talks.get(session) ?? new Talk(view.value);
    this.talks.set(session, talk);
    return talk;
  }

  /**
   * Lets another tab have a conversation, unless it is still at work.
   *
   * @param {Talk | null} talk
   */
  async leave(talk) {
    if (!talk?.rests) return;
    this.talks.delete(talk.session);
    await this.ask('Could not close the conversation', 'sessions.close', { session: talk.session });
  }

  /**
   * Begins a turn; in a new conversation if none is open.
   *
   * @param {string} text
   * @returns {Promise<boolean>} whether it was taken
   */
  async prompt(text) {
    let talk = this.state.talk;
    if (!talk) {
      const created = await this.attempt('Could not begin a conversation', 'sessions.create');
      if (!created.ok) return false;
      talk = await this.load(created.value.session);
      if (!talk) return false;
      keep('session', talk.session);
    }
    talk.pending = text;
    this.store.set({ talk });
    const taken = await this.attempt('The message was not taken', 'prompt', { session: talk.session, text });
    if (!taken.ok) talk.pending = null;
    this.store.set();
    return taken.ok;
  }

  /**
   * A command to the open conversation.
   *
   * @param {string} doing
   * @param {string} name
   * @param {object} [args]
   */
  async command(doing, name, args = {}) {
    const talk = this.state.talk;
    if (!talk) return false;
    const done = await this.attempt(doing, name, { session: talk.session, ...args });
    return done.ok;
  }

  stop() {
    return this.command('Could not stop', 'interrupt');
  }

  /** Whether questions can be answered here: the conversation is open, and of this tab. */
  get canAnswer() {
    const { talk, held, opening } = this.state;
    return Boolean(talk && !talk.view.held && !talk.stopped && !held && (opening === null || opening === talk.session));
  }

  /**
   * @param {import('./talk.js').Question} question
   * @param {'call' | 'session' | 'always'} extent
   */
  approve(question, extent) {
    const digest = question.notice.digest;
    return this.answer(question, 'Could not allow the call', 'approve', { extent, digest });
  }

  /**
   * @param {import('./talk.js').Question} question
   * @param {string} [reason]
   */
  deny(question, reason) {
    return this.answer(question, 'Could not refuse the call', 'deny', { reason: reason || undefined });
  }

  /**
   * Answers the very question that was shown, and no other that has its call's id by now.
   *
   * @param {import('./talk.js').Question} question
   * @param {string} doing
   * @param {string} name
   * @param {object} args
   */
  async answer(question, doing, name, args) {
    if (!this.canAnswer || !this.state.talk?.questions.includes(question)) return false;
    return this.command(doing, name, { call_id: question.call_id, ...args });
  }

  undo() {
    return this.command('Could not undo', 'undo');
  }

  redo() {
    return this.command('Could not redo', 'redo');
  }

  compact() {
    return this.command('Could not summarise', 'compact');
  }

  /** @param {string} to an entry */
  switchTo(to) {
    return this.command('Could not go to the other branch', 'switch', { to });
  }

  /**
   * Asks again at the place of an earlier prompt: a branch beside it.
   *
   * @param {import('./tree.js').Entry} prompt
   * @param {string} [text] instead of the prompt's own
   */
  async again(prompt, text = textOf(prompt.message)) {
    const talk = this.state.talk;
    if (!talk) return false;
    if (!(await this.goBefore(talk, prompt))) return false;
    return this.prompt(text);
  }

  /**
   * @param {Talk} talk
   * @param {import('./tree.js').Entry} prompt
   */
  async goBefore(talk, prompt) {
    if (prompt.parent) return this.command('Could not go back', 'switch', { to: prompt.parent });
    // Nothing comes before the first prompt, so there is no entry to go to: undo turn by turn.
    const turns = new Set(talk.entries.filter((entry) => entry.on_path && !entry.summary).map((entry) => entry.turn));
    for (let left = turns.size; left > 0; left -= 1) {
      if (!(await this.command('Could not go back', 'undo'))) return false;
    }
    return true;
  }

  /** @param {string} session */
  async remove(session) {
    // Forgotten first: the end of its turn is told while it is deleted, and is nobody's concern.
    const talk = this.talks.get(session);
    this.talks.delete(session);
    const done = await this.attempt('Could not delete the conversation', 'sessions.delete', { session });
    if (!done.ok) {
      if (talk && !this.talks.has(session)) {
        this.talks.set(session, talk);
        void this.refreshTalk(talk);
      }
      return;
    }
    if (this.state.talk?.session === session) {
      keep('session', null);
      this.store.set({ talk: null });
    }
    await this.refreshSessions();
  }

  /** @param {{ session: string, mark: string, event: import('./talk.js').AgentEvent }} detail */
  onSession({ session, event }) {
    const talk = this.talks.get(session);
    const stale = talk?.apply(event) ?? false;
    if (stale && talk) void this.refreshTalk(talk);
    if (event.type === 'turn_started' || event.type === 'turn_finished') void this.refreshSessions();
    if (event.type === 'turn_finished' || event.type === 'approval_requested') this.letGo(session);
    this.store.dispatchEvent(new CustomEvent('heard', { detail: { session, event } }));
    this.store.set();
  }

  /**
   * A conversation that was left is closed once it rests.
   *
   * @param {string} session
   */
  letGo(session) {
    if (!this.talks.get(session)?.rests || session === this.state.talk?.session || session === this.state.opening) return;
    this.talks.delete(session);
    void this.ask('Could not close the conversation', 'sessions.close', { session });
  }

  /**
   * Takes the view again, and once more if something happened meanwhile.
   *
   * @param {Talk} talk
   */
  async refreshTalk(talk) {
    for (let tries = 0; tries < 5; tries += 1) {
      if (this.talks.get(talk.session) !== talk) return;
      const before = talk.changes;
      const view = await this.agent.call('sessions.open', { session: talk.session }).catch((error) => {
        // One that was left or deleted meanwhile is missed by nobody.
        if (this.talks.get(talk.session) === talk) this.store.set({ problem: problem(error, 'Could not read the conversation') });
      });
      if (!view || this.talks.get(talk.session) !== talk) return;
      if (talk.changes !== before) continue;
      talk.refresh(view);
      this.store.set();
      return;
    }
  }

  /** @param {{ session: string, holder?: string }} detail */
  onHeld(detail) {
    const { talk, opening } = this.state;
    if (detail.session === opening || detail.session === talk?.session) this.store.set({ held: detail });
  }

  /** @param {{ session: string, view: import('./talk.js').View }} detail */
  onReleased({ session, view }) {
    this.talks.get(session)?.restart(view);
    if (this.state.held?.session === session) this.store.set({ held: null });
    else this.store.set();
  }
}
