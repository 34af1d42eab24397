/** Keys that work while the focus is inside the element, and the list of them. */

import { button } from './controls.js';
import { h } from './dom.js';

const KEYS = [
  ['Enter', 'Send the message'],
  ['Shift Enter', 'Begin a new line'],
  ['Escape', 'Stop the answer; close what is open'],
  ['Alt Y', 'Allow what Tau asks for, once'],
  ['Alt N', 'Refuse what Tau asks for'],
  ['Alt Z', 'Undo the last turn'],
  ['Alt Shift Z', 'Take the undo back'],
  ['Alt C', 'New conversation'],
  ['Alt S', 'Search conversations'],
  ['Alt M', 'To the message field'],
  ['Alt K', 'This list'],
];

/**
 * @param {import('./actions.js').Actions} actions
 * @param {{ compose: () => void, search: () => void, help: () => void, closeMenu: () => boolean, card: () => import('./tool.js').ApprovalCard | null }} ui
 */
export function keyHandler(actions, ui) {
  /** @type {Record<string, () => unknown>} */
  const keys = {
    y: () => ui.card()?.allow(),
    n: () => ui.card()?.deny(),
    z: () => actions.undo(),
    'Shift z': () => actions.redo(),
    c: () => actions.fresh().then(ui.compose),
    s: ui.search,
    m: ui.compose,
    k: ui.help,
  };
  return (/** @type {KeyboardEvent} */ event) => {
    const target = /** @type {Element} */ (event.target);
    // Keys of an input method, of who handled them already, and of an open dialog are not meant here.
    if (event.isComposing || event.defaultPrevented || target.closest('dialog')) return;
    if (event.key === 'Escape') {
      if (!ui.closeMenu() && actions.state.talk?.running) void actions.stop();
      return;
    }
    if (!event.altKey || event.ctrlKey || event.metaKey) return;
    const letter = letterOf(event, target.matches('input, textarea, select'));
    const handler = keys[event.shiftKey ? `Shift ${letter}` : letter];
    if (!handler) return;
    event.preventDefault();
    handler();
  };
}

/**
 * With Alt held many layouts type another letter. Where one writes, that letter is meant; elsewhere
 * the key's place on the keyboard is.
 *
 * @param {KeyboardEvent} event
 * @param {boolean} writes
 */
function letterOf(event, writes) {
  if (/^[a-z]$/i.test(event.key)) return event.key.toLowerCase();
  return writes ? '' : event.code.replace(/^Key/, '').toLowerCase();
}

/** The list, as a dialog. */
export function shortcutsDialog() {
  const rows = KEYS.flatMap(([keys, what]) => [h('dt', {}, ...keys.split(' ').map((key) => h('kbd', {}, key))), h('dd', {}, what)]);
  const dialog = h(
    'dialog',
    { class: 'dialog', 'aria-labelledby': 'tau-shortcuts' },
    h('h2', { id: 'tau-shortcuts' }, 'Keyboard shortcuts'),
    h('p', { class: 'help' }, 'They work while the focus is inside Tau.'),
    h('dl', { class: 'keys' }, ...rows),
    h('div', { class: 'actions' }, button('Close', () => dialog.close(), { kind: 'primary' })),
  );
  return dialog;
}
