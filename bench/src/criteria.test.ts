import { checkCriteria, type Colour, type LoadFacts, worst } from './criteria';

const good: LoadFacts = {
  sent: 1_000,
  unsent: 0,
  kinds: { ok: 1_000, open: 0, refused: 0, stopped: 0, failed: 0 },
  p99Ms: 20,
  circuit: ['Closed', 'Closed', 'Closed', 'Closed'],
  circuitRefusals: 0,
  drainMs: 100,
};

function colourOf(name: string, change: Partial<LoadFacts>): Colour | undefined {
  return checkCriteria({ ...good, ...change }).find((criterion) => criterion.name === name)?.colour;
}

test('a run without errors is green in all criteria', () => {
  expect(checkCriteria(good).map(({ colour }) => colour)).toEqual(['green', 'green', 'green', 'green']);
  expect(worst(checkCriteria(good))).toBe('green');
});

test('the worst criterion decides', () => {
  expect(worst(checkCriteria({ ...good, p99Ms: 300 }))).toBe('yellow');
  expect(worst(checkCriteria({ ...good, p99Ms: 300, drainMs: null }))).toBe('red');
});

describe('error rate', () => {
  const kinds = (change: object): Partial<LoadFacts> => ({ kinds: { ...good.kinds, ...change } });

  test.each([
    [9, 'green'],
    [10, 'yellow'],
    [50, 'yellow'],
    [51, 'red'],
  ])('%d failed of 1000 is %s', (failed, colour) => {
    expect(colourOf('error rate', kinds({ ok: 1_000 - failed, failed }))).toBe(colour);
  });

  test('counts 503 and unsent signals as errors', () => {
    expect(colourOf('error rate', kinds({ ok: 980, stopped: 20 }))).toBe('yellow');
    expect(colourOf('error rate', { unsent: 100 })).toBe('red');
  });

  test('leaves back pressure out of the errors and of the total', () => {
    expect(colourOf('error rate', kinds({ ok: 500, refused: 500 }))).toBe('green');
    expect(colourOf('error rate', kinds({ ok: 490, refused: 500, failed: 10 }))).toBe('yellow');
  });

  test('is red when nothing was accepted', () => {
    expect(colourOf('error rate', kinds({ ok: 0, refused: 1_000 }))).toBe('red');
  });
});

describe('p99_duration_ms', () => {
  test.each([
    [199, 'green'],
    [200, 'yellow'],
    [500, 'yellow'],
    [501, 'red'],
    [NaN, 'red'],
  ])('%d ms is %s', (p99Ms, colour) => {
    expect(colourOf('p99_duration_ms', { p99Ms })).toBe(colour);
  });
});

describe('circuit opened', () => {
  test('is yellow when open for a while, and red when open most of the time', () => {
    expect(colourOf('circuit opened', { circuit: ['Closed', 'Open', 'HalfOpen', 'Closed'] })).toBe('yellow');
    expect(colourOf('circuit opened', { circuit: ['Closed', 'Open', 'HalfOpen', 'Open'] })).toBe('red');
  });

  test('is yellow when refusals reveal a short opening', () => {
    expect(colourOf('circuit opened', { circuitRefusals: 3 })).toBe('yellow');
  });

  test('is not green when the state is unknown', () => {
    expect(colourOf('circuit opened', { circuit: [null, null] })).toBe('yellow');
  });
});

test.each([
  [9_999, 'green'],
  [10_000, 'yellow'],
  [60_000, 'yellow'],
  [null, 'red'],
])('drained after %p ms is %s', (drainMs, colour) => {
  expect(colourOf('queue drained', { drainMs })).toBe(colour);
});
