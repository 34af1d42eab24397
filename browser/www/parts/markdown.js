/**
 * Markdown into a tree: the part of it that models write.
 *
 * The text is hostile. The tree holds no markup, only kinds and texts; a link is kept only if it
 * leads to http or https; a picture becomes a link, because loading one would tell its server what
 * the conversation is about. Time is linear in the length of the text for any input, nesting is
 * bounded.
 */

/**
 * @typedef {{ kind: 'text', text: string }
 *   | { kind: 'code', text: string }
 *   | { kind: 'break' }
 *   | { kind: 'strong' | 'em' | 'del', children: Inline[] }
 *   | { kind: 'link', href: string, children: Inline[] }} Inline
 * @typedef {{ kind: 'heading', level: number, children: Inline[] }
 *   | { kind: 'paragraph', children: Inline[] }
 *   | { kind: 'code', language: string, text: string }
 *   | { kind: 'quote', blocks: Block[] }
 *   | { kind: 'list', ordered: boolean, start: number, items: Block[][] }
 *   | { kind: 'table', head: Inline[][], rows: Inline[][][] }
 *   | { kind: 'rule' }} Block
 */

const MAX_DEPTH = 6;
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`\s]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])\s*(?:\1\s*){2,}$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const TABLE_RULE = /^ {0,3}\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/**
 * Cuts a text into its outermost blocks, as raw text: what was cut earlier does not change when
 * more is appended, except for the last.
 *
 * @param {string} text
 * @returns {string[]}
 */
export function split(text) {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    if (lines[at].trim() === '') {
      at += 1;
      continue;
    }
    const end = blockEnd(lines, at);
    blocks.push(lines.slice(at, end).join('\n'));
    at = end;
  }
  return blocks;
}

/**
 * The line behind the block that begins at `at`.
 *
 * @param {string[]} lines
 * @param {number} at
 */
function blockEnd(lines, at) {
  const fence = FENCE.exec(lines[at]);
  if (fence) return fenceEnd(lines, at, fence[1]) + 1;
  if (HEADING.test(lines[at]) || RULE.test(lines[at])) return at + 1;
  if (ITEM.test(lines[at])) return listEnd(lines, at);
  let end = at + 1;
  const quoted = QUOTE.test(lines[at]);
  while (end < lines.length && lines[end].trim() !== '') {
    if (!quoted && interrupts(lines[end])) break;
    end += 1;
  }
  return end;
}

/** @param {string} line */
function interrupts(line) {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || /^ {0,3}([-*+]|1[.)])\s+\S/.test(line);
}

/**
 * @param {string[]} lines
 * @param {number} at
 * @param {string} marks
 */
function fenceEnd(lines, at, marks) {
  const close = new RegExp(`^ {0,3}${marks[0]}{${Math.min(marks.length, 50)},}\\s*$`);
  for (let end = at + 1; end < lines.length; end += 1) {
    if (close.test(lines[end])) return end;
  }
  return lines.length;
}

/**
 * A list goes on over blank lines as long as what follows is an item or belongs to one.
 *
 * @param {string[]} lines
 * @param {number} at
 */
function listEnd(lines, at) {
  const first = /** @type {RegExpExecArray} */ (ITEM.exec(lines[at]));
  let end = at + 1;
  while (end < lines.length) {
    const fence = /^ +/.test(lines[end]) && FENCE.exec(lines[end].trimStart());
    const item = ITEM.exec(lines[end]);
    if (fence) {
      end += 1;
      while (end < lines.length && !lines[end].trim().startsWith(fence[1])) end += 1;
      end += 1;
    } else if (item && item[1].length <= first[1].length + 1 && isNumber(item[2]) !== isNumber(first[2])) {
      return end;
    } else if (lines[end].trim() !== '') {
      if (!item && (HEADING.test(lines[end]) || RULE.test(lines[end]) || FENCE.test(lines[end]))) return end;
      end += 1;
    } else {
      const next = lines.slice(end, end + 3).findIndex((line) => line.trim() !== '');
      if (next === -1 || !(ITEM.test(lines[end + next]) || /^ {2,}\S/.test(lines[end + next]))) return end;
      end += next;
    }
  }
  return Math.min(end, lines.length);
}

/** @param {string} marker of a list item */
function isNumber(marker) {
  return /\d/.test(marker);
}

/**
 * One block of {@link split}, read.
 *
 * @param {string} raw
 * @param {number} [depth]
 * @returns {Block}
 */
export function parse(raw, depth = 0) {
  const lines = raw.split('\n');
  const fence = FENCE.exec(lines[0]);
  if (fence) {
    const end = fenceEnd(lines, 0, fence[1]);
    return { kind: 'code', language: fence[2].slice(0, 30), text: lines.slice(1, end).join('\n') };
  }
  const heading = HEADING.exec(lines[0]);
  if (heading) return { kind: 'heading', level: heading[1].length, children: inline(heading[2]) };
  if (RULE.test(lines[0])) return { kind: 'rule' };
  if (depth < MAX_DEPTH) {
    if (ITEM.test(lines[0])) return list(lines, depth);
    if (QUOTE.test(lines[0])) {
      const inner = lines.map((line) => line.replace(QUOTE, '')).join('\n');
      return { kind: 'quote', blocks: split(inner).map((block) => parse(block, depth + 1)) };
    }
    if (lines.length > 1 && lines[0].includes('|') && TABLE_RULE.test(lines[1])) return table(lines);
  }
  return { kind: 'paragraph', children: inline(lines.map((line) => line.replace(/^ +/, '')).join('\n')) };
}

/**
 * @param {string[]} lines
 * @param {number} depth
 * @returns {Block}
 */
function list(lines, depth) {
  const first = /** @type {RegExpExecArray} */ (ITEM.exec(lines[0]));
  const ordered = isNumber(first[2]);
  const margin = first[1].length;
  /** @type {string[][]} */
  const items = [];
  let indent = 0;
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && item[1].length <= margin + 1 && isNumber(item[2]) === ordered) {
      items.push([item[3]]);
      indent = line.length - item[3].length;
    } else {
      const spaces = line.length - line.trimStart().length;
      items[items.length - 1]?.push(line.slice(Math.min(spaces, indent)));
    }
  }
  return {
    kind: 'list',
    ordered,
    start: ordered ? Number.parseInt(first[2], 10) : 1,
    items: items.map((item) => split(item.join('\n')).map((block) => parse(block, depth + 1))),
  };
}

/**
 * @param {string[]} lines
 * @returns {Block}
 */
function table(lines) {
  const cells = (/** @type {string} */ line) =>
    line.trim().replace(/^\||\|$/g, '').split('|').map((cell) => inline(cell.trim()));
  const head = cells(lines[0]);
  const rows = lines.slice(2).map((line) => cells(line).slice(0, head.length));
  return { kind: 'table', head, rows };
}

/**
 * The inside of a paragraph.
 *
 * @param {string} text
 * @param {number} [depth]
 * @returns {Inline[]}
 */
export function inline(text, depth = 0) {
  /** @type {Inline[]} */
  const out = [];
  /** Delimiters that have no end further on: not to be looked for again. */
  const hopeless = new Set();
  let plain = 0;
  let at = 0;
  const push = (/** @type {Inline} */ node, /** @type {number} */ end) => {
    if (at > plain) out.push({ kind: 'text', text: unescape(text.slice(plain, at)) });
    out.push(node);
    at = end;
    plain = end;
  };
  const special = /[\\`*_~[!\n]|https?:\/\//g;
  while (at < text.length) {
    special.lastIndex = at;
    const found = special.exec(text);
    if (!found) break;
    at = found.index;
    const taken = token(text, at, found[0], depth, hopeless);
    if (taken) push(taken.node, taken.end);
    else at += found[0] === '\\' ? 2 : delimiterLength(text, at, found[0]);
  }
  at = text.length;
  if (at > plain) out.push({ kind: 'text', text: unescape(text.slice(plain, at)) });
  return out;
}

/** @param {string} text */
function unescape(text) {
  return text.replace(/\\([!-/:-@[-`{-~])/g, '$1');
}

/**
 * A run of the same delimiter is skipped as one: otherwise its tail would be tried again.
 *
 * @param {string} text
 * @param {number} at
 * @param {string} mark
 */
function delimiterLength(text, at, mark) {
  if (mark.length > 1) return mark.length;
  let end = at + 1;
  while (text[end] === mark && '`*_~'.includes(mark)) end += 1;
  return end - at;
}

/**
 * @param {string} text
 * @param {number} at
 * @param {string} mark
 * @param {number} depth
 * @param {Set<string>} hopeless
 * @returns {{ node: Inline, end: number } | null}
 */
function token(text, at, mark, depth, hopeless) {
  if (mark === '\n') return { node: { kind: 'break' }, end: at + 1 };
  if (mark === '`') return codeSpan(text, at, hopeless);
  if (mark.startsWith('http')) return bareLink(text, at);
  if (depth >= MAX_DEPTH) return null;
  if (mark === '[') return link(text, at, at, depth, hopeless);
  if (mark === '!') return text[at + 1] === '[' ? link(text, at, at + 1, depth, hopeless) : null;
  if (mark === '*' || mark === '_' || mark === '~') return emphasis(text, at, mark, depth, hopeless);
  return null;
}

/**
 * @param {string} text
 * @param {number} at
 * @param {Set<string>} hopeless
 */
function codeSpan(text, at, hopeless) {
  const marks = text.slice(at, at + delimiterLength(text, at, '`'));
  if (hopeless.has(marks)) return null;
  for (let from = at + marks.length; ; ) {
    const close = text.indexOf(marks, from);
    if (close === -1) {
      hopeless.add(marks);
      return null;
    }
    const length = delimiterLength(text, close, '`');
    if (length === marks.length) {
      const inner = text.slice(at + length, close).replaceAll('\n', ' ');
      const bare = /^ .*[^ ].* $/.test(inner) ? inner.slice(1, -1) : inner;
      return { node: /** @type {Inline} */ ({ kind: 'code', text: bare }), end: close + length };
    }
    from = close + length;
  }
}

/**
 * @param {string} text
 * @param {number} at
 * @param {string} mark
 * @param {number} depth
 * @param {Set<string>} hopeless
 */
function emphasis(text, at, mark, depth, hopeless) {
  const double = text[at + 1] === mark;
  if (mark === '~' && !double) return null;
  const marks = double ? mark + mark : mark;
  const from = at + marks.length;
  if (hopeless.has(marks) || /\s|^$/.test(text[from] ?? '')) return null;
  if (mark === '_' && /\w/.test(text[at - 1] ?? '')) return null;
  for (let close = text.indexOf(marks, from + 1); close !== -1; close = text.indexOf(marks, close + 1)) {
    // The inner mark of `**a *b***` belongs to the inside.
    while (text[close + marks.length] === mark && double) close += 1;
    const alone = double || (text[close + 1] !== mark && text[close - 1] !== mark);
    const fits = alone && !/\s|\\/.test(text[close - 1]) && !(mark === '_' && /\w/.test(text[close + marks.length] ?? ''));
    if (!fits) continue;
    const kind = mark === '~' ? 'del' : double ? 'strong' : 'em';
    const children = inline(text.slice(from, close), depth + 1);
    return { node: /** @type {Inline} */ ({ kind, children }), end: close + marks.length };
  }
  hopeless.add(marks);
  return null;
}

/**
 * `[label](address)`, or a picture's `![label](address)`.
 *
 * @param {string} text
 * @param {number} at
 * @param {number} open where the bracket is
 * @param {number} depth
 * @param {Set<string>} hopeless
 */
function link(text, at, open, depth, hopeless) {
  if (hopeless.has('](')) return null;
  const middle = text.indexOf('](', open);
  if (middle === -1) {
    hopeless.add('](');
    return null;
  }
  const target = /^<?([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+"[^"\n]*")?\)/.exec(text.slice(middle + 2, middle + 2 + 2100));
  const label = text.slice(open + 1, middle);
  if (!target || label.length > 1000 || label.includes('[')) return null;
  const href = safeAddress(target[1]);
  const end = middle + 2 + target[0].length;
  const children = inline(label || target[1], MAX_DEPTH);
  if (!href) return { node: /** @type {Inline} */ ({ kind: 'em', children }), end };
  return { node: /** @type {Inline} */ ({ kind: 'link', href, children: honest(label, href, children) }), end };
}

/**
 * @param {string} text
 * @param {number} at
 */
function bareLink(text, at) {
  const found = /^https?:\/\/[^\s<>"'`]+/.exec(text.slice(at, at + 2100));
  if (!found) return null;
  // A full stop or a bracket behind an address belongs to the sentence.
  const address = found[0].replace(found[0].includes('(') ? /[.,;:!?\]*_~]+$/ : /[.,;:!?)\]*_~]+$/, '');
  const href = safeAddress(address);
  if (!href) return null;
  return { node: /** @type {Inline} */ ({ kind: 'link', href, children: [{ kind: 'text', text: address }] }), end: at + address.length };
}

/**
 * The address if a click on it may leave the page, else nothing.
 *
 * @param {string} address
 * @returns {string | null}
 */
export function safeAddress(address) {
  try {
    const url = new URL(address);
    const plain = url.username === '' && url.password === '';
    return plain && (url.protocol === 'https:' || url.protocol === 'http:') ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * A label that looks like the address of another place is replaced by where the link leads.
 *
 * @param {string} label
 * @param {string} href
 * @param {Inline[]} children
 * @returns {Inline[]}
 */
function honest(label, href, children) {
  const claimed = /([a-z0-9-]+(?:\.[a-z0-9-]+)+)/i.exec(label)?.[1].toLowerCase();
  const looksLikeAddress = claimed !== undefined && !/\s/.test(label.trim());
  const host = new URL(href).hostname;
  return looksLikeAddress && claimed !== host && `www.${claimed}` !== host ? [{ kind: 'text', text: href }] : children;
}
