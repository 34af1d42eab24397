/** The graph of a session: which entries make the conversation as it stands, and where it parts. */

/**
 * @typedef {{ type: 'text', text: string } | { type: 'image', mime: string, data: string }
 *   | { type: 'thinking', text: string } | ({ type: 'tool_call' } & ToolCall) | ({ type: 'tool_result' } & ToolResult)} MessagePart
 * @typedef {{ id: string, name: string, arguments: unknown }} ToolCall
 * @typedef {{ call_id: string, name: string, status: 'ok' | 'error' | 'denied' | 'timed_out' | 'cancelled', text: string, duration_ms: number,
 *   images?: { mime: string, data: string }[] }} ToolResult
 * @typedef {{ role: 'user' | 'assistant' | 'tool', parts: MessagePart[] }} Message
 * @typedef {{ input_tokens: number, output_tokens: number, cached_input_tokens: number, cost_nano_usd: number }} Usage
 * @typedef {{ id: string, parent: string | null, turn: number, at: number | null, message: Message, usage?: Usage, summary?: boolean, recalled?: boolean, on_path: boolean }} Entry
 */

/**
 * The conversation as it stands.
 *
 * @param {Entry[]} entries
 */
export function path(entries) {
  return entries.filter((entry) => entry.on_path);
}

/** @param {Entry} entry */
export function isPrompt(entry) {
  return entry.message.role === 'user' && !entry.summary && !entry.recalled;
}

/**
 * Where the branch that begins with `from` was left: its end that was written last.
 *
 * @param {Entry[]} entries in the order they were stored
 * @param {string[]} tips
 * @param {string} from
 * @returns {string}
 */
export function tipOf(entries, tips, from) {
  // Parents come before their children, so one pass finds everything below.
  const below = new Set([from]);
  let tip = from;
  for (const entry of entries) {
    if (entry.id !== from && !(entry.parent && below.has(entry.parent))) continue;
    below.add(entry.id);
    if (tips.includes(entry.id)) tip = entry.id;
  }
  return tip;
}

/** @param {Message} message */
export function textOf(message) {
  return message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/**
 * What was found in memory, without what stands around it.
 *
 * @param {Message} message
 * @returns {string[]}
 */
export function memoriesOf(message) {
  const texts = message.parts.map((part) => (part.type === 'text' ? part.text : ''));
  return texts.slice(1, -1).map((text) => text.replace(/^- \[[^\]]*\] /, '').trim());
}

/**
 * Sums what calls took.
 *
 * @param {(Usage | undefined)[]} usages
 * @returns {Usage | null}
 */
export function total(usages) {
  const known = usages.filter((usage) => usage !== undefined);
  if (known.length === 0) return null;
  const sum = { input_tokens: 0, output_tokens: 0, cached_input_tokens: 0, cost_nano_usd: 0 };
  for (const usage of known) {
    for (const key of Object.keys(sum)) sum[key] += usage[key] ?? 0;
  }
  return sum;
}
