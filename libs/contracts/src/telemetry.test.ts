import { METRICS } from './telemetry';

const metrics = Object.values(METRICS).map((facts) => ({ labelNames: [] as readonly string[], ...facts }));

test('each metric has a name of its own, in the form of Prometheus, and says what it is', () => {
  expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length);
  for (const { name, help } of metrics) {
    expect(name).toMatch(/^tps_[a-z]+(_[a-z]+)*$/);
    expect(help.length).toBeGreaterThan(10);
  }
});

test('no label has a value of its own for each signal, caller or process', () => {
  const labels = new Set(metrics.flatMap(({ labelNames }) => labelNames));
  const few = [
    'signal_type',
    'status',
    'priority',
    'state',
    'line',
    'acknowledged',
    'result',
    'host',
    'cause',
  ];
  expect([...labels].filter((label) => ![...few, 'method', 'route'].includes(label))).toEqual([]);
});
