/** The tree of `markdown.js` as DOM, brought up to date while the text is still growing. */

import { copyButton } from './controls.js';
import { h } from './dom.js';
import { parse, split } from './markdown.js';

/** @typedef {import('./markdown.js').Block} Block */
/** @typedef {import('./markdown.js').Inline} Inline */

/** A text of a model. Only blocks that changed are built again, so a selection above survives. */
export class Prose {
  constructor() {
    this.root = h('div', { class: 'prose' });
    /** @type {string[]} */
    this.raw = [];
    this.text = '';
  }

  /** @param {string} text */
  update(text) {
    if (text === this.text) return;
    this.text = text;
    const raw = split(text);
    let same = 0;
    while (same < raw.length && raw[same] === this.raw[same]) same += 1;
    while (this.root.childNodes.length > same) this.root.lastChild?.remove();
    for (const block of raw.slice(same)) this.root.append(blockNode(parse(block)));
    this.raw = raw;
  }
}

/**
 * @param {Block} block
 * @returns {HTMLElement}
 */
function blockNode(block) {
  switch (block.kind) {
    case 'heading':
      // The page's own headings end at the third level.
      return h(/** @type {'h4'} */ (`h${Math.min(block.level + 3, 6)}`), { dir: 'auto' }, ...inlineNodes(block.children));
    case 'paragraph':
      return h('p', { dir: 'auto' }, ...inlineNodes(block.children));
    case 'code':
      return codeNode(block.language, block.text);
    case 'quote':
      return h('blockquote', { dir: 'auto' }, ...block.blocks.map(blockNode));
    case 'list': {
      const items = block.items.map((item) => h('li', { dir: 'auto' }, ...itemNodes(item)));
      return block.ordered ? h('ol', { start: block.start }, ...items) : h('ul', {}, ...items);
    }
    case 'table':
      return tableNode(block.head, block.rows);
    case 'rule':
      return h('hr');
  }
}

/**
 * A single paragraph in an item needs no paragraph of its own.
 *
 * @param {Block[]} blocks
 * @returns {Node[]}
 */
function itemNodes(blocks) {
  return blocks.flatMap((block, place) =>
    block.kind === 'paragraph' && place === 0 ? inlineNodes(block.children) : [blockNode(block)],
  );
}

/**
 * @param {string} language
 * @param {string} text
 */
export function codeNode(language, text) {
  const code = h('code', {}, text);
  return h(
    'figure',
    { class: 'code' },
    h('figcaption', {}, h('span', {}, language || 'text'), copyButton(() => text, 'code')),
    // Focusable, because it may scroll.
    h('pre', { tabindex: 0, 'aria-label': language ? `Code, ${language}` : 'Code', role: 'region', dir: 'ltr' }, code),
  );
}

/**
 * @param {Inline[][]} head
 * @param {Inline[][][]} rows
 */
function tableNode(head, rows) {
  const cell = (/** @type {'th' | 'td'} */ tag, /** @type {Inline[]} */ children) => h(tag, { dir: 'auto' }, ...inlineNodes(children));
  return h(
    'div',
    { class: 'table', tabindex: 0, role: 'region', 'aria-label': 'Table' },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...head.map((children) => cell('th', children)))),
      h('tbody', {}, ...rows.map((row) => h('tr', {}, ...row.map((children) => cell('td', children))))),
    ),
  );
}

/**
 * @param {Inline[]} nodes
 * @returns {Node[]}
 */
function inlineNodes(nodes) {
  return nodes.map((node) => {
    switch (node.kind) {
      case 'text':
        return document.createTextNode(node.text);
      case 'code':
        return h('code', {}, node.text);
      case 'break':
        return h('br');
      case 'strong':
      case 'em':
      case 'del':
        return h(node.kind, {}, ...inlineNodes(node.children));
      case 'link':
        return h(
          'a',
          { href: node.href, title: node.href, target: '_blank', rel: 'noopener noreferrer nofollow' },
          ...inlineNodes(node.children),
        );
    }
  });
}

/**
 * What a text says without its marks, for reading aloud.
 *
 * @param {string} text
 */
export function spoken(text) {
  return split(text)
    .map((raw) => {
      const block = parse(raw);
      return block.kind === 'code' ? 'Code block.' : (blockNode(block).textContent ?? '');
    })
    .join(' ');
}
