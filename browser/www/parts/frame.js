/** The frame: menu, header, the screen that is shown, and where the focus goes when it changes. */

import { Announcer } from './announce.js';
import { Banners } from './banners.js';
import { Branches } from './branches.js';
import { iconButton } from './controls.js';
import { Conversation } from './conversation.js';
import { h, say, set } from './dom.js';
import { icon } from './icons.js';
import { IdentityScreen } from './identity.js';
import { MemoryScreen } from './memory.js';
import { SettingsScreen } from './settings.js';
import { keyHandler, shortcutsDialog } from './shortcuts.js';
import { exportSession, Sidebar } from './sidebar.js';
import { themeButton } from './theme.js';

const TITLES = { talk: 'New conversation', memory: 'Memory', identity: 'Identity', settings: 'Settings' };

export class Frame {
  /**
   * @param {HTMLElement} host
   * @param {import('./actions.js').Actions} actions
   * @param {{ placeholder: string, greeting: string, fixed: Set<string>, embedded: string }} options
   */
  constructor(host, actions, options) {
    this.actions = actions;
    this.store = actions.store;
    this.conversation = new Conversation(actions, options);
    /** @type {Record<string, { root: Element, update: (state: any) => void, show?: () => unknown }>} */
    this.screens = {
      talk: this.conversation,
      memory: new MemoryScreen(actions),
      identity: new IdentityScreen(actions),
      settings: new SettingsScreen(actions, options),
    };
    this.help = shortcutsDialog();
    this.sidebar = new Sidebar(actions, { theme: themeButton(host), help: () => this.help.showModal() });
    this.banners = new Banners(actions);
    this.menu = iconButton('Menu', 'menu', () => this.openMenu(), { class: 'icon-button only-narrow', 'aria-haspopup': 'true' });
    this.title = h('h1', { dir: 'auto', tabindex: -1 });
    this.undo = iconButton('Undo the last turn', 'undo', () => actions.undo(), { 'aria-keyshortcuts': 'Alt+Z' });
    this.redo = iconButton('Redo', 'redo', () => actions.redo(), { 'aria-keyshortcuts': 'Alt+Shift+Z' });
    this.branches = new Branches(actions);
    this.more = new More(actions, () => this.branches.open());
    this.fresh = iconButton('New conversation', 'plus', () => actions.fresh().then(() => this.compose()), { 'aria-keyshortcuts': 'Alt+C', class: 'icon-button only-narrow' });
    this.tools = h('div', { class: 'header-tools', role: 'group', 'aria-label': 'This conversation' }, this.undo, this.redo, this.more.root, this.fresh);
    this.body = h('div', { class: 'body' });
    this.main = h('main', { class: 'main' }, h('header', { class: 'header', part: 'header' }, this.menu, this.title, this.tools), this.banners.root, this.body);
    this.veil = h('div', { class: 'veil', onclick: () => this.closeMenu() });
    this.root = h('div', { class: 'frame', part: 'frame' }, this.sidebar.root, this.veil, this.main, this.help, this.branches.root, new Announcer(this.store).root);
    this.root.addEventListener('keydown', keyHandler(actions, {
      compose: () => this.compose(),
      search: () => this.search(),
      help: () => this.help.showModal(),
      closeMenu: () => this.closeMenu(),
      card: () => (this.store.state.screen === 'talk' && !this.store.state.drawer ? this.conversation.cardInSight() : null),
    }));
    // Made wider, the element has its menu beside the rest.
    new ResizeObserver(() => {
      if (this.store.state.drawer && !this.menu.checkVisibility()) this.store.set({ drawer: false });
    }).observe(this.root);
    /** @type {string | null} */
    this.screen = null;
    this.store.addEventListener('change', () => this.update());
    this.update();
  }

  update() {
    const state = this.store.state;
    this.sidebar.update(state);
    this.banners.update(state);
    const talk = state.talk;
    const onTalk = state.screen === 'talk';
    say(this.title, onTalk ? talk?.title || TITLES.talk : TITLES[state.screen]);
    set(this.tools, { hidden: !onTalk });
    const idle = talk && !talk.running && talk.pending === null && !state.held;
    set(this.undo, { disabled: !idle || !talk.view.can_undo });
    set(this.redo, { disabled: !idle || !talk.view.can_redo });
    this.more.update(state);
    this.updateDrawer(state.drawer);
    this.updateScreen(state);
  }

  /** @param {import('./store.js').State} state */
  updateScreen(state) {
    const screen = this.screens[state.screen];
    if (this.screen !== state.screen) {
      const first = this.screen === null;
      this.screen = state.screen;
      this.body.replaceChildren(screen.root);
      void screen.show?.();
      // The heading, so that a screen reader begins there; the message field where one can write.
      if (!first && state.screen === 'talk') this.compose();
      else if (!first) this.title.focus();
    }
    screen.update(state);
  }

  /** @param {boolean} open */
  updateDrawer(open) {
    if (this.root.hasAttribute('data-drawer') === open) return;
    set(this.root, { 'data-drawer': open });
    // What lies below an open menu cannot be reached, by pointer or by keyboard.
    this.main.inert = open;
    if (open) /** @type {HTMLElement | null} */ (this.sidebar.root.querySelector('button'))?.focus();
    else if (this.sidebar.root.contains(/** @type {ShadowRoot} */ (this.root.getRootNode()).activeElement)) this.menu.focus();
  }

  /** Where there is room, the menu is always there and covers nothing. */
  openMenu() {
    if (this.menu.checkVisibility()) this.store.set({ drawer: true });
  }

  /** @returns {boolean} whether something was open */
  closeMenu() {
    if (this.more.close()) return true;
    if (!this.store.state.drawer) return false;
    this.store.set({ drawer: false });
    return true;
  }

  compose() {
    if (this.store.state.screen !== 'talk') this.actions.show('talk');
    this.conversation.composer.focus();
  }

  search() {
    this.openMenu();
    requestAnimationFrame(() => requestAnimationFrame(() => this.sidebar.focusSearch()));
  }
}

/** The less frequent actions of a conversation. */
class More {
  /**
   * @param {import('./actions.js').Actions} actions
   * @param {() => void} branches
   */
  constructor(actions, branches) {
    this.branches = this.item('Branches', 'branch', branches);
    this.compact = this.item('Summarise for the model', 'fold', () => actions.compact());
    this.save = this.item('Export as a file', 'download', () => {
      const talk = actions.state.talk;
      if (talk) void exportSession(actions, talk.session);
    });
    this.root = h(
      'details',
      { class: 'more' },
      h('summary', { class: 'icon-button', 'aria-label': 'More', title: 'More', role: 'button' }, icon('more')),
      h('div', { class: 'more-list' }, this.branches, this.compact, this.save),
    );
    this.root.addEventListener('focusout', (event) => {
      if (!this.root.contains(/** @type {Node | null} */ (event.relatedTarget))) this.root.open = false;
    });
  }

  /**
   * @param {string} text
   * @param {import('./icons.js').IconName} drawing
   * @param {() => void} act
   */
  item(text, drawing, act) {
    return h('button', { type: 'button', class: 'nav', onclick: () => {
      this.root.open = false;
      act();
    } }, icon(drawing), h('span', {}, text));
  }

  /** @param {import('./store.js').State} state */
  update({ talk, held }) {
    set(this.root, { hidden: !talk });
    set(this.branches, { disabled: !talk || talk.running || Boolean(held) || talk.entries.length === 0 });
    set(this.compact, { disabled: !talk || talk.running || talk.entries.length === 0 });
  }

  /** @returns {boolean} whether it was open */
  close() {
    if (!this.root.open) return false;
    this.root.open = false;
    this.root.querySelector('summary')?.focus();
    return true;
  }
}
