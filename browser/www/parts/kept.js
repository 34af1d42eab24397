/**
 * Small choices kept by the browser: conveniences, nothing of a conversation. A page without storage
 * forgets them with the reload, and nothing else happens.
 */

const KEYS = {
  /** Light or dark, as chosen inside the element. */
  theme: () => localStorage,
  /** The folder the embedded model was loaded from. */
  embedded: () => localStorage,
  /** The folder that memory is searched by meaning from: whoever asked for it once wants it again. */
  embedder: () => localStorage,
  /** The conversation this tab has open, so that a reload comes back to it. */
  session: () => sessionStorage,
};

/** @typedef {keyof typeof KEYS} Kept */

/**
 * @param {Kept} name
 * @returns {string | null}
 */
export function recall(name) {
  try {
    return KEYS[name]().getItem(`tau.${name}`);
  } catch {
    return null;
  }
}

/**
 * @param {Kept} name
 * @param {string | null} value
 */
export function keep(name, value) {
  try {
    if (value === null) KEYS[name]().removeItem(`tau.${name}`);
    else KEYS[name]().setItem(`tau.${name}`, value);
  } catch {
    // See above.
  }
}
