/** Settings: where answers come from, what the agent may do, and what is kept. */

import { button, field } from './controls.js';
import { EmbeddedModel } from './embedded.js';
import { h, say, set } from './dom.js';
import { bytes } from './format.js';
import { icon } from './icons.js';

/** Addresses that need not be typed. */
const ENDPOINTS = [
  ['https://api.openai.com/v1', 'OpenAI'],
  ['https://openrouter.ai/api/v1', 'OpenRouter'],
  ['https://api.anthropic.com', 'Anthropic'],
  ['http://localhost:11434/v1', 'Ollama on this machine'],
  ['http://localhost:8080/v1', 'llama.cpp on this machine'],
];

const POLICIES = [
  ['permissive', 'Permissive: asks only before it reads this page'],
  ['balanced', 'Balanced: asks before it uses the network'],
  ['strict', 'Strict: asks as well, and allows itself less'],
  ['hardened', 'Hardened: asks before it remembers, never uses the network'],
];

const APIS = [
  ['openai', 'Speaks like OpenAI'],
  ['anthropic', 'Anthropic'],
  ['embedded', 'The small model in this page'],
];

export class SettingsScreen {
  /**
   * @param {import('./actions.js').Actions} actions
   * @param {{ fixed: Set<string>, embedded: string }} page settings that the page made, and where it has the embedded model
   */
  constructor(actions, { fixed, embedded }) {
    this.actions = actions;
    this.fixed = fixed;
    this.api = select(APIS);
    this.base_url = h('input', { type: 'url', class: 'input', list: 'tau-endpoints', placeholder: 'https://…/v1', spellcheck: 'false' });
    this.model = h('input', { type: 'text', class: 'input', spellcheck: 'false', autocapitalize: 'off', placeholder: 'As the provider calls it' });
    this.context_tokens = h('input', { type: 'number', class: 'input', min: 1024, step: 1, inputmode: 'numeric' });
    this.policy = select(POLICIES);
    this.system = h('textarea', { class: 'input', rows: 3, dir: 'auto', placeholder: 'Tau’s own' });
    this.memory = h('input', { type: 'checkbox', id: 'tau-use-memory' });
    this.saved = h('span', { class: 'saved', role: 'status' });
    this.key = new KeyForm(actions);
    this.embedded = new EmbeddedModel(actions, embedded);
    this.grants = new GrantsCard(actions);
    this.storage = new StorageCard(actions);
    this.remote = h(
      'div',
      {},
      field('Address', this.base_url, 'It has to allow requests from this page (CORS), and the page’s content security policy has to let them out.'),
      h('datalist', { id: 'tau-endpoints' }, ...ENDPOINTS.map(([value, label]) => h('option', { value, label }))),
      field('Model', this.model),
      field('Context', this.context_tokens, 'How many tokens the model takes, its answer included.'),
    );
    this.api.addEventListener('change', () => this.adapt());
    this.form = h(
      'form',
      { onsubmit: (/** @type {Event} */ event) => this.save(event), oninput: () => this.edit() },
      h('div', { class: 'panel' }, h('h2', {}, 'Model'), field('Kind', this.api), this.remote),
      h(
        'div',
        { class: 'panel' },
        h('h2', {}, 'Behaviour'),
        field('What it may do', this.policy, 'Counts at once, for every conversation.'),
        h('div', { class: 'check' }, this.memory, h('label', { for: 'tau-use-memory' }, 'Let it remember and recall across conversations')),
        field('Instructions', this.system, 'Told to the model with every request, from the next message on.'),
      ),
      h('div', { class: 'actions save' }, h('button', { class: 'button is-primary' }, 'Save'), this.saved),
    );
    /** What the form was filled from. @type {any} */
    this.from = null;
    /** Whether something was written since. */
    this.edited = false;
    this.about = h('p', { class: 'help' });
    this.root = h(
      'section',
      { class: 'screen', 'aria-label': 'Settings' },
      this.form,
      this.key.root,
      this.embedded.root,
      this.grants.root,
      this.storage.root,
      this.about,
    );
  }

  /** @param {import('./store.js').State} state */
  update(state) {
    this.key.update(state);
    this.embedded.update(state);
    this.storage.update(state);
    // Another tab changed them.
    if (state.settings !== this.from && !this.edited) this.fill();
    if (state.status) say(this.about, `Tau ${state.status.version}, at home in a web page.`);
  }

  show() {
    this.fill();
    say(this.saved, '');
    return this.grants.show();
  }

  edit() {
    this.edited = true;
    say(this.saved, '');
  }

  fill() {
    const settings = this.actions.state.settings ?? {};
    this.from = this.actions.state.settings;
    this.edited = false;
    for (const name of ['api', 'base_url', 'model', 'context_tokens', 'policy', 'system']) {
      this[name].value = settings[name] ?? '';
      set(this[name], { disabled: this.fixed.has(name), title: this.fixed.has(name) ? 'Set by this page' : null });
    }
    this.memory.checked = settings.memory ?? false;
    set(this.memory, { disabled: this.fixed.has('memory') });
    this.adapt();
  }

  /** Where the key is entered. */
  focusKey() {
    this.key.input.focus();
  }

  adapt() {
    const remote = this.api.value !== 'embedded';
    set(this.remote, { hidden: !remote });
    set(this.key.root, { hidden: !remote });
  }

  /** @param {Event} event */
  async save(event) {
    event.preventDefault();
    const context = Number(this.context_tokens.value);
    const settings = {
      api: this.api.value,
      base_url: this.base_url.value.trim(),
      model: this.model.value.trim(),
      ...(context > 0 && { context_tokens: context }),
      policy: this.policy.value,
      system: this.system.value.trim(),
      memory: this.memory.checked,
    };
    // What was left as it was here may have been changed in another tab.
    const changed = Object.fromEntries(Object.entries(settings).filter(([name, value]) => value !== this.from?.[name]));
    const done = await this.actions.attempt('Could not save the settings', 'settings.set', changed);
    if (!done.ok) return;
    this.edited = false;
    this.actions.store.set({ settings: done.value });
    await this.actions.refreshStatus();
    say(this.saved, 'Saved');
  }
}

/** @param {string[][]} options */
function select(options) {
  return h('select', { class: 'input' }, ...options.map(([value, label]) => h('option', { value }, label)));
}

/** The provider's key: given to the agent's worker, which gives it back to nobody. */
class KeyForm {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.input = h('input', { type: 'password', class: 'input', autocomplete: 'off', spellcheck: 'false' });
    this.there = h('p', { class: 'kept', role: 'status' }, icon('key'), h('span', {}));
    this.forget = button('Forget it', () => this.change('Could not forget the key', 'key.forget'));
    this.root = h(
      'form',
      { class: 'panel', onsubmit: (/** @type {Event} */ event) => this.submit(event) },
      h('h2', {}, 'Key'),
      this.there,
      field('Key of the provider', this.input, 'Held in the memory of the agent’s worker only: never stored, never shown again, sent to the address above and nowhere else. After a reload you are asked again.'),
      h('div', { class: 'actions' }, h('button', { class: 'button' }, 'Use this key'), this.forget),
    );
  }

  /** @param {import('./store.js').State} state */
  update({ status }) {
    const has = Boolean(status?.has_key);
    say(/** @type {Element} */ (this.there.lastChild), has ? 'A key is in memory, until this page is reloaded or closed.' : 'No key is in memory.');
    set(this.forget, { hidden: !has });
  }

  /** @param {Event} event */
  async submit(event) {
    event.preventDefault();
    const key = this.input.value.trim();
    if (!key) return this.input.focus();
    this.input.value = '';
    await this.change('Could not take the key', 'key.set', { key });
  }

  /**
   * @param {string} doing
   * @param {string} name
   * @param {object} [args]
   */
  async change(doing, name, args) {
    const done = await this.actions.attempt(doing, name, args);
    if (done.ok) await this.actions.refreshStatus();
  }
}

/** What was allowed for good, each to be taken back. */
class GrantsCard {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.rows = h('ul', { class: 'cards' });
    this.none = h('p', { class: 'help' }, 'Nothing. When Tau asks, “Always allow” adds the rule here.');
    this.root = h('div', { class: 'panel' }, h('h2', {}, 'Always allowed'), this.none, this.rows);
  }

  async show() {
    const done = await this.actions.attempt('Could not read what is allowed', 'grants.list', {});
    if (!done.ok) return;
    /** @type {{ rule: string, at: number }[]} */
    const grants = done.value;
    set(this.none, { hidden: grants.length > 0 });
    this.rows.replaceChildren(...grants.map((grant) => this.row(grant.rule)));
  }

  /** @param {string} rule */
  row(rule) {
    const revoke = button('Revoke', () => this.revoke(rule), { props: { 'aria-label': `Revoke: ${rule}` } });
    return h('li', { class: 'card' }, h('div', { class: 'card-words' }, h('code', { dir: 'auto' }, rule)), revoke);
  }

  /** @param {string} rule */
  async revoke(rule) {
    const done = await this.actions.attempt('Could not take this back', 'grants.revoke', { rule });
    if (done.ok) await this.show();
  }
}

/** How much this browser keeps, and whether it may clear it. */
class StorageCard {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.meter = h('meter', { min: 0, max: 1, 'aria-label': 'Storage used' });
    this.words = h('p', {});
    this.persist = button('Ask the browser to keep it', () => this.keep());
    this.answer = h('span', { class: 'help', role: 'status' });
    this.root = h('div', { class: 'panel' }, h('h2', {}, 'Storage'), this.words, this.meter, h('div', { class: 'actions' }, this.persist, this.answer));
  }

  /** @param {import('./store.js').State} state */
  update({ status }) {
    const storage = status?.storage;
    const known = typeof storage?.used === 'number' && typeof storage.quota === 'number';
    set(this.root, { hidden: !known });
    if (!known) return;
    const kept = storage.persisted ? 'The browser keeps it until you delete it.' : 'The browser may clear it when space runs short.';
    say(this.words, `${bytes(storage.used)} used of ${bytes(storage.quota)} that this site may use. ${kept}`);
    set(this.meter, { value: 0, title: null });
    this.meter.value = storage.quota > 0 ? storage.used / storage.quota : 0;
    set(this.persist, { hidden: storage.persisted });
  }

  async keep() {
    const kept = await this.actions.attempt('Could not ask for it', 'storage.persist');
    say(this.answer, kept.ok && kept.value ? '' : 'The browser declined. It decides by how often this site is used.');
    await this.actions.refreshStatus();
  }
}
