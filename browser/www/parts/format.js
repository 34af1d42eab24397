/** Numbers, sizes and times as a person reads them, in the language of the browser. */

const NUMBER = new Intl.NumberFormat();
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** @param {number} value */
export function number(value) {
  return NUMBER.format(value);
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** @param {number} bytes */
export function bytes(bytes) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 10 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** @param {number} ms */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** @param {number} ms Unix milliseconds */
export function moment(ms) {
  return FULL.format(ms);
}

/**
 * The time of day for today, else the day.
 *
 * @param {number} ms Unix milliseconds
 */
export function recent(ms) {
  const date = new Date(ms);
  return date.toDateString() === new Date().toDateString() ? CLOCK.format(date) : DAY.format(date);
}

/** @param {number} nano 1e-9 USD */
export function cost(nano) {
  const usd = nano / 1e9;
  return `$${usd < 0.01 ? usd.toPrecision(2) : usd.toFixed(2)}`;
}

/**
 * Tokens and, where a price is known, money.
 *
 * @param {{ input_tokens: number, output_tokens: number, cached_input_tokens?: number, cost_nano_usd?: number }} usage
 */
export function usage(usage) {
  const parts = [];
  if (usage.input_tokens || usage.output_tokens) {
    parts.push(`${number(usage.input_tokens)} tokens in`, `${number(usage.output_tokens)} out`);
  }
  if (usage.cached_input_tokens) parts.push(`${number(usage.cached_input_tokens)} cached`);
  if (usage.cost_nano_usd) parts.push(cost(usage.cost_nano_usd));
  return parts.join(' · ');
}

/**
 * A call's arguments on one line: the value alone when there is one, else JSON.
 *
 * @param {unknown} value
 */
export function summary(value) {
  if (typeof value === 'string') return value;
  if (value && typeof value === 'object') {
    const values = Object.values(value);
    if (values.length === 0) return '';
    if (values.length === 1 && typeof values[0] !== 'object') return String(values[0]);
  }
  return JSON.stringify(value) ?? '';
}

/**
 * The host of an address; the address itself where a browser cannot read it.
 *
 * @param {string} address
 */
export function hostOf(address) {
  return URL.canParse(address) ? new URL(address).host : address;
}
