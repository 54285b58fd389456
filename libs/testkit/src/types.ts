import type { Retirement, TypeRecord } from '@tps/contracts';

/**
 * Builds the record of a type, as a worker announces it.
 * @param given the fields that matter to the test
 */
export function sampleType(name: string, given: Partial<TypeRecord> = {}): TypeRecord {
  const retry = { max_attempts: 3, base_ms: 200, cap_ms: 30_000 };
  return { v: 1, name, timeout_ms: 30_000, retry, registered_at: '2026-01-25T12:00:00.000Z', ...given };
}

/**
 * Builds a completed retirement.
 * @param given the fields that matter to the test
 */
export function sampleRetirement(given: Partial<Retirement> = {}): Retirement {
  return {
    ...{ id: 'retirement-1', phase: 'done', by: 'bob', reason: 'replaced' },
    ...{ at: '2026-01-26T12:00:00.000Z', owner: 'kanban-1', lease_until: '2026-01-26T12:00:15.000Z' },
    ...given,
  };
}
