import { CHART, type Outcome } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { type ChartsRecord, LineCharts } from './line-charts';

const NOW = Date.parse('2026-01-25T12:00:05Z');
const STEP = CHART.stepMs;
const agoMs = (steps: number): number => NOW - steps * STEP;

function take(charts: LineCharts, timeMs: number, outcome: Partial<Outcome> = {}, superseded = false): void {
  charts.take({ outcome: sampleOutcome(outcome), timeMs, superseded, seq: 1, index: 0 } as never);
}

test('counts what finished in each step, says what waited where somebody looked, and keeps both in a snapshot', () => {
  const charts = new LineCharts();
  take(charts, agoMs(3), { signal_type: 'drill' });
  take(charts, agoMs(3), { signal_type: 'drill', status: 'failed' });
  take(charts, agoMs(1), { signal_type: 'drill' });
  charts.sample('drill', 7, agoMs(1));
  charts.sample('drill', 4, agoMs(0));
  expect(charts.answer({}, NOW)).toEqual({
    v: 1,
    step_ms: STEP,
    from: '2026-01-25T11:59:30.000Z',
    lines: { drill: { finished: [2, 0, 1, 0], failed: [1, 0, 0, 0], waiting: [null, null, 7, 4] } },
    left_out: 0,
  });
  const restored = new LineCharts();
  restored.restore(JSON.parse(JSON.stringify(charts.record())) as ChartsRecord);
  expect(restored.answer({}, NOW)).toEqual(charts.answer({}, NOW));
});

test('counts neither what was not worked on nor a second outcome of a run', () => {
  const charts = new LineCharts();
  take(charts, NOW, { signal_type: 'drill', status: 'rejected' });
  take(charts, NOW, { signal_type: 'drill', status: 'retrying', final: false });
  take(charts, NOW, { signal_type: 'drill' }, true);
  expect(charts.answer({}, NOW).lines).toEqual({});
});

test('keeps one hour, also across a pause of hours', () => {
  const charts = new LineCharts();
  take(charts, agoMs(1_000), { signal_type: 'drill' });
  take(charts, agoMs(359), { signal_type: 'drill' });
  take(charts, NOW, { signal_type: 'drill' });
  // A late message of a step that the ring has left behind.
  take(charts, agoMs(360), { signal_type: 'drill' });
  const { finished } = charts.answer({}, NOW).lines.drill!;
  expect([finished.length, finished[0], finished.at(-1), finished.reduce((a, b) => a + b)]).toEqual([
    360, 1, 1, 2,
  ]);
  expect(charts.answer({}, NOW + 3_600_000).lines).toEqual({});
});

test('all lines begin with the same step, lines without a figure are absent, and one line can be asked for', () => {
  const charts = new LineCharts();
  take(charts, agoMs(2), { signal_type: 'drill' });
  take(charts, NOW, { signal_type: 'press' });
  charts.sample('idle', 0, NOW);
  const { lines } = charts.answer({}, NOW);
  expect(Object.keys(lines).sort()).toEqual(['drill', 'press']);
  expect(lines.press?.finished).toEqual([0, 0, 1]);
  expect(Object.keys(charts.answer({ type: 'press' }, NOW).lines)).toEqual(['press']);
  charts.keepOnly(new Set(['press']));
  expect(Object.keys(charts.answer({}, NOW).lines)).toEqual(['press']);
});

test('an answer fits into one message, and says how many quiet lines it left out', () => {
  const charts = new LineCharts();
  for (let line = 0; line < 200; line += 1) {
    for (let step = 0; step < 360; step += 1) charts.sample(`line-${line}`, 10_000 + line, agoMs(step));
  }
  const answer = charts.answer({}, NOW);
  expect(answer.left_out).toBe(50);
  expect(answer.lines).not.toHaveProperty('line-0');
  expect(JSON.stringify(answer).length).toBeLessThan(1_000_000);
});
