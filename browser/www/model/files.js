/**
 * The embedded model's files: fetched once, kept in the Cache API under their hashes, read from there into the module,
 * which compares each with its hash before it is used.
 *
 * @typedef {{ role: string, name: string, bytes: number, sha256: string }} Wanted a file of the manifest
 * @typedef {{ file: string, received: number, total: number }} Progress bytes, of all files together
 */

const CACHE = 'tau-model';
const MANIFEST = 'manifest.json';
/** Least time between two reports of progress. */
const PROGRESS_MS = 100;

/** An error with one of the codes of the protocol. */
export class Failure extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Files {
  #cache;
  #base;

  /**
   * @param {Cache} cache
   * @param {URL} base
   */
  constructor(cache, base) {
    this.#cache = cache;
    this.#base = base;
  }

  /** @param {string} url of the folder */
  static async open(url) {
    let base;
    try {
      base = new URL(url.endsWith('/') ? url : `${url}/`, self.location.href);
    } catch {
      throw new Failure('manifest', `${url} is not an address`);
    }
    if (!self.isSecureContext || !self.caches) {
      throw new Failure('unsupported', 'the model can be kept only by a page from https or from this machine');
    }
    try {
      return new Files(await caches.open(CACHE), base);
    } catch (error) {
      throw new Failure('unsupported', `the browser lets this page keep nothing: ${reason(error)}`);
    }
  }

  /** The manifest's bytes: the server's, or the kept one while the server is away. */
  async manifest() {
    const url = new URL(MANIFEST, this.#base);
    let why;
    try {
      const response = await fetch(url, { cache: 'no-cache' });
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
      why = `it answered ${response.status}`;
    } catch (error) {
      why = reason(error);
    }
    const kept = await this.#cache.match(this.#manifestKey());
    if (!kept) throw new Failure('network', `no model at ${url}: ${why}`);
    return new Uint8Array(await kept.arrayBuffer());
  }

  /**
   * Fetches the files that are not kept.
   *
   * @param {Wanted[]} files
   * @param {(progress: Progress) => void} tell
   */
  async fetch(files, tell) {
    const missing = [];
    for (const file of files) {
      if (!(await this.#cache.match(key(file)))) missing.push(file);
    }
    const total = sum(files);
    const report = reporter(total, total - sum(missing), tell);
    if (missing.length > 0) await this.#room(sum(missing));
    for (const file of missing) await this.#fetch(file, report);
  }

  /**
   * @param {Wanted} file
   * @param {(file: string, bytes: number) => void} report
   */
  async #fetch(file, report) {
    const url = new URL(file.name, this.#base);
    /** @type {Response} */
    let response;
    try {
      response = await fetch(url, { cache: 'no-store' });
    } catch (error) {
      throw new Failure('network', `${file.name} could not be fetched: ${reason(error)}`);
    }
    if (!response.ok || !response.body) {
      throw new Failure('network', `${file.name} could not be fetched: the server answered ${response.status}`);
    }
    let received = 0;
    const counted = response.body.pipeThrough(
      new TransformStream({
        transform(piece, controller) {
          received += piece.length;
          // A server that sends more than was promised is not kept sending.
          if (received > file.bytes) controller.error(new Failure('checksum', `${file.name} is longer than promised`));
          else controller.enqueue(piece);
          report(file.name, piece.length);
        },
      }),
    );
    try {
      // Kept whole or not at all: a stream that breaks off rejects the whole entry.
      await this.#cache.put(key(file), new Response(counted));
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (isQuota(error)) throw quota(`${file.name} does not fit`);
      throw new Failure('network', `${file.name} broke off after ${received} bytes: ${reason(error)}`);
    }
    if (received !== file.bytes) {
      await this.#cache.delete(key(file));
      throw new Failure('network', `${file.name} ended after ${received} of ${file.bytes} bytes`);
    }
  }

  /**
   * Reads every file into the module. One that is not what the manifest says is dropped, so that the next load fetches
   * it again.
   *
   * @param {any} loader the module's `Loader`
   * @param {Wanted[]} files
   * @param {(progress: Progress) => void} tell
   */
  async read(loader, files, tell) {
    const report = reporter(sum(files), 0, tell);
    for (const file of files) {
      const kept = await this.#cache.match(key(file));
      if (!kept?.body) throw new Failure('quota', `the browser has dropped ${file.name}`);
      try {
        loader.begin();
        const reader = kept.body.getReader();
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
          loader.write(piece.value);
          report(file.name, piece.value.length);
        }
        loader.end();
      } catch (error) {
        const { code } = /** @type {Partial<Failure>} */ (error);
        if (code === 'checksum') await this.#cache.delete(key(file));
        throw error;
      }
    }
  }

  /**
   * Keeps the manifest, and drops what it does not name.
   *
   * @param {Uint8Array} manifest
   * @param {Wanted[]} files
   */
  async settle(manifest, files) {
    const used = new Set([this.#manifestKey(), ...files.map(key)]);
    for (const { url } of await this.#cache.keys()) {
      if (!used.has(url)) await this.#cache.delete(url);
    }
    try {
      await this.#cache.put(this.#manifestKey(), new Response(/** @type {BodyInit} */ (manifest)));
    } catch (error) {
      // The model is loaded; without the manifest the next load needs the network for it.
      if (!isQuota(error)) throw error;
    }
  }

  /** @param {number} bytes that are to be kept */
  async #room(bytes) {
    const { quota: most = Infinity, usage = 0 } = (await navigator.storage?.estimate?.()) ?? {};
    if (most - usage < bytes) {
      throw quota(`the model takes ${megabytes(bytes)}, ${megabytes(Math.max(most - usage, 0))} are left`);
    }
  }

  #manifestKey() {
    return new URL(`/${CACHE}/manifest?of=${encodeURIComponent(this.#base.href)}`, self.location.origin).href;
  }
}

/**
 * A file's name in the cache. Never fetched: only the cache knows it.
 *
 * @param {Wanted} file
 */
function key(file) {
  return new URL(`/${CACHE}/${file.sha256}`, self.location.origin).href;
}

/** @param {Wanted[]} files */
function sum(files) {
  return files.reduce((bytes, file) => bytes + file.bytes, 0);
}

/**
 * Counts bytes and tells of them, not more often than a person can see.
 *
 * @param {number} total
 * @param {number} received
 * @param {(progress: Progress) => void} tell
 * @returns {(file: string, bytes: number) => void}
 */
function reporter(total, received, tell) {
  let told = 0;
  return (file, bytes) => {
    received += bytes;
    const now = performance.now();
    if (now - told < PROGRESS_MS && received < total) return;
    told = now;
    tell({ file, received, total });
  };
}

/** @param {string} fact */
function quota(fact) {
  return new Failure('quota', `the browser gives this page too little space: ${fact}`);
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${Math.round(bytes / 1e6)} MB`;
}

/** @param {unknown} error */
function isQuota(error) {
  return error instanceof DOMException && error.name === 'QuotaExceededError';
}

/** @param {unknown} error */
function reason(error) {
  return error instanceof Error ? error.message : String(error);
}
