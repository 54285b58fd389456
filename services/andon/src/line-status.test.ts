import type { CircuitRecord } from '@tps/contracts';
import { lineStatus, type LineSources } from './line-status';
import { sampleFacts } from './line-facts.fixture';
import type { LineFacts } from './light-rules';

const NOW = Date.parse('2026-01-25T12:00:00Z');
const at = (ms: number): string => new Date(NOW + ms).toISOString();

const facts = sampleFacts({ p99_ms: 5 });
const open: CircuitRecord = {
  ...{ v: 1, signal_type: 'drill', state: 'open', epoch: 1, reason: 'test', since: at(-1_000) },
  ...{ pause_ms: 30_000, log_seq: 1, stops: [], until: at(29_000) },
};

function status(given: { facts?: Partial<LineFacts> } & Partial<Omit<LineSources, 'facts'>>) {
  const light = {
    colour: 'GREEN',
    rule: 'within_limits',
    reason: 'all within limits',
    since: at(0),
  } as const;
  const sources: LineSources = {
    ...{ light, circuit: 'Closed', record: undefined, refused: 0, kanban: null },
    ...given,
    facts: { ...facts, ...given.facts },
  };
  return lineStatus('drill', sources, NOW);
}

test.each([
  [100, 'all within limits'],
  [20, 'all within limits'],
  [3, 'too few to assess: 3 of 20 signals in 5 minutes'],
  [0, 'nothing finished in the last 5 minutes'],
])('a GREEN line that processed %d signals says "%s"', (processed, reason) => {
  const shown = status({ facts: { processed, failed: processed, error_rate: processed ? 100 : 0 } });
  expect(shown).toMatchObject({ reason, processed_5m: processed, failed_5m: processed, judged_from: 20 });
});

test('a rule that gave a colour keeps its reason, however few signals there were', () => {
  const light = { colour: 'RED', rule: 'circuit', reason: 'circuit Open: 3 failures', since: at(0) } as const;
  expect(status({ light, facts: { processed: 3 } }).reason).toBe('circuit Open: 3 failures');
});

test.each<[string, CircuitRecord | undefined, boolean, string | undefined]>([
  ['an open circuit', open, false, open.until],
  ['a circuit whose pause is over', { ...open, until: at(-1) }, false, undefined],
  ['a latched circuit', { ...open, latch: { fingerprint: 'x', signals: 3 } }, false, undefined],
  ['a closed circuit', { ...open, state: 'closed' }, false, undefined],
  ['a line that people stopped besides', open, true, undefined],
  ['a line that never stopped', undefined, false, undefined],
])('the time of the next trial of %s', (_, record, stopped, next) => {
  expect(status({ record, circuit: 'Open', facts: { stopped } }).next_trial_at).toBe(next);
});

test('the state is one word, and a line without workers does not run', () => {
  expect(status({ facts: { served: false } }).state).toBe('no_worker');
  expect(status({ circuit: 'Open', facts: { served: false } }).state).toBe('stopped');
});

test('the counts of a line are those of kanban', () => {
  const counts = { queued: 0, held: 3, retrying: 0, in_flight: 1, running: 1 };
  const fixed = { cards: 'default', limit: 4, advice: null, holders: {} } as const;
  const lane = {
    type: 'drill',
    priority: 3,
    waiting: 2,
    in_progress: 2,
    cards: 4,
    held: 2,
    oldest_age_ms: 5,
  };
  const kanban: LineSources['kanban'] = {
    ...{ v: 1, queue_depth: 4, buffer: 100, stranded: 0, lanes: { drill_3: lane } },
    types: { drill: { ...fixed, waiting: 2, in_progress: 2, counts } },
    backup: {
      ...{ configured: false, reachable: false, active: false, on_backup: 0, reconciled: 0 },
      duplicates_suppressed: 0,
    },
  };
  expect(status({ kanban })).toMatchObject({
    queue: { waiting: 2, in_progress: 2, held: 3, counts },
    cards: { limit: 4, in_use: 1 },
  });
});
