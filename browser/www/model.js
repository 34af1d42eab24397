/**
 * The embedded model's Web Worker: fetches and keeps its files, runs the module, speaks the messages that
 * `browser/model/src/lib.rs` describes.
 *
 * Nothing is fetched before a `load`, and between two pieces of an answer the messages are read.
 */

import { Files, Failure } from './model/files.js';

/** @typedef {{ id: number | string, request: string }} Asked */
/** @typedef {{ id: number | string, texts: string[] }} Wanted texts whose vectors are wanted */

/** @type {any} The module's exports, once it is loaded. */
let wasm;
/** @type {any} The module's `Model`, once its files are read. */
let model;
/** @type {any} The module's `Embedder`, as long as it is loaded without the model. */
let embedder;
/** @type {Promise<void> | undefined} */
let loading;
/** @type {Promise<void> | undefined} */
let loadingEmbedder;
/** @type {Asked[]} What is to be answered; the first is being answered. */
const queue = [];
let working = false;
/** @type {Wanted[]} What is to be embedded; of the first, some may be. */
const texts = [];
let embedding = false;
/** Texts embedded between two looks at the messages. */
const TEXTS_A_STEP = 4;

self.addEventListener('message', ({ data }) => {
  if (data.load) load(data.load.url);
  else if (data.generate) generate(data.generate);
  else if (data.load_embedder) loadEmbedder(data.load_embedder.url);
  else if (data.embed) embed(data.embed);
  else if (data.cancel) cancel(data.cancel.id);
});

/** @param {string} url */
async function load(url) {
  try {
    if (!model) {
      loading ??= start(url);
      await loading;
    }
    postMessage({ loaded: model.description() });
    prepare();
  } catch (error) {
    if (isTrap(error)) broken(error);
    else postMessage({ load_failed: told(error, 'model') });
  } finally {
    loading = undefined;
  }
}

/** @param {string} url */
async function start(url) {
  const files = await Files.open(url);
  const manifest = await files.manifest();
  wasm = await instance();
  const loader = new wasm.Loader(manifest);
  const wanted = JSON.parse(new TextDecoder().decode(manifest)).files;
  await files.fetch(wanted, (progress) => postMessage({ progress: { stage: 'fetch', ...progress } }));
  await files.read(loader, wanted, (progress) => postMessage({ progress: { stage: 'read', ...progress } }));
  model = loader.finish();
  // The model has one of its own.
  embedder?.free();
  embedder = undefined;
  await files.settle(manifest, wanted);
}

/** @param {string} url */
async function loadEmbedder(url) {
  try {
    if (!model && !embedder) {
      loadingEmbedder ??= startEmbedder(url);
      await loadingEmbedder;
    }
    postMessage({ embedder_loaded: (model ?? embedder).space() });
  } catch (error) {
    if (isTrap(error)) broken(error);
    else postMessage({ embedder_failed: told(error, 'model') });
  } finally {
    loadingEmbedder = undefined;
  }
}

/** @param {string} url */
async function startEmbedder(url) {
  const files = await Files.open(url);
  const manifest = await files.manifest();
  wasm = await instance();
  const loader = wasm.Loader.ofEmbedder(manifest);
  /** @type {import('./model/files.js').Wanted[]} */
  const all = JSON.parse(new TextDecoder().decode(manifest)).files;
  const wanted = all.filter(({ role }) => role.startsWith('embedder'));
  const of = 'embedder';
  await files.fetch(wanted, (progress) => postMessage({ progress: { of, stage: 'fetch', ...progress } }));
  await files.read(loader, wanted, (progress) => postMessage({ progress: { of, stage: 'read', ...progress } }));
  const loaded = loader.finishEmbedder();
  // A model that was loaded meanwhile has one.
  if (model) loaded.free();
  else embedder = loaded;
  // What is kept of the text model stays.
  await files.settle(manifest, all);
}

/** @param {Wanted} wanted */
async function embed(wanted) {
  texts.push(wanted);
  if (embedding) return;
  embedding = true;
  try {
    for (let first = texts[0]; first; first = texts[0]) await embedFirst(first);
  } catch (error) {
    broken(error);
  } finally {
    embedding = false;
  }
}

/** @param {Wanted} wanted the first of those that wait, as long as nobody cancels it */
async function embedFirst(wanted) {
  const vectors = [];
  try {
    while (vectors.length < wanted.texts.length) {
      const embeds = model ?? embedder;
      if (!embeds) throw new Failure('not_loaded', 'the embedder is not loaded');
      const some = wanted.texts.slice(vectors.length, vectors.length + TEXTS_A_STEP);
      vectors.push(...JSON.parse(embeds.embed(some)));
      await messagesRead();
      if (texts[0] !== wanted) return;
    }
  } catch (error) {
    if (isTrap(error)) throw error;
    texts.shift();
    fail(wanted.id, error);
    return;
  }
  texts.shift();
  postMessage({ embedded: { id: wanted.id, vectors: JSON.stringify(vectors) } });
}

/** The module, compiled and started. */
async function instance() {
  if (wasm) return wasm;
  try {
    const module = await import('./model/tau_model.js');
    await module.default();
    return module;
  } catch (error) {
    const old = error instanceof WebAssembly.CompileError;
    const why = error instanceof Error ? error.message : String(error);
    throw old
      ? new Failure('unsupported', `this browser cannot run the model's module: ${why}`)
      : new Failure('network', `the model's module could not be fetched: ${why}`);
  }
}

/** Does what the first answer begins with, while nobody has asked yet. */
async function prepare() {
  try {
    while (!working && model.prepare()) await messagesRead();
  } catch (error) {
    // Any other failure is told by the answer that meets it.
    if (isTrap(error)) broken(error);
  }
}

/** @param {Asked} asked */
function generate(asked) {
  if (!model) {
    fail(asked.id, new Failure('not_loaded', 'the model is not loaded'));
    return;
  }
  queue.push(asked);
  if (!working) work();
}

/** Answers what is in the queue, in its order. */
async function work() {
  working = true;
  try {
    for (let asked = queue[0]; asked; asked = queue[0]) await answer(asked);
  } catch (error) {
    broken(error);
  } finally {
    working = false;
  }
}

/** @param {Asked} asked the first of the queue, as long as nobody cancels it */
async function answer(asked) {
  try {
    model.start(asked.request);
    while (model.isWriting) {
      for (const delta of model.step()) postMessage({ piece: { id: asked.id, delta } });
      await messagesRead();
      if (queue[0] !== asked) {
        model.cancel();
        return;
      }
    }
  } catch (error) {
    if (isTrap(error)) throw error;
    queue.shift();
    fail(asked.id, error);
    return;
  }
  queue.shift();
  postMessage({ done: { id: asked.id } });
}

/** @param {Asked['id']} id */
function cancel(id) {
  const at = texts.findIndex((wanted) => wanted.id === id);
  if (at >= 0) {
    texts.splice(at, 1);
    fail(id, new Failure('cancelled', 'cancelled'));
    return;
  }
  const place = queue.findIndex((asked) => asked.id === id);
  if (place < 0) return;
  // The answer that is being made sees that it is not the first any more.
  queue.splice(place, 1);
  fail(id, new Failure('cancelled', 'cancelled'));
}

/**
 * @param {Asked['id']} id
 * @param {unknown} error
 */
function fail(id, error) {
  postMessage({ failed: { id, ...told(error, 'model') } });
}

/**
 * The module's memory is not to be trusted after a trap: everything ends, and so does this worker.
 *
 * @param {unknown} error
 */
function broken(error) {
  const { message } = told(error, 'broken');
  const why = wasm?.lastWords() ?? `${message} (it may have run out of memory)`;
  for (const { id } of [...queue.splice(0), ...texts.splice(0)]) fail(id, new Failure('broken', why));
  postMessage({ broken: { message: why } });
  close();
}

/** @param {unknown} error */
function isTrap(error) {
  return error instanceof WebAssembly.RuntimeError;
}

/**
 * @param {unknown} error
 * @param {string} otherwise the code of an error that has none
 */
function told(error, otherwise) {
  const { code, message } = /** @type {Partial<Failure>} */ (error);
  return { code: typeof code === 'string' ? code : otherwise, message: message ?? String(error) };
}

const ticks = new MessageChannel();
/** @type {((value?: unknown) => void)[]} Who waits for a tick: an answer and an embedding may at the same time. */
const waiting = [];
ticks.port1.onmessage = () => waiting.shift()?.();

/** Lets the messages that wait be handled. A timer would be slowed to 4 ms. */
function messagesRead() {
  return new Promise((resolve) => {
    waiting.push(resolve);
    ticks.port2.postMessage(null);
  });
}
