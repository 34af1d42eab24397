/** A tool call: what was asked for, how it went, and what came back; open to look inside. */

import { button } from './controls.js';
import { h, say, set } from './dom.js';
import { duration, summary } from './format.js';
import { icon } from './icons.js';
import { picture } from './picture.js';

/** @typedef {import('./turns.js').ToolStep} ToolStep */

const STATES = {
  running: 'running',
  waiting: 'asks you',
  denied: 'refused',
  ok: 'done',
  error: 'failed',
  timed_out: 'took too long',
  cancelled: 'stopped',
  unknown: 'not finished',
};

export class ToolRow {
  /** @param {ToolStep} step */
  constructor(step) {
    this.state = h('span', { class: 'tool-state' });
    this.time = h('span', { class: 'tool-time' });
    this.summary = h('code', { class: 'tool-summary', dir: 'auto' }, summary(step.call.arguments));
    this.inside = h('div', { class: 'tool-inside' });
    this.root = h(
      'details',
      { class: 'tool' },
      h('summary', {}, h('span', { class: 'tool-dot' }), h('b', { class: 'tool-name' }, step.call.name), this.summary, this.time, this.state),
      this.inside,
    );
    /** What the inside was made of. @type {unknown[]} */
    this.shown = [];
  }

  /** @param {ToolStep} step */
  update({ call, state }) {
    const result = state?.result;
    const name = result?.status ?? state?.state ?? 'unknown';
    set(this.root, { 'data-state': name });
    say(this.state, STATES[name]);
    say(this.time, result && result.status !== 'denied' ? duration(result.duration_ms) : '');
    const shown = [call.arguments, state?.refusal, result];
    if (shown.length === this.shown.length && shown.every((part, place) => part === this.shown[place])) return;
    this.shown = shown;
    this.inside.replaceChildren(...inside(call, state));
  }
}

/**
 * @param {import('./tree.js').ToolCall} call
 * @param {import('./talk.js').Call | null} state
 * @returns {Node[]}
 */
function inside(call, state) {
  const nodes = [section('Asked for', pretty(call.arguments))];
  if (state?.refusal) {
    const { rule, reason, hint } = state.refusal;
    nodes.push(section('Refused', [`${reason}`, `rule: ${rule}`, hint && `hint: ${hint}`].filter(Boolean).join('\n')));
  }
  if (state?.result) nodes.push(section('Came back', state.result.text || 'Nothing.'));
  for (const image of state?.result?.images ?? []) nodes.push(picture(image));
  return nodes;
}

/**
 * @param {string} title
 * @param {string} text
 */
function section(title, text) {
  return h('section', {}, h('h5', {}, title), h('pre', { tabindex: 0, dir: 'auto', role: 'region', 'aria-label': title }, text));
}

/** @param {unknown} value */
function pretty(value) {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

/** A question of the agent: what it wants to do and why it has to ask. */
export class ApprovalCard {
  /**
   * @param {import('./talk.js').Question} question
   * @param {import('./actions.js').Actions} actions
   */
  constructor(question, actions) {
    const reason = h('input', { type: 'text', class: 'input', 'aria-label': 'Reason for refusing, told to the model', placeholder: 'Reason, if you refuse (optional)', dir: 'auto' });
    const allow = button('Allow once', () => this.allow(), { kind: 'primary', props: { 'aria-keyshortcuts': 'Alt+Y' } });
    const { rule, always, leaving } = question.notice;
    const lasting = [
      rule && button('Allow in this conversation', () => actions.approve(question, 'session')),
      rule && always && button('Always allow', () => actions.approve(question, 'always')),
    ];
    this.allow = () => actions.approve(question, 'call');
    this.deny = () => actions.deny(question, reason.value.trim());
    const deny = button('Refuse', () => this.deny(), { props: { 'aria-keyshortcuts': 'Alt+N' } });
    reason.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.isComposing) void this.deny();
    });
    this.root = h(
      'section',
      { class: 'approval', 'aria-label': `May Tau use ${question.name}?` },
      h('h4', {}, icon('key'), h('span', {}, 'May Tau use ', h('code', {}, question.name), '?')),
      argumentList(question.arguments),
      h('p', { class: 'why', dir: 'auto' }, h('b', {}, 'Why it asks: '), question.reason),
      leaving &&
        h(
          'dl',
          { class: 'arguments leaving', 'aria-label': 'What could leave' },
          ...[
            ['Private', leaving.private],
            ['Untrusted', leaving.untrusted],
            ['Leaves to', leaving.to],
          ].flatMap(([name, value]) => [h('dt', {}, name), h('dd', { dir: 'auto' }, value)]),
        ),
      rule && h('p', { class: 'help', dir: 'auto' }, 'A lasting yes would cover: ', h('code', {}, rule)),
      question.may_have_run &&
        h('p', { class: 'warning' }, icon('warning'), 'It was running when this page was closed. If you allow it, it may happen a second time.'),
      h('div', { class: 'actions' }, allow, ...lasting, deny),
      reason,
      h('p', { class: 'help' }, h('kbd', {}, 'Alt'), '+', h('kbd', {}, 'Y'), ' allows once, ', h('kbd', {}, 'Alt'), '+', h('kbd', {}, 'N'), ' refuses'),
    );
  }

  /** A question does not change: another one has another card. */
  update() {}
}

/** @param {unknown} value */
function argumentList(value) {
  if (!value || typeof value !== 'object' || Array.isArray(value)) return h('pre', { dir: 'auto', tabindex: 0 }, pretty(value));
  const rows = Object.entries(value).flatMap(([name, inner]) => [h('dt', {}, name), h('dd', { dir: 'auto' }, typeof inner === 'string' ? inner : pretty(inner))]);
  return rows.length > 0 ? h('dl', { class: 'arguments' }, ...rows) : h('p', { class: 'help' }, 'It takes no arguments.');
}
