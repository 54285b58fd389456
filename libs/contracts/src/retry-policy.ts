import { type Static, Type } from '@sinclair/typebox';

/** A timer that is set for longer than 2^31 - 1 milliseconds fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** What a signal type may say of its retries. `TPS_MAX_ATTEMPTS` has the bounds of `max_attempts`. */
export const RETRY_LIMITS = {
  max_attempts: { min: 1, max: 100 },
  base_ms: { min: 0, max: MAX_TIMER_MS },
  cap_ms: { min: 0, max: MAX_TIMER_MS },
} as const;

/**
 * How a failed attempt is retried: the backoff doubles from `base_ms` up to `cap_ms`, with full jitter. Records of earlier
 * versions hold up to 1,000 attempts and stay readable, so the schema has no maximum of them; a worker checks RETRY_LIMITS.
 */
export const RetryPolicy = Type.Object({
  max_attempts: Type.Integer({
    minimum: RETRY_LIMITS.max_attempts.min,
    description: 'Attempts of one run',
  }),
  base_ms: Type.Number({
    minimum: RETRY_LIMITS.base_ms.min,
    maximum: RETRY_LIMITS.base_ms.max,
    description: 'Backoff after the first attempt',
  }),
  cap_ms: Type.Number({
    minimum: RETRY_LIMITS.cap_ms.min,
    maximum: RETRY_LIMITS.cap_ms.max,
    description: 'The longest backoff',
  }),
});
export type RetryPolicy = Static<typeof RetryPolicy>;

/** The policy of a type that says nothing. `TPS_MAX_ATTEMPTS` replaces its number of attempts. */
export const RETRY_DEFAULTS: Readonly<RetryPolicy> = { max_attempts: 3, base_ms: 200, cap_ms: 30_000 };

/**
 * Time from a failed attempt to the next one, in milliseconds.
 *
 * @param attempt the number of the failed attempt, from 1
 * @param random in [0, 1), as `Math.random()`
 */
export function backoffMs({ base_ms, cap_ms }: RetryPolicy, attempt: number, random: number): number {
  return random * Math.min(cap_ms, base_ms * 2 ** (attempt - 1));
}
