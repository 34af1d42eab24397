/** Light, dark, or as the page around has it. The choice is kept in this browser. */

import { iconButton } from './controls.js';
import { set } from './dom.js';
import { icon } from './icons.js';
import { keep, recall } from './kept.js';

/** @type {('auto' | 'light' | 'dark')[]} */
const THEMES = ['auto', 'light', 'dark'];
const NAMES = { auto: 'Colours: as the page', light: 'Colours: light', dark: 'Colours: dark' };

/**
 * A button that goes round the three; it sets the element's `theme` attribute.
 *
 * @param {HTMLElement} host
 */
export function themeButton(host) {
  const current = () => /** @type {'auto' | 'light' | 'dark'} */ (THEMES.find((theme) => theme === host.getAttribute('theme')) ?? 'auto');
  const show = () => {
    const theme = current();
    control.replaceChildren(icon(theme));
    set(control, { 'aria-label': NAMES[theme], title: NAMES[theme] });
  };
  const control = iconButton(NAMES.auto, 'auto', () => {
    const theme = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length];
    host.setAttribute('theme', theme);
    keep('theme', theme);
    show();
    host.dispatchEvent(new CustomEvent('tau-theme', { detail: { theme }, bubbles: true }));
  });
  show();
  return control;
}

/**
 * What was chosen before, unless the page decides.
 *
 * @param {HTMLElement} host
 */
export function restoreTheme(host) {
  const theme = recall('theme');
  if (theme && !host.hasAttribute('theme')) host.setAttribute('theme', theme);
}
