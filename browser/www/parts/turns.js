/** A conversation as turns: a prompt, the steps that followed, and how it ended. */

import { isPrompt, memoriesOf, path, textOf, total } from './tree.js';

/** @typedef {import('./tree.js').Entry} Entry */
/** @typedef {import('./talk.js').Call} Call */

/**
 * @typedef {{ kind: 'thinking' | 'text', text: string, live: boolean }} Words
 * @typedef {{ kind: 'tool', call: import('./tree.js').ToolCall, state: Call | null }} ToolStep
 * @typedef {Words | ToolStep} Step
 * @typedef {object} Turn
 * @property {string} key
 * @property {'turn' | 'summary'} kind
 * @property {number} turn
 * @property {Entry | null} prompt
 * @property {string} text of the prompt, or of the summary
 * @property {{ mime: string, data: string }[]} images of the prompt
 * @property {Entry[]} alternatives the prompts that were given at the same place, this one among them, oldest first
 * @property {Step[]} steps
 * @property {import('./talk.js').Outcome | null} outcome
 * @property {string[]} notices
 * @property {import('./tree.js').Usage | null} usage
 * @property {boolean} live whether it is running
 * @property {boolean} last
 * @property {boolean} fixed whether it can only be read: another tab has the conversation
 * @property {{ error: string, at: number, model: string } | null} retrying
 */

/** What was made last of a conversation's entries. @type {WeakMap<object, { entries: Entry[], changes: number, list: Turn[] }>} */
const made = new WeakMap();

/**
 * The turns of a conversation. While only the text being written grows, all but the last are the
 * same objects as before.
 *
 * @param {import('./talk.js').Talk} talk
 * @returns {Turn[]}
 */
export function turns(talk) {
  const list = [...stored(talk)];
  if (talk.pending !== null) list.push(empty('pending', { text: talk.pending }));
  const last = list.pop();
  if (last) list.push(last.kind === 'turn' ? withLive(last, talk) : last);
  return list;
}

/** @param {import('./talk.js').Talk} talk */
function stored(talk) {
  const known = made.get(talk);
  if (known && known.entries === talk.entries && known.changes === talk.changes) return known.list;
  /** @type {Turn[]} */
  const list = [];
  const index = indexOf(talk.entries);
  for (const entry of path(talk.entries)) {
    if (entry.summary || isPrompt(entry) || list.length === 0) list.push(begin(talk, entry, index));
    const turn = list[list.length - 1];
    if (entry.message.role === 'assistant') addAnswer(turn, entry);
    if (entry.message.role === 'tool') addResults(turn, entry);
    if (entry.recalled) turn.notices = [...turn.notices, `From memory: ${memoriesOf(entry.message).join(' · ')}`];
  }
  made.set(talk, { entries: talk.entries, changes: talk.changes, list });
  return list;
}

/**
 * @param {string} key
 * @param {Partial<Turn>} given
 * @returns {Turn}
 */
function empty(key, given) {
  return {
    key,
    kind: 'turn',
    turn: 0,
    prompt: null,
    text: '',
    images: [],
    alternatives: [],
    steps: [],
    outcome: null,
    notices: [],
    usage: null,
    live: false,
    last: false,
    fixed: false,
    retrying: null,
    ...given,
  };
}

/**
 * @typedef {{ usages: Map<number, (import('./tree.js').Usage | undefined)[]>, prompts: Map<string | null, Entry[]> }} Index
 *   what the calls of each turn took, and the prompts that were given at each place, oldest first
 */

/**
 * @param {Entry[]} entries
 * @returns {Index}
 */
function indexOf(entries) {
  const index = /** @type {Index} */ ({ usages: new Map(), prompts: new Map() });
  for (const entry of entries) {
    if (entry.on_path) push(index.usages, entry.turn, entry.usage);
    if (isPrompt(entry)) push(index.prompts, entry.parent, entry);
  }
  return index;
}

/**
 * @template K, V
 * @param {Map<K, V[]>} lists
 * @param {K} key
 * @param {V} value
 */
function push(lists, key, value) {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/**
 * @param {import('./talk.js').Talk} talk
 * @param {Entry} entry
 * @param {Index} index
 */
function begin(talk, entry, index) {
  const prompt = isPrompt(entry) ? entry : null;
  return empty(entry.id, {
    kind: entry.summary ? 'summary' : 'turn',
    turn: entry.turn,
    prompt,
    text: prompt || entry.summary ? textOf(entry.message) : '',
    images: entry.message.parts.flatMap((part) => (part.type === 'image' ? [part] : [])),
    fixed: talk.view.held ?? false,
    alternatives: prompt ? (index.prompts.get(prompt.parent) ?? []) : [],
    outcome: talk.outcomes.get(entry.turn) ?? null,
    notices: talk.notices.get(entry.turn) ?? [],
    usage: entry.summary ? null : total(index.usages.get(entry.turn) ?? []),
  });
}

/**
 * @param {Turn} turn
 * @param {Entry} entry
 */
function addAnswer(turn, entry) {
  for (const part of entry.message.parts) {
    if (part.type === 'text' && part.text.trim()) turn.steps.push({ kind: 'text', text: part.text, live: false });
    if (part.type === 'thinking' && part.text.trim()) turn.steps.push({ kind: 'thinking', text: part.text, live: false });
    if (part.type === 'tool_call') turn.steps.push({ kind: 'tool', call: part, state: null });
  }
}

/**
 * Results belong to the calls of the message before: ids are unique within a message only.
 *
 * @param {Turn} turn
 * @param {Entry} entry
 */
function addResults(turn, entry) {
  for (const part of entry.message.parts) {
    if (part.type !== 'tool_result') continue;
    const open = turn.steps.find((step) => step.kind === 'tool' && step.call.id === part.call_id && !step.state);
    if (open?.kind === 'tool') open.state = { state: part.status === 'denied' ? 'denied' : 'done', result: part };
  }
}

/**
 * The last turn, with what has no entry yet.
 *
 * @param {Turn} base
 * @param {import('./talk.js').Talk} talk
 * @returns {Turn}
 */
function withLive(base, talk) {
  const known = (/** @type {Step} */ step) => (step.kind === 'tool' && !step.state ? { ...step, state: talk.calls.get(step.call.id) ?? null } : step);
  const turn = { ...base, last: true, steps: base.steps.map(known) };
  turn.live = talk.running || talk.pending !== null;
  if (!turn.live) return turn;
  turn.outcome = null;
  turn.retrying = talk.retrying;
  turn.usage = talk.turnUsage ?? turn.usage;
  const draft = talk.draft;
  if (draft?.thinking.trim()) turn.steps.push({ kind: 'thinking', text: draft.thinking, live: !draft.text });
  if (draft?.text.trim()) turn.steps.push({ kind: 'text', text: draft.text, live: true });
  return turn;
}
