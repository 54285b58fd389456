import { type Static, Type } from '@sinclair/typebox';

/** A timer that is set for longer than 2^31 - 1 milliseconds fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Bounds of a signal type's retry policy. `TPS_MAX_ATTEMPTS` has those of `max_attempts`. */
export const RETRY_LIMITS = {
  max_attempts: { min: 1, max: 100 },
  base_ms: { min: 0, max: MAX_TIMER_MS },
  cap_ms: { min: 0, max: MAX_TIMER_MS },
  factor: { min: 1, max: 100 },
  jitter: { min: 0, max: 1 },
} as const;

/** Stands for the missing `factor` and `jitter` of a policy: the backoff doubles, and all of it is random. */
const DOUBLING = { factor: 2, jitter: 1 } as const;

/**
 * How a failed attempt is retried: the backoff grows from `base_ms` by `factor` up to `cap_ms`, and `jitter` is the part
 * of it that is random. Records of earlier versions hold up to 1,000 attempts and stay readable, so the schema has no
 * maximum of them; a worker checks RETRY_LIMITS.
 */
export const RetryPolicy = Type.Object({
  max_attempts: Type.Integer({
    minimum: RETRY_LIMITS.max_attempts.min,
    description: 'Attempts of one run',
  }),
  base_ms: Type.Number({
    minimum: RETRY_LIMITS.base_ms.min,
    maximum: RETRY_LIMITS.base_ms.max,
    description: 'Longest backoff after the first attempt',
  }),
  cap_ms: Type.Number({
    minimum: RETRY_LIMITS.cap_ms.min,
    maximum: RETRY_LIMITS.cap_ms.max,
    description: 'The longest backoff',
  }),
  factor: Type.Optional(
    Type.Number({
      minimum: RETRY_LIMITS.factor.min,
      maximum: RETRY_LIMITS.factor.max,
      description: `Each backoff is so many times the one before; ${DOUBLING.factor} if absent`,
    }),
  ),
  jitter: Type.Optional(
    Type.Number({
      minimum: RETRY_LIMITS.jitter.min,
      maximum: RETRY_LIMITS.jitter.max,
      description: `Part of the backoff that is random: 0 none, 1 all of it; ${DOUBLING.jitter} if absent`,
    }),
  ),
});
export type RetryPolicy = Static<typeof RetryPolicy>;

/**
 * The policy of a type that says nothing, for signals whose sender waits for the outcome. `TPS_MAX_ATTEMPTS` replaces its
 * number of attempts.
 */
export const RETRY_DEFAULTS: Readonly<RetryPolicy> = { max_attempts: 3, base_ms: 200, cap_ms: 30_000 };

/**
 * The same for signals that nobody waits for. A dependency that restarts takes seconds to minutes, and a retry within half
 * a second meets it while it is still down. Half of each backoff is fixed, so that 3 attempts span at least 6 s.
 */
export const ASYNC_RETRY_DEFAULTS: Readonly<RetryPolicy> = {
  max_attempts: RETRY_DEFAULTS.max_attempts,
  base_ms: 2_000,
  cap_ms: 300_000,
  factor: 5,
  jitter: 0.5,
};

/**
 * Time from a failed attempt to the next one, in milliseconds.
 *
 * @param attempt the number of the failed attempt, from 1
 * @param random in [0, 1), as `Math.random()`
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: number): number {
  const { base_ms, cap_ms, factor = DOUBLING.factor, jitter = DOUBLING.jitter } = policy;
  // The power of a high attempt is Infinity, and 0 times that is not a number.
  const longest = base_ms === 0 ? 0 : Math.min(cap_ms, base_ms * factor ** (attempt - 1));
  return longest * (1 - jitter + jitter * random);
}
