/** What went wrong, as a person can use it: what, why, and what to do. */

/** @typedef {{ title: string, cause?: string, hint?: string, code?: string }} Problem */

/**
 * @param {unknown} error what a call of the agent was rejected with
 * @param {string} doing what was tried, as "could not …"
 * @returns {Problem}
 */
export function problem(error, doing) {
  if (!(error instanceof Error) && !(error && typeof error === 'object')) return { title: doing, cause: String(error) };
  const { message, cause, hint, code } = /** @type {any} */ (error);
  const deeper = cause instanceof Error ? cause.message : typeof cause === 'string' ? cause : undefined;
  return { title: doing, cause: [message, deeper].filter(Boolean).join(': '), hint, code };
}

const FAILURES = {
  unauthorized: 'The provider did not accept the key',
  not_found: 'The provider has no such model or address',
  bad_request: 'The provider refused the request',
  rate_limited: 'The provider wants fewer requests, or credit is used up',
  unavailable: 'The provider is in trouble',
  connection: 'The provider could not be reached',
  malformed: 'The answer was not in the expected format',
  filtered: 'The provider withheld the answer',
  embedded: 'The model in this page did not answer',
};

/** What mends it here; the agent's own hint speaks of every home. */
const HINTS = {
  unauthorized: 'Enter its key under Settings. It is held in memory only, so a reload forgets it.',
};

const BUDGETS = {
  steps: 'It took as many model calls as a turn may',
  tokens: 'It took as many tokens as a turn may',
  cost: 'It cost as much as a turn may',
  deadline: 'It took as long as a turn may',
};

/**
 * How a turn ended, if not with an answer.
 *
 * @param {import('./talk.js').Outcome} outcome
 * @returns {(Problem & { kind: 'bad' | 'warn' | 'info', settings?: boolean }) | null}
 */
export function ending(outcome) {
  switch (outcome.outcome) {
    case 'failed': {
      const failure = outcome.error;
      const settings = ['unauthorized', 'not_found', 'bad_request', 'connection', 'malformed', 'embedded'].includes(failure?.kind ?? '');
      return { kind: 'bad', title: FAILURES[failure?.kind ?? ''] ?? 'The turn failed', cause: failure?.message, hint: HINTS[failure?.kind ?? ''] ?? failure?.hint, settings };
    }
    case 'interrupted':
      return { kind: 'info', title: 'Stopped' };
    case 'truncated':
      return { kind: 'warn', title: 'The answer was cut off', cause: 'It reached the limit on the length of an answer.' };
    case 'budget_exhausted':
      return { kind: 'warn', title: BUDGETS[outcome.budget ?? ''] ?? 'A limit of the turn was reached' };
    default:
      return null;
  }
}
