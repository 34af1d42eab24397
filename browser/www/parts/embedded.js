/**
 * The embedded model: nothing of it is fetched before a person asks, and its size is said before it
 * is loaded.
 */

import { button, field } from './controls.js';
import { h, say, set } from './dom.js';
import { bytes } from './format.js';
import { keep, recall } from './kept.js';
import { problem } from './problem.js';

export class EmbeddedModel {
  /**
   * @param {import('./actions.js').Actions} actions
   * @param {string} proposed the folder the page names
   */
  constructor(actions, proposed) {
    this.actions = actions;
    this.url = h('input', { type: 'text', class: 'input', spellcheck: 'false', autocapitalize: 'off', value: recall('embedded') ?? proposed, oninput: () => this.forget() });
    this.words = h('p', { role: 'status', dir: 'auto' });
    this.progress = h('progress', { 'aria-label': 'Loading the model' });
    this.look = button('See how large it is', () => this.weigh());
    this.load = button('Load it', () => loadModel(actions, this.url.value.trim()), { kind: 'primary', icon: 'download' });
    this.use = button('Answer with it', () => this.choose(), { kind: 'primary' });
    this.unload = button('Take it out of memory', () => actions.attempt('Could not unload the model', 'model.unload').then(() => actions.refreshStatus()));
    this.meaning = button('Search memory by meaning', () => loadEmbedder(actions, this.url.value.trim()), { icon: 'download' });
    this.means = h('p', { class: 'help', role: 'status', dir: 'auto' });
    this.place = field('Folder of its files', this.url, 'Beside the page, or on another server that allows it. “tau model pull” makes such a folder.');
    this.root = h(
      'div',
      { class: 'panel' },
      h('h2', {}, 'The small model in this page'),
      h('p', { class: 'help' }, 'It runs on this machine, without account, and without network once its files are here. It is small: good for simple questions, and often wrong.'),
      this.place,
      this.words,
      this.progress,
      h('div', { class: 'actions' }, this.look, this.load, this.use, this.unload),
      this.means,
      h('div', { class: 'actions' }, this.meaning),
    );
    /** What loading will fetch at most, once it was looked up. @type {number | null} */
    this.size = null;
  }

  /** @param {import('./store.js').State} state */
  update({ model, embedder, settings }) {
    const state = model?.state ?? 'absent';
    const idle = state === 'absent' || state === 'failed';
    set(this.place, { hidden: !idle });
    // Whoever loaded it before was told then.
    const told = this.size !== null || recall('embedded') === this.url.value.trim();
    set(this.look, { hidden: !idle || told });
    set(this.load, { hidden: !idle || !told });
    set(this.use, { hidden: state !== 'ready' || settings?.api === 'embedded' });
    set(this.unload, { hidden: state !== 'ready' });
    set(this.progress, { hidden: state !== 'loading' });
    say(this.words, progressOf(model) ?? words(model, this.size));
    say(this.means, meaning(embedder));
    const means = embedder?.state ?? 'absent';
    set(this.meaning, { hidden: means === 'ready' || means === 'loading' });
    const { received = 0, total = 0 } = model?.progress ?? {};
    set(this.progress, { max: total > 0 ? total : null, value: null });
    if (total > 0) this.progress.value = received;
  }

  /** Another folder may hold another model. */
  forget() {
    this.size = null;
    this.actions.store.set();
  }

  /** Reads the manifest only: it names the files with their sizes. */
  async weigh() {
    try {
      const folder = new URL(`${this.url.value.trim().replace(/\/*$/, '')}/`, document.baseURI);
      const answer = await fetch(new URL('manifest.json', folder), { redirect: 'error' });
      if (!answer.ok) throw new Error(`${folder.href} answered ${answer.status}`);
      const { files } = await answer.json();
      this.size = files.reduce((/** @type {number} */ sum, /** @type {any} */ file) => sum + file.bytes, 0);
      this.actions.store.set({ problem: null });
    } catch (error) {
      const told = problem(error, 'There is no model in that folder');
      this.actions.store.set({ problem: { ...told, hint: 'put the files that “tau model pull” makes on a server, and name their folder' } });
    }
  }

  async choose() {
    const done = await this.actions.attempt('Could not choose the model', 'settings.set', { api: 'embedded' });
    if (!done.ok) return;
    this.actions.store.set({ settings: done.value });
    await this.actions.refreshStatus();
    this.actions.show('talk');
  }
}

/**
 * @param {import('./actions.js').Actions} actions
 * @param {string} url of the folder
 */
export async function loadModel(actions, url) {
  const done = await actions.attempt('Could not load the model', 'model.load', { url: `${url.replace(/\/*$/, '')}/` });
  if (!done.ok) return;
  keep('embedded', url);
  await actions.refreshStatus();
}

/**
 * Half of the model's files make memory searchable by meaning.
 *
 * @param {import('./actions.js').Actions} actions
 * @param {string} url of the folder
 */
async function loadEmbedder(actions, url) {
  const folder = new URL(`${url.replace(/\/*$/, '')}/`, document.baseURI).href;
  const done = await actions.attempt('Could not load what memory is searched with', 'embedder.load', { url: folder });
  if (done.ok) keep('embedder', folder);
}

/** @param {any} embedder */
function meaning(embedder) {
  switch (embedder?.state) {
    case 'ready':
      return 'Memory is searched by words and by meaning.';
    case 'failed':
      return `Memory is searched by words alone: ${embedder.error.message}`;
    default:
      return progressOf(embedder) ?? 'Memory is searched by words. By meaning, too, with half of these files: 91 MB, once.';
  }
}

/**
 * How far loading is, while it is.
 *
 * @param {any} model
 */
export function progressOf(model) {
  if (model?.state !== 'loading') return null;
  const { stage, received = 0, total = 0 } = model.progress ?? {};
  if (total === 0) return 'Loading begins.';
  return `${stage === 'read' ? 'Read and checked' : 'Fetched'}: ${bytes(received)} of ${bytes(total)}`;
}

/**
 * @param {any} model
 * @param {number | null} size
 */
function words(model, size) {
  switch (model?.state) {
    case 'ready':
      return `It is loaded. ${model.limits}`;
    case 'failed':
      return `It could not be loaded: ${model.error.message}`;
    default:
      return size === null ? '' : `Loading it fetches ${bytes(size)}, once: this browser keeps the files.`;
  }
}
