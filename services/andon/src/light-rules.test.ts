import { sampleCall } from '@tps/testkit';
import { assess, type Assessment, worst } from './assessment';
import { fineReason, LINE_RULES, type LineFacts, STATION_RULES } from './light-rules';
import { sampleFacts } from './line-facts.fixture';
import type { StationFacts } from './station-facts';

const facts = (given: Partial<LineFacts> = {}): LineFacts => sampleFacts({ standard_ms: 200, ...given });
const assessLine = (given: LineFacts): Assessment => assess(LINE_RULES, given, 'fine');
const assessStation = (given: Partial<StationFacts>): Assessment =>
  assess(
    STATION_RULES,
    {
      service: 'kanban',
      up: true,
      replicas: 1,
      settled: true,
      unready: 0,
      lost: 0,
      dead_percent: 0,
      ...given,
    },
    'fine',
  );

test.each<[what: string, given: Partial<LineFacts>, colour: string, rule: string]>([
  ['nothing wrong', {}, 'GREEN', 'within_limits'],
  ['error rate below 1 %', { failed: 0, error_rate: 0.99 }, 'GREEN', 'within_limits'],
  ['error rate of 1 %', { failed: 1, error_rate: 1 }, 'YELLOW', 'error_rate'],
  ['error rate of 5 %', { failed: 5, error_rate: 5 }, 'YELLOW', 'error_rate'],
  ['error rate above 5 %', { failed: 6, error_rate: 6 }, 'RED', 'error_rate'],
  ['too few for a rate', { processed: 19, failed: 19, error_rate: 100 }, 'GREEN', 'within_limits'],
  ['just enough for a rate', { processed: 20, failed: 20, error_rate: 100 }, 'RED', 'error_rate'],
  ['p99 below 200 ms', { p99_ms: 199 }, 'GREEN', 'within_limits'],
  ['p99 of 200 ms', { p99_ms: 200 }, 'YELLOW', 'p99'],
  ['p99 of 500 ms', { p99_ms: 500 }, 'YELLOW', 'p99'],
  ['p99 above 500 ms', { p99_ms: 501 }, 'RED', 'p99'],
  ['slow, but within its own standard', { p99_ms: 900, standard_ms: 1_000 }, 'GREEN', 'within_limits'],
  ['slower than its own standard', { p99_ms: 25, standard_ms: 20 }, 'YELLOW', 'p99'],
  ['much slower than its own standard', { p99_ms: 51, standard_ms: 20 }, 'RED', 'p99'],
  ['open circuit', { circuit: 'Open' }, 'RED', 'circuit'],
  ['half-open circuit', { circuit: 'HalfOpen' }, 'YELLOW', 'circuit'],
  ['no worker', { served: false }, 'RED', 'no_worker'],
  ['a host that fails', { failing: ['a.test:80'] }, 'YELLOW', 'dependency'],
  ['a handler that ignores its AbortSignal', { deaf: 1 }, 'YELLOW', 'deaf'],
  ['a latched circuit', { circuit: 'Open', latched: true }, 'RED', 'defect'],
  ['a call', { call: sampleCall() }, 'YELLOW', 'cord'],
  ['a stop by a person', { call: sampleCall({ mode: 'stop' }), stopped: true }, 'RED', 'cord'],
  [
    'a call that nobody answered',
    { call: sampleCall({ respond_by: '2026-01-25T12:00:00.000Z' }), stopped: true },
    'RED',
    'unanswered',
  ],
  ['a call for repeated stops', { call: sampleCall({ rule: 'repeated_stops' }) }, 'YELLOW', 'repeated_stops'],
  ['an automatic call', { call: sampleCall({ automatic: true }) }, 'GREEN', 'within_limits'],
  [
    'an automatic call that somebody looks after',
    { call: sampleCall({ automatic: true, owner: 'bob' }) },
    'YELLOW',
    'cord',
  ],
  ['the worst wins', { circuit: 'HalfOpen', p99_ms: 501 }, 'RED', 'p99'],
  ['the first of equals is named', { failed: 6, error_rate: 6, p99_ms: 501 }, 'RED', 'error_rate'],
])('%s', (_, given, colour, rule) => expect(assessLine(facts(given))).toMatchObject({ colour, rule }));

test('a type without a standard time is not judged by the time of its work, and its line says so', () => {
  const { standard_ms: _none, ...unknown } = facts({ p99_ms: 9_999 });
  expect(assessLine(unknown)).toMatchObject({ colour: 'GREEN', rule: 'within_limits' });
  expect(fineReason(unknown)).toContain('no standard time');
  expect(fineReason(facts())).toBe('all within limits');
});

test.each<[what: string, given: Partial<LineFacts>, left: Record<string, number>]>([
  ['p99', { p99_ms: 501 }, { p99_ms: 400 }],
  ['error_rate', { failed: 6, error_rate: 5.1 }, { failed: 4, error_rate: 4 }],
])('RED by %s is left below 80 %% of its threshold', (rule, given, left) => {
  const shown = { colour: 'RED', rule } as const;
  const figures = Object.entries(left);
  const between = Object.fromEntries(figures.map(([name, value]) => [name, value * 1.01]));
  expect(assessLine(facts(given)).colour).toBe('RED');
  expect(assessLine(facts({ ...between, shown })).colour).toBe('RED');
  expect(assessLine(facts({ ...left, shown })).colour).toBe('YELLOW');
  expect(assessLine(facts(between)).colour).toBe('YELLOW');
});

test('a assessment names the trace that caused it', () => {
  const traces = { failure_trace: 'failure', slowest_trace: 'slowest', circuit_trace: 'circuit' };
  expect(assessLine(facts({ ...traces, failed: 9, error_rate: 9 })).trace_id).toBe('failure');
  expect(assessLine(facts({ ...traces, p99_ms: 300 })).trace_id).toBe('slowest');
  expect(assessLine(facts({ ...traces, circuit: 'Open' })).trace_id).toBe('circuit');
  expect(assessLine(facts(traces)).trace_id).toBeUndefined();
});

test('a rate of errors names the dependencies that cause it', () => {
  const rate = { failed: 9, error_rate: 9 };
  expect(assessLine(facts(rate)).reason).toBe('9 of 100 failed (9 %)');
  expect(assessLine(facts({ ...rate, failing: ['a.test:80'] }))).toMatchObject({
    ...{ colour: 'RED', rule: 'error_rate' },
    reason: '9 of 100 failed (9 %); a.test:80 fails and is left alone',
  });
});

test('a missing station is red once there was time to hear from it; jidoka alone stops nothing', () => {
  const gone = { up: false, replicas: 0 };
  expect(assessStation({ replicas: 2 }).colour).toBe('GREEN');
  expect(assessStation(gone)).toMatchObject({ colour: 'RED', rule: 'missing' });
  expect(assessStation({ ...gone, settled: false })).toMatchObject({
    colour: 'GREEN',
    rule: 'within_limits',
  });
  expect(assessStation({ ...gone, service: 'jidoka' })).toMatchObject({ colour: 'YELLOW', rule: 'missing' });
  expect(assessStation({ dead_percent: 79 }).colour).toBe('GREEN');
  expect(assessStation({ dead_percent: 80 })).toMatchObject({ colour: 'YELLOW', rule: 'dead_letters' });
  expect(assessStation({ dead_percent: 98 })).toMatchObject({ colour: 'RED', rule: 'dead_letters' });
  expect(assessStation({ unready: 1 })).toMatchObject({ colour: 'YELLOW', rule: 'not_ready' });
  expect(assessStation({ lost: 1 })).toMatchObject({ colour: 'YELLOW', rule: 'replica_lost' });
  expect(assessStation({ ...gone, lost: 1 })).toMatchObject({ colour: 'RED', rule: 'missing' });
  const idle = { active: false, waiting: 0 };
  expect(assessStation({ backup: idle }).colour).toBe('GREEN');
  for (const backup of [
    { ...idle, active: true },
    { ...idle, waiting: 3 },
  ]) {
    expect(assessStation({ backup })).toMatchObject({ colour: 'YELLOW', rule: 'backup' });
  }
});

test('every rule says in words what gives its colours and what to do first', () => {
  for (const { rule, yellow, red, first } of [...LINE_RULES, ...STATION_RULES]) {
    expect({ rule, first }).toEqual({ rule, first: expect.stringMatching(/\w{3}.*[.?]$/) as string });
    expect(yellow ?? red).toBeTruthy();
  }
});

test('the worst colour', () => {
  expect(worst([])).toBe('GREEN');
  expect(worst(['YELLOW', 'RED', 'GREEN'])).toBe('RED');
});

test.each([
  ['nothing', [], 'GREEN', 'fine'],
  [
    'a bucket whose keys were written again',
    [{ name: 'KV_tps_types', life: 'b', entries: 3 }],
    'YELLOW',
    'NATS lost KV_tps_types (written again)',
  ],
  [
    'keys that nobody wrote again',
    [{ name: 'KV_tps_stops', life: 'b', entries: 2, gone: true as const }],
    'RED',
    'NATS lost KV_tps_stops (2 keys)',
  ],
  [
    'the whole store',
    [
      { name: 'OUTCOMES', life: 'b' },
      { name: 'KANBAN', life: 'b', entries: 12 },
      { name: 'KV_tps_types', life: 'b' },
    ],
    'RED',
    'NATS lost KANBAN (12 entries), KV_tps_types (written again), OUTCOMES',
  ],
])('lost state: %s', (_, lost_state, colour, reason) =>
  expect(assessStation({ lost_state })).toMatchObject({ colour, reason }),
);
