/**
 * Markdown into a tree: the part of it that models write.
 *
 * The text is hostile. The tree holds no markup, only kinds and texts; a link is kept only if it
 * leads to http or https; a picture becomes a link, because loading one would tell its server what
 * the conversation is about. Time is linear in the length of the text for any input, nesting is
 * bounded.
 */

import { inline } from './inline.js';

/** @typedef {import('./inline.js').Inline} Inline */

/**
 * @typedef {{ kind: 'heading', level: number, children: Inline[] }
 *   | { kind: 'paragraph', children: Inline[] }
 *   | { kind: 'code', language: string, text: string }
 *   | { kind: 'quote', blocks: Block[] }
 *   | { kind: 'list', ordered: boolean, start: number, items: Block[][] }
 *   | { kind: 'table', head: Inline[][], rows: Inline[][][] }
 *   | { kind: 'rule' }} Block
 */

const MAX_DEPTH = 6;
// No two neighbours of these match the same characters, so that none of them is tried twice.
const FENCE = /^ {0,3}(`{3,}|~{3,}(?!~))([^`]*)$/s;
const HEADING = /^ {0,3}(#{1,6})\s+(\S.*)$/s;
const RULE = /^ {0,3}([-*_])\s*(?:\1\s*){2,}$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])\s+(.*)$/s;
const TABLE_RULE = /^:?-+:?$/;

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
    return { kind: 'code', language: fence[2].trim().split(/\s/, 1)[0].slice(0, 30), text: lines.slice(1, end).join('\n') };
  }
  const heading = HEADING.exec(lines[0]);
  if (heading) return { kind: 'heading', level: heading[1].length, children: inline(heading[2].trimEnd().replace(/\s#+$/, '').trimEnd()) };
  if (RULE.test(lines[0])) return { kind: 'rule' };
  if (depth < MAX_DEPTH) {
    if (ITEM.test(lines[0])) return list(lines, depth);
    if (QUOTE.test(lines[0])) {
      const inner = lines.map((line) => line.replace(QUOTE, '')).join('\n');
      return { kind: 'quote', blocks: split(inner).map((block) => parse(block, depth + 1)) };
    }
    if (lines.length > 1 && lines[0].includes('|') && cellsOf(lines[1]).every((cell) => TABLE_RULE.test(cell))) return table(lines);
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

/** @param {string} line of a table */
function cellsOf(line) {
  return line.trim().replace(/^\||\|$/g, '').split('|').map((cell) => cell.trim());
}

/**
 * @param {string[]} lines
 * @returns {Block}
 */
function table(lines) {
  const cells = (/** @type {string} */ line) => cellsOf(line).map((cell) => inline(cell));
  const head = cells(lines[0]);
  const rows = lines.slice(2).map((line) => cells(line).slice(0, head.length));
  return { kind: 'table', head, rows };
}
