import { Durations, percent } from './durations';
import type { ProductionReport, ReportLine } from './production-report';
import { csvCell, render } from './report-formats';

const line = (given: Partial<ReportLine>): ReportLine =>
  ({ signal_type: 'demo', produced: 3, failed: 1, yield_percent: 75, ...given }) as ReportLine;
const report = {
  ...{ title: 'Production report', from: null, to: '2026-01-25T12:00:00.000Z' },
  types: [line({}), line({ signal_type: 'a|b', produced: 5 })],
  total: line({ signal_type: 'all' }),
} as unknown as ProductionReport;

const textOf = (format: 'markdown' | 'csv'): string => render(report, format) as string;

test('as JSON the report stays as it is', () => {
  expect(render(report, 'json')).toBe(report);
});

test('as Markdown every row has the columns of the heading, and a bar in a name ends no cell', () => {
  const rows = textOf('markdown')
    .split('\n')
    .filter((row) => row.startsWith('|'));
  const cells = rows.map((row) => row.split(/(?<!\\)\|/).length);
  expect(rows).toHaveLength(5);
  expect(new Set(cells).size).toBe(1);
  expect(rows[3]).toContain('| a\\|b | 5 |');
  expect(rows[4]).toContain('| **all** |');
  expect(render(report, 'markdown')).toContain('nothing recorded to 2026-01-25T12:00:00.000Z');
});

test('as CSV it has one line for each type and the total last, each ended by CR LF', () => {
  const text = textOf('csv');
  const lines = text.split('\r\n');
  expect(lines.map((each) => each.split(',')[0])).toEqual(['signal_type', 'demo', 'a|b', 'all', '']);
});

test.each([
  ['demo', 'demo'],
  ['a,b', '"a,b"'],
  ['say "x"', '"say ""x"""'],
  ['two\nlines', '"two\nlines"'],
  ['-5', '-5'],
  // Spreadsheets run cells that begin like a formula.
  ['=1+1', "'=1+1"],
  ['@cmd', "'@cmd"],
  ['+x', "'+x"],
  ['-x', "'-x"],
  ['=a,"b"', `"'=a,""b"""`],
])('the CSV cell of %j is %j', (text, cell) => {
  expect(csvCell(text)).toBe(cell);
});

test.each([
  [0, 0, 0],
  [0, 7, 0],
  [1, 3, 33.333],
  [2, 3, 66.667],
  [3, 3, 100],
])('%i of %i is %d %%', (part, whole, expected) => {
  expect(percent(part, whole)).toBe(expected);
});

describe('durations', () => {
  const of = (...values: number[]): Durations => {
    const durations = new Durations();
    for (const ms of values) durations.add(ms);
    return durations;
  };

  test('without a value all figures are 0', () => {
    expect(of().figures()).toEqual({ avg_ms: 0, p50_ms: 0, p95_ms: 0, p99_ms: 0, max_ms: 0 });
  });

  test.each([0.001, 1, 50, 30_000, 172_800_000])('one value of %d ms is every figure', (ms) => {
    const figures = Object.values(of(ms).figures());
    for (const figure of figures) expect(Math.abs(figure - ms) / ms).toBeLessThan(0.002);
  });

  test('negative values count as 0, and those beyond two days as two days', () => {
    expect(of(-5).figures().max_ms).toBe(0);
    expect(of(1e12).figures().max_ms).toBe(48 * 3_600_000);
  });

  test('no percentile exceeds the largest value', () => {
    const figures = of(1, 2, 1_234.567).figures();
    expect(figures.max_ms).toBe(1_234.567);
    expect(figures.p99_ms).toBeLessThanOrEqual(figures.max_ms);
    expect(figures.avg_ms).toBe(412.522);
  });

  test('a snapshot brings all figures back, and goes on counting', () => {
    const before = of(1, 20, 300);
    const after = Durations.restore(before.record());
    expect([after.count, after.figures()]).toEqual([3, before.figures()]);
    after.add(5_000);
    expect([after.count, after.figures().max_ms]).toEqual([4, 5_000]);
    expect(after.record().values).not.toBe(before.record().values);
  });
});
