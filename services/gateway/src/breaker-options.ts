/**
 * Guards calls to other services: a service that fails half of the calls of the last five seconds, at least three, is
 * asked only once a second until it answers. It is the hysteresis between kanban and the backup, so both have the same.
 */
export const BREAKER_OPTIONS = {
  errorThresholdPercentage: 50,
  volumeThreshold: 3,
  rollingCountTimeout: 5_000,
  rollingCountBuckets: 5,
  resetTimeout: 1_000,
  rollingPercentilesEnabled: false,
  enableSnapshots: false,
} as const;
