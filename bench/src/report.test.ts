import { figure, report } from './report';

describe('figure', () => {
  test.each([
    [2763.4, '2763'],
    [99.94, '99.9'],
    [1.754, '1.75'],
    [0.048, '0.05'],
    [NaN, '-'],
  ])('%d is %s', (value, text) => {
    expect(figure(value)).toBe(text);
  });
});

test('a report shows both figures, their ratio, and the CPU by process, largest first', () => {
  const scenario = 'open loop, 200/s';
  const text = report({
    rows: [
      {
        scenario,
        figure: 'cpuMs',
        floor: { median: 1.5, min: 1.4, max: 1.6 },
        fleet: { median: 3, min: 3, max: 3 },
        ratio: { median: 2, min: 1.9, max: 2.1 },
      },
    ],
    splits: [{ scenario, system: 'floor', cpuMs: { worker: 0.25, nats: 0.65 } }],
    warnings: ['the machine was busy'],
  });
  expect(text.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['open loop, 200/s', 'floor', 'fleet', 'fleet / floor'],
    ['CPU ms per signal', '1.50 [1.40-1.60]', '3.00', '2.00 [1.90-2.10]'],
    ['', 'CPU ms, floor: nats 0.650, worker 0.250'],
    [''],
    ['! the machine was busy'],
  ]);
});
