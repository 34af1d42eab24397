/**
 * The inside of a paragraph of Markdown: emphasis, code, links. See `markdown.js` for what holds of
 * both.
 */

/**
 * @typedef {{ kind: 'text', text: string }
 *   | { kind: 'code', text: string }
 *   | { kind: 'break' }
 *   | { kind: 'strong' | 'em' | 'del', children: Inline[] }
 *   | { kind: 'link', href: string, children: Inline[] }} Inline
 */

const MAX_DEPTH = 6;
/** Of a link's label, in which there is code only. */
const IN_LABEL = MAX_DEPTH + 1;
const MAX_LABEL = 1000;

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
  // A label is of one link: another inside would hide where it leads.
  if (mark.startsWith('http')) return depth === IN_LABEL ? null : bareLink(text, at);
  if (depth >= MAX_DEPTH) return null;
  if (mark === '[') return link(text, at, at);
  if (mark === '!') return text[at + 1] === '[' ? link(text, at, at + 1) : null;
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
 */
function link(text, at, open) {
  const length = text.slice(open, open + MAX_LABEL).indexOf('](');
  if (length === -1) return null;
  const middle = open + length;
  const target = /^<?([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+"[^"\n]*")?\)/.exec(text.slice(middle + 2, middle + 2 + 2100));
  const label = text.slice(open + 1, middle);
  if (!target || label.includes('[')) return null;
  const href = safeAddress(target[1]);
  const end = middle + 2 + target[0].length;
  const children = inline(label || target[1], IN_LABEL);
  if (!href) return { node: /** @type {Inline} */ ({ kind: 'em', children }), end };
  return { node: /** @type {Inline} */ ({ kind: 'link', href, children: honest(href, children) }), end };
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
 * A label that names another host than the link leads to has the real one beside it. What counts is
 * the text as it is shown.
 *
 * @param {string} href
 * @param {Inline[]} children
 * @returns {Inline[]}
 */
function honest(href, children) {
  const { hostname } = new URL(href);
  const shown = children.map((node) => ('text' in node ? node.text : ' ')).join('');
  // As a browser reads an address: other full stops are full stops, and what has no width is nothing.
  const plain = shown.normalize('NFKC').replace(/\p{Cf}/gu, '').replace(/\u3002/g, '.');
  const claimed = plain.match(/[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu) ?? [];
  const isHonest = claimed.filter(isHost).every((host) => bare(host) === bare(hostname));
  return isHonest ? children : [...children, { kind: 'text', text: ` (${hostname})` }];
}

/** @param {string} word of letters, digits, hyphens and full stops */
function isHost(word) {
  return /\.\p{L}[\p{L}\p{N}-]+$/u.test(word) || /^\d+(?:\.\d+){3}$/.test(word);
}

/** @param {string} host */
function bare(host) {
  const address = `http://${host}`;
  return (URL.canParse(address) ? new URL(address).hostname : host).replace(/^www\./, '');
}
