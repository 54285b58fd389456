import type { AndonCall } from '@tps/contracts';

/** An open call as a person makes it: a test says only what matters to it. */
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
