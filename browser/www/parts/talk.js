/**
 * One conversation: what the agent's view said, and what its events added since.
 *
 * Nothing here is invented: every text, duration and figure was in a view or in an event. At the
 * end of a turn the view is taken again, so what is shown is what is stored.
 */

import { textOf } from './tree.js';

/** @typedef {import('./tree.js').Entry} Entry */
/** @typedef {import('./tree.js').Message} Message */
/** @typedef {import('./tree.js').ToolResult} ToolResult */
/** @typedef {import('./tree.js').Usage} Usage */

/**
 * @typedef {{ call_id: string, name: string, arguments: unknown, reason: string, may_have_run: boolean,
 *   notice: { digest: string, rule?: string, always?: boolean, leaving?: { private: string, untrusted: string, to: string } } }} Question
 * @typedef {{ session: string, title: string, created: number, updated: number, model: string, running: boolean, can_undo: boolean, can_redo: boolean,
 *   held?: boolean, head: string | null, entries: Entry[], tips: string[],
 *   branch?: string, names?: { name: string, kind: 'branch' | 'bookmark', entry: string | null }[], waiting: Question[], usage: Usage }} View
 * @typedef {{ rule: string, reason: string, hint?: string }} Refusal
 * @typedef {{ kind: string, model: string, message: string, hint?: string }} Failure
 * @typedef {{ outcome: string, budget?: string, error?: Failure }} Outcome
 * @typedef {{ state: 'running' | 'waiting' | 'denied' | 'done', question?: Question, refusal?: Refusal, result?: ToolResult }} Call
 * @typedef {{ text: string, thinking: string, model: string, step: number, attempt: number }} Draft
 * @typedef {any} AgentEvent as `core/src/session/event.rs` has it: `{type, …}`
 */

export class Talk {
  /** @param {View} view */
  constructor(view) {
    /** How turns of this page's life ended; a view does not say it. @type {Map<number, Outcome>} */
    this.outcomes = new Map();
    /** What was told during a turn. @type {Map<number, string[]>} */
    this.notices = new Map();
    /** A prompt on its way to the store. @type {string | null} */
    this.pending = null;
    /** A prompt that was not stored: to be given back to the person. @type {string | null} */
    this.returned = null;
    /** Why nothing can be stored any more. @type {string | null} */
    this.stopped = null;
    /** Counts what changed besides the text being written. */
    this.changes = 0;
    this.session = view.session;
    this.view = view;
    this.running = false;
    /** @type {Entry[]} */
    this.entries = [];
    /** The message being written. @type {Draft | null} */
    this.draft = null;
    /** @type {{ error: string, at: number, model: string } | null} */
    this.retrying = null;
    /** The calls of the last message. @type {Map<string, Call>} */
    this.calls = new Map();
    /** Of the running turn. @type {Usage | null} */
    this.turnUsage = null;
    this.restart(view);
  }

  /**
   * Takes what is stored, and leaves what is being written as it is.
   *
   * @param {View} view
   */
  refresh(view) {
    if (!this.running && !view.running) return this.restart(view);
    this.view = view;
    this.entries = view.entries;
  }

  /**
   * Begins anew from a view: what is being written is repeated by events.
   *
   * @param {View} view
   */
  restart(view) {
    this.view = view;
    // Where another tab has the conversation, nothing of it is heard here.
    this.running = view.running && !view.held;
    this.entries = view.entries;
    this.draft = null;
    this.retrying = null;
    this.calls = new Map(view.waiting.map((question) => [question.call_id, { state: 'waiting', question }]));
    this.turnUsage = null;
  }

  /** Its name: that of the view, or what its first prompt will make it. */
  get title() {
    if (this.view.title) return this.view.title;
    const first = this.entries.find((entry) => entry.message.role === 'user');
    return (first ? textOf(first.message) : (this.pending ?? '')).split('\n', 1)[0];
  }

  /** The questions a person has to answer, oldest first. @returns {Question[]} */
  get questions() {
    return [...this.calls.values()].flatMap((call) => (call.state === 'waiting' && call.question ? [call.question] : []));
  }

  /** Whether nothing is under way: there is no turn, or it waits for a person. */
  get rests() {
    const works = [...this.calls.values()].some((call) => call.state === 'running');
    return this.pending === null && (!this.running || (this.questions.length > 0 && !works));
  }

  /** The number of the turn that is running or was the last. */
  get turn() {
    return this.entries.findLast((entry) => entry.on_path)?.turn ?? 0;
  }

  /**
   * Takes an event of this session.
   *
   * @param {AgentEvent} event
   * @returns {boolean} whether the stored session changed, so that its view is to be taken again
   */
  apply(event) {
    if (event.type !== 'text_delta' && event.type !== 'thinking_delta') this.changes += 1;
    switch (event.type) {
      case 'turn_started':
        this.running = true;
        return this.begin(event.turn, event.entry);
      case 'model_called':
        this.running = true;
        this.retrying = null;
        this.foldResults();
        this.draft = { text: '', thinking: '', model: event.model, step: event.step, attempt: event.attempt };
        return false;
      case 'text_delta':
        if (this.draft) this.draft.text += event.text;
        return false;
      case 'thinking_delta':
        if (this.draft) this.draft.thinking += event.text;
        return false;
      case 'message':
        this.draft = null;
        this.append(event.entry, event.message);
        return false;
      case 'recalled':
        this.append(event.entry, event.message, true);
        return false;
      case 'retrying':
        this.draft = null;
        this.retrying = event;
        return false;
      case 'tool_started':
        this.call(event, { state: 'running' });
        return false;
      case 'approval_requested':
        this.ask({ ...event, may_have_run: event.may_have_run ?? false });
        return false;
      case 'tool_denied':
        this.call(event, { state: 'denied', refusal: event.refusal });
        return false;
      case 'tool_finished':
        this.call(event.result, { state: 'done', result: event.result });
        return false;
      case 'usage':
        this.turnUsage = event.turn;
        return false;
      case 'notice':
        this.tell(event.text);
        return false;
      case 'screened':
        this.tell(screened(event));
        return false;
      case 'compacted':
        this.tell(compacted(event));
        return true;
      case 'turn_finished':
        this.running = false;
        this.pending = null;
        this.draft = null;
        this.outcomes.set(event.turn, event.outcome);
        return true;
      case 'stopped':
        this.running = false;
        this.returned = this.pending;
        this.pending = null;
        this.stopped = event.error.detail ?? event.error;
        return false;
      case 'moved':
      case 'done':
        return true;
      default:
        return false;
    }
  }

  /**
   * @param {number} turn
   * @param {string} entry
   * @returns {boolean} whether the prompt is not known here
   */
  begin(turn, entry) {
    this.turnUsage = null;
    this.calls = new Map();
    const known = this.entries.some((known) => known.id === entry);
    const unknown = !known && this.pending === null;
    if (!known && this.pending !== null) {
      const message = /** @type {Message} */ ({ role: 'user', parts: [{ type: 'text', text: this.pending }] });
      const parent = this.entries.findLast((known) => known.on_path)?.id ?? null;
      this.entries = [...this.entries, { id: entry, parent, turn, at: null, message, on_path: true }];
    }
    this.pending = null;
    return unknown;
  }

  /**
   * @param {string} id
   * @param {Message} message
   * @param {boolean} [recalled] whether it was found in memory
   */
  append(id, message, recalled = false) {
    if (this.entries.some((entry) => entry.id === id)) return;
    const last = this.entries.findLast((entry) => entry.on_path);
    this.entries = [...this.entries, { id, parent: last?.id ?? null, turn: this.turn, at: null, message, recalled, on_path: true }];
    this.calls = new Map();
  }

  /**
   * @param {{ call_id: string }} of
   * @param {Call} call
   */
  call(of, call) {
    this.calls = new Map(this.calls).set(of.call_id, { ...this.calls.get(of.call_id), ...call });
  }

  /**
   * A question that is told again stays the same one: what was typed beside it stays too.
   *
   * @param {Question} question
   */
  ask(question) {
    const known = this.calls.get(question.call_id);
    const same = known?.state === 'waiting' && ['name', 'reason', 'arguments'].every((part) => JSON.stringify(known.question?.[part]) === JSON.stringify(question[part]));
    if (!same) this.call(question, { state: 'waiting', question });
  }

  /** The next model call shows that the results are stored: they become an entry. */
  foldResults() {
    const parts = [...this.calls.values()].flatMap((call) => (call.result ? [{ type: /** @type {const} */ ('tool_result'), ...call.result }] : []));
    const last = this.entries.findLast((entry) => entry.on_path);
    if (parts.length === 0 || last?.message.role !== 'assistant') return;
    this.append(`results of ${last.id}`, { role: 'tool', parts });
  }

  /** @param {string} text */
  tell(text) {
    const told = this.notices.get(this.turn) ?? [];
    if (!told.includes(text)) this.notices.set(this.turn, [...told, text]);
  }
}

const SOURCES = { user: 'your message', instructions: 'the instructions', model: 'the answer', memory: 'the memory', summary: 'the summary' };
const DONE = { warn: 'left as it is', label: 'labelled for the model', redact: 'taken out', block: 'withheld whole' };

/** @param {{ source: { kind: string, name?: string }, findings: { family: string, action: keyof typeof DONE }[] }} event */
function screened({ source, findings }) {
  const from = source.kind === 'tool' ? `the result of ${source.name}` : SOURCES[/** @type {keyof typeof SOURCES} */ (source.kind)] ?? 'the text';
  const told = new Map(findings.map(({ family, action }) => [family, DONE[action]]));
  return `Found in ${from}: ${[...told].map(([family, done]) => `${family.replaceAll('_', ' ')} (${done})`).join(', ')}.`;
}

/** @param {{ entries: number, summarised: boolean }} event */
function compacted({ entries, summarised }) {
  const messages = entries === 1 ? '1 older message is' : `${entries} older messages are`;
  return summarised ? `${messages} now summarised for the model.` : `${messages} no longer shown to the model.`;
}
