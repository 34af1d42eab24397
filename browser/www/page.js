/** The demo page follows the colours that were chosen inside the element. */

/** @param {string | null} theme */
function follow(theme) {
  document.documentElement.style.colorScheme = theme === 'light' || theme === 'dark' ? theme : '';
}

document.addEventListener('tau-theme', (event) => follow(/** @type {CustomEvent} */ (event).detail.theme));
follow(document.querySelector('tau-agent')?.getAttribute('theme') ?? null);
