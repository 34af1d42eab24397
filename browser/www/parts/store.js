/**
 * What the element knows, in one place. It comes from the agent alone; screens read it and are told
 * when it changed, at most once a frame.
 */

/** @typedef {import('./talk.js').Talk} Talk */
/** @typedef {import('./problem.js').Problem} Problem */
/** @typedef {'talk' | 'memory' | 'identity' | 'settings'} Screen */
/** @typedef {{ session: string, title: string, created: number, updated: number, turns: number, entries: number, model: string, running: boolean }} SessionLine */

/**
 * @typedef {object} State
 * @property {'opening' | 'ready' | 'failed'} phase
 * @property {Problem | null} problem what went wrong last and was not dismissed
 * @property {Screen} screen
 * @property {boolean} drawer whether the menu lies over a narrow element
 * @property {any} status the agent's answer to `status`
 * @property {any} settings the agent's answer to `settings.get`
 * @property {SessionLine[] | null} sessions
 * @property {string} query searched for in the sessions
 * @property {Talk | null} talk the open conversation; none: a new one
 * @property {string | null} opening the session being opened
 * @property {{ session: string, holder?: string } | null} held the open session, if another tab has it
 * @property {any} model how the embedded model is
 * @property {any} embedder how what memory is searched by meaning with is
 * @property {boolean} online
 */

export class Store extends EventTarget {
  constructor() {
    super();
    /** @type {State} */
    this.state = {
      phase: 'opening',
      problem: null,
      screen: 'talk',
      drawer: false,
      status: null,
      settings: null,
      sessions: null,
      query: '',
      talk: null,
      opening: null,
      held: null,
      model: null,
      embedder: null,
      online: navigator.onLine,
    };
    this.scheduled = false;
  }

  /**
   * Changes something and tells everybody, with the next frame.
   *
   * @param {Partial<State>} [change]
   */
  set(change = {}) {
    Object.assign(this.state, change);
    if (this.scheduled) return;
    this.scheduled = true;
    // A page in the background gets no frames, but should be right when looked at again.
    const wait = document.hidden ? setTimeout : requestAnimationFrame;
    wait(() => {
      this.scheduled = false;
      this.dispatchEvent(new Event('change'));
    });
  }
}
