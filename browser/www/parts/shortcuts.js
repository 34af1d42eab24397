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
 * @param {{ compose: () => void, search: () => void, help: () => void, closeMenu: () => boolean }} ui
 */
export function keyHandler(actions, ui) {
  /** @type {Record<string, () => unknown>} */
  const keys = {
    KeyY: () => answerFirst(actions, (id) => actions.approve(id, false)),
    KeyN: () => answerFirst(actions, (id) => actions.deny(id)),
    KeyZ: () => actions.undo(),
    'Shift KeyZ': () => actions.redo(),
    KeyC: () => actions.fresh().then(ui.compose),
    KeyS: ui.search,
    KeyM: ui.compose,
    KeyK: ui.help,
  };
  return (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Escape') {
      if (!ui.closeMenu() && actions.state.talk?.running) void actions.stop();
      return;
    }
    if (!event.altKey || event.ctrlKey || event.metaKey) return;
    // By place on the keyboard: with Alt held, many layouts type another letter.
    const handler = keys[event.shiftKey ? `Shift ${event.code}` : event.code];
    if (!handler) return;
    event.preventDefault();
    handler();
  };
}

/**
 * @param {import('./actions.js').Actions} actions
 * @param {(call_id: string) => unknown} answer
 */
function answerFirst(actions, answer) {
  const question = actions.state.talk?.questions[0];
  if (question) answer(question.call_id);
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
