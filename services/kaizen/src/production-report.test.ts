import type { Outcome } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { OutcomeCounts } from './outcome-counts';
import { type ProductionReport, productionReport } from './production-report';
import { csvCell, render } from './report-formats';

const NOW = Date.parse('2026-01-25T12:00:00Z');

function reportOf(outcomes: Partial<Outcome>[]): ProductionReport {
  const counts = new OutcomeCounts();
  for (const given of outcomes) {
    const outcome = sampleOutcome(given);
    counts.add({ outcome, seq: 1, index: 0, timeMs: NOW - 1_000, superseded: false, live: true });
  }
  return productionReport(counts, NOW);
}

const MIXED: Partial<Outcome>[] = [
  { signal_type: 'good', process_ms: 30, wait_ms: 10 },
  { signal_type: 'good', process_ms: 30, wait_ms: 10 },
  { signal_type: 'again', attempt: 2 },
  { signal_type: 'bad', status: 'failed' },
  { signal_type: 'bad' },
  { signal_type: 'idle', status: 'cancelled' },
];

test('types are sorted by yield, then by first-pass yield, the worst first', () => {
  const report = reportOf(MIXED);
  expect(report.types.map((line) => line.signal_type)).toEqual(['bad', 'again', 'good', 'idle']);
  expect(report.types[0]).toMatchObject({ produced: 1, failed: 1, yield_percent: 50 });
  expect(report.types[1]).toMatchObject({ yield_percent: 100, first_pass_yield_percent: 0 });
  expect(report.total).toMatchObject({ produced: 4, failed: 1, yield_percent: 80, cancelled: 1 });
  expect(report.from).toBe('2026-01-25T11:59:59.000Z');
});

test('flow efficiency is the share of work in work and waiting', () => {
  const good = reportOf(MIXED).types.find((line) => line.signal_type === 'good');
  expect(good).toMatchObject({ flow_efficiency_percent: 75, work_avg_ms: 30, wait_avg_ms: 10 });
});

test('markdown: one row for each type and one for the total, with equal numbers of cells', () => {
  const lines = (render(reportOf(MIXED), 'markdown') as string).trimEnd().split('\n');
  const table = lines.filter((line) => line.startsWith('|'));
  expect(lines[0]).toBe('# Production report');
  expect(table).toHaveLength(2 + 4 + 1);
  expect(new Set(table.map((line) => line.split(' | ').length)).size).toBe(1);
  expect(table[2]).toContain('| bad | 1 | 1 | 50 |');
  expect(table.at(-1)).toContain('**all types**');
});

test('csv: a header, one row for each type and one for the total', () => {
  const rows = (render(reportOf(MIXED), 'csv') as string).split('\r\n');
  expect(rows[0]).toMatch(/^signal_type,produced,failed,yield_percent,first_pass_yield_percent,/);
  expect(rows[1]).toMatch(/^bad,1,1,50,50,/);
  expect(rows).toHaveLength(1 + 4 + 1 + 1);
  expect(rows.at(-1)).toBe('');
});

test.each([
  ['plain', 'plain'],
  ['a,b', '"a,b"'],
  ['say "no"', '"say ""no"""'],
  ['two\nlines', '"two\nlines"'],
  ['=1+1', "'=1+1"],
  ['-5', '-5'],
])('csv cell %j becomes %j', (text, cell) => expect(csvCell(text)).toBe(cell));

test('an empty report says in every format that nothing was recorded', () => {
  const report = reportOf([]);
  expect(render(report, 'json')).toMatchObject({ from: null, types: [], total: { produced: 0 } });
  expect(render(report, 'markdown')).toContain('nothing recorded');
});
