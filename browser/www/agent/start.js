/**
 * Starts a Web Worker from a script that may be of another origin than the page.
 *
 * @param {URL} script a module
 */
export function startWorker(script) {
  if (script.origin === location.origin) return new Worker(script, { type: 'module' });
  // A worker's own script must be of the page's origin; what it imports need not be.
  const here = URL.createObjectURL(new Blob([`import ${JSON.stringify(script.href)};`], { type: 'text/javascript' }));
  return new Worker(here, { type: 'module' });
}
