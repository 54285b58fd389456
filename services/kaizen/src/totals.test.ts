import type { Outcome } from '@tps/contracts';
import { parseKaizenSnapshot } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { Totals } from './totals';

const NOW = Date.parse('2026-01-25T12:00:00Z');
const LOG = { created: '2026-01-25T11:00:00Z', lastSeq: 0 };
const NEXT_LOG = '2026-01-25T12:30:00Z';

interface Stored {
  seq: number;
  index?: number;
  timeMs?: number;
  outcome?: Partial<Outcome>;
}

function take(totals: Totals, stored: Stored[]): void {
  for (const { seq, index = 0, timeMs = NOW + seq * 1_000, outcome } of stored) {
    totals.take({ outcome: sampleOutcome(outcome), seq, index, timeMs, superseded: false, live: true });
  }
}

function opened(): Totals {
  const totals = new Totals();
  totals.startIn(LOG);
  return totals;
}

/** The totals of a process that starts from the snapshot, after the way of the snapshot through JSON. */
function restarted(
  totals: Totals,
  log: { created: string; lastSeq: number },
): { next: Totals; from: number } {
  const text = JSON.stringify(totals.snapshot(1));
  const next = new Totals(parseKaizenSnapshot({ json: () => JSON.parse(text) as unknown }));
  return { next, from: next.startIn(log) };
}

test('a start without a snapshot counts the whole log', () => {
  const totals = new Totals();
  expect(totals.startIn({ ...LOG, lastSeq: 9 })).toBeLessThanOrEqual(1);
});

test('a start from a snapshot has the same figures and windows', () => {
  const totals = opened();
  take(totals, [
    { seq: 1, outcome: { process_ms: 12.5, wait_ms: 3_600_000 } },
    { seq: 1, index: 1, outcome: { status: 'failed', fingerprint: 'boom', signal_type: 'report' } },
    { seq: 2, outcome: { status: 'rejected', error_class: 'rejected' } },
    { seq: 3, outcome: { status: 'retrying', final: false } },
  ]);
  const { next } = restarted(totals, { ...LOG, lastSeq: 3 });
  expect(next.counts.board(3, NOW)).toEqual(totals.counts.board(3, NOW));
  expect(next.losses.byType(NOW)).toEqual(totals.losses.byType(NOW));
  expect(next.snapshot(1)).toEqual(totals.snapshot(1));
});

test.each<[string, { created: string; lastSeq: number }, Stored[], number]>([
  [
    'messages before the place are not counted again',
    { ...LOG, lastSeq: 3 },
    [{ seq: 1 }, { seq: 2 }, { seq: 2, index: 1 }],
    3,
  ],
  [
    'messages behind the place count',
    { ...LOG, lastSeq: 4 },
    [{ seq: 2, index: 1 }, { seq: 3 }, { seq: 3, index: 1 }],
    5,
  ],
  ['a log that was cut takes nothing away', { ...LOG, lastSeq: 90 }, [{ seq: 90 }], 4],
  [
    'a log that replaced the counted one adds to the totals',
    { created: NEXT_LOG, lastSeq: 2 },
    [
      { seq: 1, timeMs: NOW + 60_000 },
      { seq: 2, timeMs: NOW + 61_000 },
    ],
    5,
  ],
  [
    'a log that was set back counts what is stored later',
    { ...LOG, lastSeq: 1 },
    [{ seq: 1 }, { seq: 2, timeMs: NOW + 60_000 }],
    4,
  ],
])('%s', (_behaviour, log, stored, processed) => {
  const totals = opened();
  take(totals, [{ seq: 1 }, { seq: 2 }, { seq: 2, index: 1 }]);
  const { next } = restarted(totals, log);
  take(next, stored);
  expect(next.counts.total.processed).toBe(processed);
  expect(next.counts.sinceMs).toBe(NOW + 1_000);
});

test('a log that is set back while it is followed is not counted twice', () => {
  const totals = opened();
  take(totals, [{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
  totals.begin({ created: LOG.created, replaced: true });
  take(totals, [{ seq: 1 }]);
  const { next } = restarted(totals, { ...LOG, lastSeq: 2 });
  take(next, [{ seq: 2 }, { seq: 3, timeMs: NOW + 60_000 }]);
  expect(next.counts.total.processed).toBe(4);
});

test('a snapshot of another version or shape is refused', () => {
  const snapshot = opened().snapshot(1);
  const read = (value: object): unknown => parseKaizenSnapshot({ json: () => value });
  expect(() => read({ ...snapshot, v: 9 })).toThrow('/v is 9');
  expect(() => read({ ...snapshot, total: {} })).toThrow('/total/succeeded is missing');
});
