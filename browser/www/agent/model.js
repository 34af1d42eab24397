import { startWorker } from './start.js';

/**
 * Starts the embedded model's Web Worker, when a person asks for it and never before.
 *
 * @param {(message: string) => void} hear called with each of its messages as JSON text
 */
export function startModel(hear) {
  const worker = startWorker(new URL('../model.js', import.meta.url));
  worker.addEventListener('message', ({ data }) => hear(JSON.stringify(data)));
  worker.addEventListener('error', (event) => {
    event.preventDefault();
    hear(JSON.stringify({ broken: { message: event.message || 'the model could not be loaded' } }));
  });
  return {
    /** @param {string} text */
    post(text) {
      worker.postMessage(JSON.parse(text));
    },
    stop() {
      worker.terminate();
    },
  };
}
