import type { AndonCall } from '@tps/contracts';

/**
 * Builds an open call of a person at the line `execute`.
 * @param given the fields that matter to the test; the others get fixed values
 */
export function sampleCall(given: Partial<AndonCall> = {}): AndonCall {
  return {
    id: 'call-1',
    line: 'execute',
    mode: 'call',
    rule: 'cord',
    reason: 'smells burnt',
    by: 'alice',
    opened_at: '2026-01-25T12:00:00.000Z',
    intake: 'refuse',
    recurrences: 0,
    ...given,
  };
}
