/**
 * The agent's identity key: Ed25519, made by WebCrypto as not extractable and kept by the browser.
 *
 * The database holds a handle; the key's bytes never exist outside the browser's own code, so no script can
 * read them: not this one, and none of the page.
 */

const STORE = 'keys';
const IDENTITY = 'identity';

/** @typedef {{ private: CryptoKey, public: CryptoKey, created: number }} Kept */

export class Keys {
  #database;
  /** @type {Promise<Kept> | null} */
  #kept = null;

  /** @param {string} store */
  constructor(store) {
    this.#database = `${store}-identity`;
  }

  /** @returns {Promise<{ public: Uint8Array, created: number }>} */
  async identity() {
    const kept = await this.#keep();
    const bytes = await crypto.subtle.exportKey('raw', kept.public);
    return { public: new Uint8Array(bytes), created: kept.created };
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {Promise<Uint8Array>}
   */
  async sign(bytes) {
    const kept = await this.#keep();
    return new Uint8Array(await crypto.subtle.sign('Ed25519', kept.private, bytes));
  }

  /** @returns {Promise<Kept>} */
  #keep() {
    // One visit may ask several times at once, and several tabs too: one of them makes the key.
    this.#kept ??= navigator.locks.request(this.#database, () => keep(this.#database)).catch((error) => {
      this.#kept = null;
      throw error;
    });
    return this.#kept;
  }
}

/**
 * @param {string} name
 * @returns {Promise<Kept>}
 */
async function keep(name) {
  const database = await openDatabase(name);
  try {
    const kept = await read(database);
    if (kept) return kept;
    const pair = await generate();
    const made = { private: pair.privateKey, public: pair.publicKey, created: Date.now() };
    await write(database, made);
    return made;
  } finally {
    database.close();
  }
}

/** @returns {Promise<CryptoKeyPair>} */
async function generate() {
  try {
    return /** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']));
  } catch (error) {
    throw new Error(`this browser makes no Ed25519 keys (${error}); Chrome 137, Firefox 129 and Safari 17 do`);
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
 * @returns {Promise<Kept | undefined>}
 */
function read(database) {
  return new Promise((resolve, reject) => {
    const request = database.transaction(STORE).objectStore(STORE).get(IDENTITY);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * @param {IDBDatabase} database
 * @param {Kept} kept
 * @returns {Promise<void>}
 */
function write(database, kept) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' });
    transaction.objectStore(STORE).add(kept, IDENTITY);
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
