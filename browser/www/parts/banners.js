/** What holds for the whole element: no network, another tab has the session, something went wrong. */

import { button, iconButton } from './controls.js';
import { h } from './dom.js';
import { loadModel, progressOf } from './embedded.js';
import { icon } from './icons.js';
import { recall } from './kept.js';

export class Banners {
  /** @param {import('./actions.js').Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.state = h('div', { role: 'status' });
    this.problem = h('div', { role: 'alert' });
    this.root = h('div', { class: 'banners' }, this.state, this.problem);
    this.shown = ['', ''];
  }

  /** @param {import('./store.js').State} state */
  update({ online, held, problem, talk, settings, status, screen, model }) {
    // An empty conversation says so itself, larger.
    const unloaded = settings?.api === 'embedded' && screen === 'talk' && talk !== null && talk.entries.length > 0 && model?.state !== 'ready';
    const stopped = talk?.stopped ?? null;
    this.redraw(0, this.state, [online, held, settings, status?.key_needed, screen, unloaded && model], () => [
      !online && settings?.api !== 'embedded' && banner('offline', 'No network', 'what is stored can be read; answers have to wait.'),
      Boolean(status?.key_needed) &&
        screen === 'talk' &&
        banner('key', 'The key is no longer in memory', `it is never stored. Enter it again for ${settings?.base_url}.`, [
          button('Enter the key', () => this.actions.show('settings')),
        ]),
      unloaded && this.unloaded(model),
      held && banner('lock', held.holder ? `${held.holder} has this conversation` : 'Another tab has this conversation', 'it can be read here, and opens by itself as soon as the other tab leaves it.'),
    ]);
    this.redraw(1, this.problem, [problem, stopped], () => [
      problem && this.trouble(problem),
      stopped && banner('warning', 'This conversation could not be stored and has stopped', `${stopped}. What was stored before is safe.`, [button('Open it again', () => this.reopen())]),
    ]);
  }

  /**
   * @param {number} place
   * @param {Element} region
   * @param {unknown} of what it depends on
   * @param {() => unknown[]} draw
   */
  redraw(place, region, of, draw) {
    const shown = JSON.stringify(of);
    if (shown === this.shown[place]) return;
    this.shown[place] = shown;
    region.replaceChildren(...draw().filter((node) => node instanceof HTMLElement));
  }

  /** @param {import('./problem.js').Problem} problem */
  trouble({ title, cause, hint }) {
    const text = [cause, hint].filter(Boolean).join(' — ');
    return banner('warning', title, text, [iconButton('Dismiss', 'close', () => this.actions.dismiss())], 'bad');
  }

  /**
   * A turn that a reload cut off goes on once the model is there.
   *
   * @param {any} model
   */
  unloaded(model) {
    const loading = progressOf(model);
    const url = recall('embedded');
    const load = url ? button('Load it', () => loadModel(this.actions, url)) : button('Open settings', () => this.actions.show('settings'));
    const text = loading ?? 'it has to be read into memory again after each reload. What was begun goes on then.';
    return banner('download', 'The small model is not loaded yet', text, loading ? [] : [load]);
  }

  async reopen() {
    const session = this.actions.state.talk?.session;
    if (!session) return;
    await this.actions.fresh();
    await this.actions.open(session);
  }
}

/**
 * @param {import('./icons.js').IconName} drawing
 * @param {string} title
 * @param {string} text
 * @param {Node[]} [actions]
 * @param {'warn' | 'bad'} [kind]
 */
function banner(drawing, title, text, actions = [], kind = 'warn') {
  return h('div', { class: `banner is-${kind}` }, icon(drawing), h('p', { dir: 'auto' }, h('b', {}, title), text && `: ${text}`), ...actions);
}
