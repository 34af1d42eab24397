/**
 * Building and updating DOM without markup strings: whatever a model, a tool or a memory says can
 * only ever become text.
 */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element with attributes, listeners (`onclick: f`) and children.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  set(element, props);
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/**
 * Sets attributes; `null`, `undefined` and `false` remove them. Writes only what differs, so a
 * screen reader hears no change where there is none.
 *
 * @param {Element} element
 * @param {Record<string, unknown>} props
 */
export function set(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on') && typeof value === 'function') {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (name === 'value' || name === 'checked') {
      if (element[name] !== value) element[name] = value;
    } else if (value === null || value === undefined || value === false) {
      element.removeAttribute(name);
    } else {
      const text = value === true ? '' : String(value);
      if (element.getAttribute(name) !== text) element.setAttribute(name, text);
    }
  }
}

/**
 * Replaces an element's text if it differs.
 *
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A component: an element and a way to bring it up to date.
 *
 * @template T
 * @typedef {{ root: Element, update: (item: T) => void }} Part
 */

/**
 * Children that follow a list: one component an item, reused as long as its key stays.
 *
 * @template T
 */
export class Keyed {
  /**
   * @param {Element} parent
   * @param {(item: T) => string} keyOf
   * @param {(item: T) => Part<T>} make
   */
  constructor(parent, keyOf, make) {
    this.parent = parent;
    this.keyOf = keyOf;
    this.make = make;
    /** @type {Map<string, Part<T>>} */
    this.parts = new Map();
  }

  /** @param {T[]} items */
  update(items) {
    const next = new Map();
    let cursor = this.parent.firstElementChild;
    for (const item of items) {
      const key = this.keyOf(item);
      const part = this.parts.get(key) ?? this.make(item);
      next.set(key, part);
      part.update(item);
      if (part.root === cursor) {
        cursor = cursor.nextElementSibling;
      } else {
        this.parent.insertBefore(part.root, cursor);
      }
    }
    for (const [key, part] of this.parts) {
      if (!next.has(key)) part.root.remove();
    }
    this.parts = next;
  }
}

let lastId = 0;

/** A fresh id for tying a label or a description to its element. */
export function freshId() {
  lastId += 1;
  return `tau-${lastId}`;
}
