import { judgeLine, judgeStation, type LineFacts, worst } from './rules';

const facts = (given: Partial<LineFacts> = {}): LineFacts => ({
  processed: 100,
  failed: 0,
  error_rate: 0,
  p99_ms: 50,
  circuit: 'Closed',
  served: true,
  ...given,
});

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
  ['the worst wins', { circuit: 'HalfOpen', p99_ms: 501 }, 'RED', 'p99'],
  ['the first of equals is named', { failed: 6, error_rate: 6, p99_ms: 501 }, 'RED', 'error_rate'],
])('%s', (_, given, colour, rule) => expect(judgeLine(facts(given))).toMatchObject({ colour, rule }));

test('a verdict names the trace that caused it', () => {
  const traces = { failure_trace: 'failure', slowest_trace: 'slowest', circuit_trace: 'circuit' };
  expect(judgeLine(facts({ ...traces, failed: 9, error_rate: 9 })).trace_id).toBe('failure');
  expect(judgeLine(facts({ ...traces, p99_ms: 300 })).trace_id).toBe('slowest');
  expect(judgeLine(facts({ ...traces, circuit: 'Open' })).trace_id).toBe('circuit');
  expect(judgeLine(facts(traces)).trace_id).toBeUndefined();
});

test('a missing station is red once there was time to hear from it; jidoka alone stops nothing', () => {
  const gone = { up: false, replicas: 0, settled: true };
  expect(judgeStation({ service: 'kanban', up: true, replicas: 2, settled: true }).colour).toBe('GREEN');
  expect(judgeStation({ service: 'kanban', ...gone })).toMatchObject({ colour: 'RED', rule: 'missing' });
  expect(judgeStation({ service: 'kanban', ...gone, settled: false }).colour).toBe('YELLOW');
  expect(judgeStation({ service: 'jidoka', ...gone }).colour).toBe('YELLOW');
});

test('the worst colour', () => {
  expect(worst([])).toBe('GREEN');
  expect(worst(['YELLOW', 'RED', 'GREEN'])).toBe('RED');
});
