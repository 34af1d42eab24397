/** The date and time, as the native home's tool tells them. */

const WANTED = /** @type {const} */ ({
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  weekday: 'long',
  timeZoneName: 'longOffset',
});

/**
 * @param {string} zone the person's, if empty; a name nobody knows throws
 * @param {Date} [now]
 */
export function time(zone, now = new Date()) {
  const format = new Intl.DateTimeFormat('en-GB', { ...WANTED, timeZone: zone || undefined });
  const part = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]));
  const offset = part.timeZoneName.replace('GMT', '') || '+00:00';
  const { year, month, day, hour, minute, second, weekday } = part;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}${offset} ${weekday} ${format.resolvedOptions().timeZone}`;
}
