/**
 * The page that verifies a file: takes it, has it read by a Web Worker (`verify-worker.js`), tells what came of it.
 *
 * @typedef {{ receipts: number, unsigned: number, revoked: number, by: string[] }} Signatures
 * @typedef {{ ok: boolean, checked: number, first_bad: { line: number, why: string } | null, signatures?: Signatures }} Verified
 */

/** More than this a page does not take into memory. */
const MOST_BYTES = 512 * 1024 * 1024;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const drop = element('drop');
const input = /** @type {HTMLInputElement} */ (element('file'));
const result = element('result');

/** The last file that was chosen: an earlier one's answer comes too late. */
let latest = 0;

/** @param {File} file */
async function check(file) {
  latest += 1;
  const number = latest;
  show('reading', `Reading ${file.name} …`);
  const told = await ask(file).catch((error) => error);
  if (number !== latest) return;
  if (told instanceof Error) show('bad', `${file.name} cannot be verified`, told.message);
  else tell(file.name, told);
}

/**
 * @param {File} file
 * @returns {Promise<Verified>}
 */
async function ask(file) {
  if (file.size > MOST_BYTES) throw new Error('It is larger than 512 MiB: `tau verify FILE` takes it.');
  const bytes = await file.arrayBuffer();
  const worker = new Worker(new URL('./verify-worker.js', import.meta.url), { type: 'module' });
  try {
    return await new Promise((resolve, reject) => {
      worker.addEventListener('message', ({ data }) => resolve(JSON.parse(data)));
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        reject(new Error(event.message || 'the module could not be loaded'));
      });
      worker.postMessage(bytes, [bytes]);
    });
  } finally {
    worker.terminate();
  }
}

/**
 * @param {string} name
 * @param {Verified} verified
 */
function tell(name, { ok, checked, first_bad, signatures }) {
  if (!ok || first_bad) {
    const { line, why } = first_bad ?? { line: 1, why: 'it does not hold' };
    show('bad', `Line ${line} of ${name} is not as it was written`, `${why}. What comes before it holds; trust nothing from there on.`);
    return;
  }
  /** @type {[string, string][]} */
  const facts = [['lines', String(checked)]];
  if (!signatures?.receipts) {
    show('unsigned', `${name} holds, and nothing of it is signed`, 'Whoever wrote the file could have written another.', facts);
    return;
  }
  facts.push(['receipts', String(signatures.receipts)]);
  for (const did of signatures.by) facts.push(['signed by', did]);
  if (signatures.unsigned) facts.push(['not signed', `${signatures.unsigned}, from before the first receipt`]);
  if (signatures.revoked) facts.push(['revoked since', `${signatures.revoked} receipts, which could have been dated back`]);
  show('holds', `${name} holds`, 'Compare the name with that of the agent you expect: anybody can sign under a name of their own.', facts);
}

/**
 * @param {'reading' | 'holds' | 'unsigned' | 'bad'} verdict
 * @param {string} title
 * @param {string} [why]
 * @param {[string, string][]} [facts]
 */
function show(verdict, title, why = '', facts = []) {
  result.hidden = false;
  result.dataset.verdict = verdict;
  element('verdict').textContent = title;
  element('why').textContent = why;
  element('facts').replaceChildren(
    ...facts.flatMap(([name, value]) => {
      const [term, told] = [document.createElement('dt'), document.createElement('dd')];
      term.textContent = name;
      told.textContent = value;
      return [term, told];
    }),
  );
}

/** @param {FileList | null | undefined} files */
function take(files) {
  const file = files?.[0];
  if (file) void check(file);
}

input.addEventListener('change', () => take(input.files));
for (const event of ['dragenter', 'dragover']) {
  document.addEventListener(event, (dragged) => {
    dragged.preventDefault();
    drop.classList.add('over');
  });
}
for (const event of ['dragleave', 'drop']) document.addEventListener(event, () => drop.classList.remove('over'));
document.addEventListener('drop', (dropped) => {
  dropped.preventDefault();
  take(dropped.dataTransfer?.files);
});
