/** Identity: the keys this browser made for its visitor's agent, and what can be done with them. */

import { copyButton, field, notice } from './controls.js';
import { h, set } from './dom.js';
import { moment, plural } from './format.js';
import { icon } from './icons.js';

export class IdentityScreen {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.card = h('div', { class: 'identity' });
    this.sign = new SignForm(actions);
    this.verify = new VerifyForm(actions);
    this.forms = h('div', { class: 'pair' }, this.sign.root, this.verify.root);
    this.carry = new CarryForm(actions);
    this.root = h(
      'section',
      { class: 'screen', 'aria-label': 'Identity' },
      h('p', { class: 'lead' }, 'Keys made in this browser. What is signed with them can be checked by anybody who has the name and the log below, and changed by nobody without that being seen.'),
      this.card,
      this.carry.root,
      this.forms,
    );
    this.sign.onsigned = (signed) => this.verify.fill(signed);
  }

  update() {}

  async show() {
    const done = await this.actions.attempt('Could not read the identity', 'identity');
    set(this.forms, { hidden: !done.ok });
    set(this.carry.root, { hidden: !done.ok });
    if (!done.ok) return;
    const { did, w3c, did_key, created, algorithm, exportable, events, standing } = done.value;
    this.did = did;
    const others = [w3c && row('W3C form', w3c), did_key && row('As a did:key, with which others check signatures', did_key)].filter(Boolean).flat();
    const kept = exportable
      ? 'The private keys are sealed on this device, and can be read by the agent itself: this browser does not keep such keys.'
      : 'The private keys cannot be read out, not by scripts of this page either: the browser signs with them and does not show them. Deleting the data of this site deletes them.';
    this.card.replaceChildren(
      h('dl', { class: 'facts' }, ...row('DID', did), ...others, h('dt', {}, 'Made'), h('dd', {}, `${moment(created)}, ${algorithm}`), ...this.log(events, standing)),
      h('p', { class: 'kept' }, icon(exportable ? 'warning' : 'lock'), h('span', {}, kept)),
    );
    this.verify.propose(did);
  }

  /**
   * The log of the keys, which other agents need to know this one.
   *
   * @param {number} events
   * @param {string} standing
   */
  log(events, standing) {
    const words = `${events === 1 ? '1 event' : `${events} events`}, ${standing}`;
    const copy = h('button', { class: 'button', type: 'button', onclick: () => this.save() }, 'Save log');
    return [h('dt', {}, 'Log of its keys'), h('dd', { class: 'copyable' }, h('span', {}, words), copy)];
  }

  async save() {
    const done = await this.actions.attempt('Could not read the log', 'identity.log');
    if (!done.ok) return;
    const url = URL.createObjectURL(new Blob([done.value], { type: 'application/json' }));
    h('a', { href: url, download: 'agent-log.json' }).click();
    URL.revokeObjectURL(url);
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function row(name, value) {
  return [h('dt', {}, name), h('dd', { class: 'copyable' }, h('code', {}, value), copyButton(() => value, name))];
}

/** The agent as a file: conversations, memories and policy, signed; never a key. */
class CarryForm {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.out = h('div', { 'aria-live': 'polite' });
    this.file = h('input', { type: 'file', hidden: true, 'aria-label': 'Bundle', onchange: () => this.load() });
    this.root = h(
      'div',
      { class: 'panel' },
      h('h2', {}, 'Carry to another home'),
      h('p', { class: 'help' }, 'All conversations and memories in one file, which this agent signs. Tau on a computer and in a Worker take it over, and this page takes theirs. It holds no key, and anybody who has it can read it.'),
      h(
        'div',
        { class: 'actions' },
        h('button', { class: 'button is-primary', type: 'button', onclick: () => this.save() }, 'Save the agent'),
        h('button', { class: 'button', type: 'button', onclick: () => this.file.click() }, 'Load a bundle'),
        this.file,
      ),
      this.out,
    );
  }

  async save() {
    this.out.replaceChildren();
    const done = await this.actions.attempt('Could not save the agent', 'bundle.export', {});
    if (!done.ok) return;
    const bytes = Uint8Array.from(atob(done.value.base64), (letter) => letter.charCodeAt(0));
    const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
    h('a', { href: url, download: `agent-${done.value.id.slice(0, 8)}.bundle` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  async load() {
    this.out.replaceChildren();
    const file = this.file.files?.[0];
    if (!file) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    this.file.value = '';
    // In pieces: a call takes only so many arguments.
    let letters = '';
    for (let at = 0; at < bytes.length; at += 32_768) letters += String.fromCharCode(...bytes.subarray(at, at + 32_768));
    const done = await this.actions.attempt('Could not load the bundle', 'bundle.import', { base64: btoa(letters) });
    if (!done.ok) return;
    const { did, author, sessions, memories } = done.value;
    const fresh = sessions.filter((/** @type {{ outcome: string }} */ { outcome }) => outcome !== 'same').length;
    const whose = author === 'own' ? 'It is this agent\u2019s own.' : `Its words count as words of others: it is signed by ${did}.`;
    this.out.replaceChildren(notice({ kind: 'info', title: `${plural(fresh, 'conversation')} and ${plural(memories.new, 'memory', 'memories')} came`, text: whose }));
    await this.actions.refreshSessions();
  }
}

class SignForm {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.text = h('textarea', { class: 'input', rows: 3, dir: 'auto' });
    this.out = h('div', { 'aria-live': 'polite' });
    /** @param {{ text: string, signature: string }} _ */
    this.onsigned = (_) => {};
    this.root = h(
      'form',
      { class: 'panel', onsubmit: (/** @type {Event} */ event) => this.submit(event) },
      h('h2', {}, 'Sign'),
      field('Text', this.text),
      h('div', { class: 'actions' }, h('button', { class: 'button is-primary' }, 'Sign')),
      this.out,
    );
  }

  /** @param {Event} event */
  async submit(event) {
    event.preventDefault();
    const text = this.text.value;
    if (!text) return this.text.focus();
    const done = await this.actions.attempt('Could not sign', 'identity.sign', { text });
    if (!done.ok) return;
    const signature = done.value.signature;
    this.out.replaceChildren(h('dl', { class: 'facts' }, ...row('Signature', signature)));
    this.onsigned({ text, signature });
  }
}

class VerifyForm {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.text = h('textarea', { class: 'input', rows: 3, dir: 'auto' });
    this.signature = h('input', { type: 'text', class: 'input', spellcheck: 'false', autocomplete: 'off' });
    this.did = h('input', { type: 'text', class: 'input', spellcheck: 'false', autocomplete: 'off' });
    this.out = h('div', { 'aria-live': 'polite' });
    this.root = h(
      'form',
      { class: 'panel', onsubmit: (/** @type {Event} */ event) => this.submit(event), oninput: () => this.out.replaceChildren() },
      h('h2', {}, 'Verify'),
      field('Signed text', this.text),
      field('Signature', this.signature),
      field('DID of who signed', this.did, 'This agent, one whose log is known here, or a did:key, which holds the key itself.'),
      h('div', { class: 'actions' }, h('button', { class: 'button' }, 'Verify')),
      this.out,
    );
  }

  /** @param {{ text: string, signature: string }} signed */
  fill({ text, signature }) {
    this.text.value = text;
    this.signature.value = signature;
    this.out.replaceChildren();
  }

  /** @param {string} did */
  propose(did) {
    if (!this.did.value) this.did.value = did;
  }

  /** @param {Event} event */
  async submit(event) {
    event.preventDefault();
    const [text, signature, did] = [this.text.value, this.signature.value.trim(), this.did.value.trim()];
    if (!signature || !did) return (signature ? this.did : this.signature).focus();
    const done = await this.actions.attempt('Could not verify', 'identity.verify', { text, signature, did });
    if (!done.ok) return;
    const valid = done.value.valid;
    this.out.replaceChildren(
      valid
        ? notice({ kind: 'info', title: 'Genuine', text: 'Exactly this text was signed by the holder of this key.' })
        : notice({ kind: 'bad', title: 'Not genuine', text: 'Text, signature and DID do not belong together: one of them was changed.' }),
    );
  }
}
