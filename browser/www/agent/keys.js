/**
 * The agent's keys: made by WebCrypto as not extractable and kept by the browser.
 *
 * The database holds handles; the keys' bytes never exist outside the browser's own code, so no script can
 * read them: not this one, and none of the page. A browser that makes no such keys keeps a seed instead,
 * sealed with a key of that kind; the seed is opened in the agent's Web Worker alone.
 */

const STORE = 'keys';
/** The identity key, to which the agent's name is bound. The first version of the page kept it alone. */
const IDENTITY = 'identity';
/** The keys that sign messages and agree on secrets, and the log of all keys. */
const AGENT = 'agent';
const VERSION = 1;

/** @typedef {{ private: CryptoKey, public: CryptoKey }} Pair */
/** @typedef {Pair & { created: number }} Identity */
/** @typedef {{ v: number, signing: Pair, agreement: Pair, log: string }} Agent */
/** @typedef {{ v: number, wrapping: CryptoKey, iv: Uint8Array, sealed: Uint8Array, created: number, log: string }} Sealed */
/** @typedef {{ identity: Identity, agent: Agent } | { sealed: Sealed, seed: Uint8Array }} Kept */

export class Keys {
  #database;
  /** @type {Promise<Kept> | null} */
  #kept = null;

  /** @param {string} store */
  constructor(store) {
    this.#database = `${store}-identity`;
  }

  /**
   * What is public of the keys, and the log; the seed where the browser keeps none of them.
   *
   * @returns {Promise<{ created: number, log: string, identity?: Uint8Array, signing?: Uint8Array, agreement?: Uint8Array, seed?: Uint8Array }>}
   */
  async identity() {
    const kept = await this.#keep();
    if ('seed' in kept) return { created: kept.sealed.created, log: kept.sealed.log, seed: kept.seed };
    const { identity, agent } = kept;
    const [a, b, c] = await Promise.all([raw(identity.public), raw(agent.signing.public), raw(agent.agreement.public)]);
    return { created: identity.created, log: agent.log, identity: a, signing: b, agreement: c };
  }

  /**
   * @param {'identity' | 'signing'} which
   * @param {Uint8Array} bytes
   * @returns {Promise<Uint8Array>}
   */
  async sign(which, bytes) {
    const kept = await this.#keep();
    if ('seed' in kept) throw new Error('this browser keeps a seed, and signs nothing itself');
    const pair = which === 'identity' ? kept.identity : kept.agent.signing;
    return new Uint8Array(await crypto.subtle.sign('Ed25519', pair.private, bytes));
  }

  /**
   * What the agreement key and another's have in common.
   *
   * @param {Uint8Array} other
   * @returns {Promise<Uint8Array>}
   */
  async agree(other) {
    const kept = await this.#keep();
    if ('seed' in kept) throw new Error('this browser keeps a seed, and agrees on nothing itself');
    const key = await crypto.subtle.importKey('raw', other, 'X25519', true, []);
    const bits = await crypto.subtle.deriveBits({ name: 'X25519', public: key }, kept.agent.agreement.private, 256);
    return new Uint8Array(bits);
  }

  /**
   * Keeps `log` in the place of `before`. Another tab may have been first: gives the log that is kept.
   *
   * @param {string} before
   * @param {string} log
   * @returns {Promise<string>}
   */
  async keepLog(before, log) {
    await this.#keep();
    return navigator.locks.request(this.#database, () => withDatabase(this.#database, async (database) => {
      const agent = await read(database, AGENT);
      if (agent.log !== before) return agent.log;
      await write(database, [[AGENT, { ...agent, log }]]);
      return log;
    }));
  }

  /** @returns {Promise<Kept>} */
  #keep() {
    // One visit may ask several times at once, and several tabs too: one of them makes the keys.
    this.#kept ??= navigator.locks
      .request(this.#database, () => withDatabase(this.#database, keep))
      .catch((error) => {
        this.#kept = null;
        throw error;
      });
    return this.#kept;
  }
}

/**
 * @param {IDBDatabase} database
 * @returns {Promise<Kept>}
 */
async function keep(database) {
  /** @type {[Identity | undefined, any]} */
  const [identity, agent] = [await read(database, IDENTITY), await read(database, AGENT)];
  if (agent && agent.v !== VERSION) throw new Error(`the keys have format ${agent.v}, and this page reads ${VERSION}`);
  if (agent?.sealed) return { sealed: agent, seed: await unseal(agent) };
  if (identity && agent) return { identity, agent };
  // Its name is bound to the key it has: without others there is no agent of that name.
  if (identity) return make(database, identity);
  try {
    return await make(database, { ...(await pair('Ed25519', ['sign', 'verify'])), created: Date.now() });
  } catch (error) {
    if (error instanceof DOMException && ['NotSupportedError', 'SyntaxError'].includes(error.name)) return seal(database);
    throw error;
  }
}

/**
 * @param {IDBDatabase} database
 * @param {Identity} identity
 * @returns {Promise<Kept>}
 */
async function make(database, identity) {
  const signing = await pair('Ed25519', ['sign', 'verify']);
  const agreement = await pair('X25519', ['deriveBits']);
  const agent = { v: VERSION, signing, agreement, log: '' };
  await write(database, [[IDENTITY, identity], [AGENT, agent]]);
  return { identity, agent };
}

/**
 * @param {string} algorithm
 * @param {KeyUsage[]} usages
 * @returns {Promise<Pair>}
 */
async function pair(algorithm, usages) {
  const made = /** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey(algorithm, false, usages));
  return { private: made.privateKey, public: made.publicKey };
}

/**
 * Makes a seed, and keeps it sealed.
 *
 * @param {IDBDatabase} database
 * @returns {Promise<Kept>}
 */
async function seal(database) {
  const wrapping = /** @type {CryptoKey} */ (await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']));
  const seed = crypto.getRandomValues(new Uint8Array(32));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, wrapping, seed));
  const kept = { v: VERSION, wrapping, iv, sealed, created: Date.now(), log: '' };
  await write(database, [[AGENT, kept]]);
  return { sealed: kept, seed };
}

/**
 * @param {Sealed} kept
 * @returns {Promise<Uint8Array>}
 */
async function unseal({ wrapping, iv, sealed }) {
  return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, wrapping, sealed));
}

/** @param {CryptoKey} key */
async function raw(key) {
  return new Uint8Array(await crypto.subtle.exportKey('raw', key));
}

/**
 * @template T
 * @param {string} name
 * @param {(database: IDBDatabase) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withDatabase(name, work) {
  const database = await openDatabase(name);
  try {
    return await work(database);
  } finally {
    database.close();
  }
}

/**
 * @param {string} name
 * @returns {Promise<IDBDatabase>}
 */
function openDatabase(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('another tab holds the identity open; close it'));
  });
}

/**
 * @param {IDBDatabase} database
 * @param {string} key
 * @returns {Promise<any>}
 */
function read(database, key) {
  return new Promise((resolve, reject) => {
    const request = database.transaction(STORE).objectStore(STORE).get(key);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Writes all of `rows`, or none.
 *
 * @param {IDBDatabase} database
 * @param {[string, unknown][]} rows
 * @returns {Promise<void>}
 */
function write(database, rows) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' });
    for (const [key, value] of rows) transaction.objectStore(STORE).put(value, key);
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
