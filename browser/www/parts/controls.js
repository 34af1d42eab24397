/** The few controls every screen is made of. */

import { freshId, h } from './dom.js';
import { icon } from './icons.js';

/** @typedef {import('./icons.js').IconName} IconName */

/**
 * A button with a word on it.
 *
 * @param {string} text
 * @param {() => void} onclick
 * @param {{ kind?: 'primary' | 'quiet' | 'danger', icon?: IconName, props?: Record<string, unknown> }} [options]
 */
export function button(text, onclick, { kind, icon: name, props = {} } = {}) {
  const classes = ['button', kind && `is-${kind}`].filter(Boolean).join(' ');
  return h('button', { type: 'button', class: classes, onclick, ...props }, name && icon(name), h('span', {}, text));
}

/**
 * A button that is only a drawing; its name is shown on hover and read out.
 *
 * @param {string} name
 * @param {IconName} drawing
 * @param {(event: Event) => void} onclick
 * @param {Record<string, unknown>} [props]
 */
export function iconButton(name, drawing, onclick, props = {}) {
  return h('button', { type: 'button', class: 'icon-button', 'aria-label': name, title: name, onclick, ...props }, icon(drawing));
}

/**
 * A labelled field with an explanation below it.
 *
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string | Node | (string | Node)[]} [help]
 */
export function field(label, control, help) {
  const id = freshId();
  control.id = id;
  const explanation = help && h('p', { class: 'help', id: `${id}-help` }, ...[help].flat());
  if (explanation) control.setAttribute('aria-describedby', explanation.id);
  return h('div', { class: 'field' }, h('label', { for: id }, label), control, explanation);
}

/**
 * A button that copies a text and says so for a moment.
 *
 * @param {() => string} text
 * @param {string} name what is copied, for its label
 */
export function copyButton(text, name) {
  const copy = async () => {
    const told = await writeClipboard(text());
    label.textContent = told;
    setTimeout(() => {
      label.textContent = 'Copy';
    }, 2000);
  };
  const label = h('span', { 'aria-live': 'polite' }, 'Copy');
  return h('button', { type: 'button', class: 'button is-quiet copy', 'aria-label': `Copy ${name}`, onclick: copy }, icon('copy'), label);
}

/**
 * @param {string} text
 * @returns {Promise<string>} what to tell
 */
async function writeClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return 'Copied';
  } catch {
    // A page without the permission, or one that was not served securely.
    return 'Not allowed here';
  }
}

/**
 * A message about something that went wrong or that should be known.
 *
 * @param {{ kind: 'bad' | 'warn' | 'info', title: string, text?: string, hint?: string, actions?: Node[] }} notice
 */
export function notice({ kind, title, text, hint, actions = [] }) {
  return h(
    'div',
    { class: `notice is-${kind}` },
    h('p', { class: 'notice-title', dir: 'auto' }, title),
    text && h('p', { dir: 'auto' }, text),
    hint && h('p', { class: 'notice-hint', dir: 'auto' }, hint),
    actions.length > 0 && h('div', { class: 'actions' }, ...actions),
  );
}
