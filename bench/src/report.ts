import type { Spread } from './percentiles';
import type { Figure, Row, Split, Summary } from './summary';

const LABELS: Record<Figure, string> = {
  throughput: 'signals/s',
  p50: 'p50 ms',
  p95: 'p95 ms',
  p99: 'p99 ms',
  cpuMs: 'CPU ms per signal',
  rssMiB: 'RSS MiB',
  driverCpuMs: '(driver CPU ms)',
};

/** Renders the result: one block per scenario, with the figures and the CPU of each process. */
export function report({ rows, splits, warnings }: Summary): string {
  const scenarios = [...new Set(rows.map(({ scenario }) => scenario))];
  const blocks = scenarios.map((scenario) => {
    const own = rows.filter((row) => row.scenario === scenario);
    const head = [scenario, 'floor', 'fleet', 'fleet / floor'];
    const lines = table([head, ...own.map(cells)]);
    return [
      ...lines,
      ...splits.filter((split) => split.scenario === scenario).map((split) => `  ${splitLine(split)}`),
    ].join('\n');
  });
  const notes = warnings.map((warning) => `! ${warning}`);
  return [...blocks, ...(notes.length > 0 ? [notes.join('\n')] : [])].join('\n\n');
}

function cells({ figure, floor, fleet, ratio }: Row): string[] {
  return [
    LABELS[figure],
    withRange(floor),
    withRange(fleet),
    figure === 'driverCpuMs' ? '' : withRange(ratio),
  ];
}

/** Lists the CPU of each process, largest first. */
export function splitLine({ system, cpuMs }: Omit<Split, 'scenario'>): string {
  const byCost = Object.entries(cpuMs).sort(([, a], [, b]) => b - a);
  return `CPU ms, ${system}: ${byCost.map(([name, ms]) => `${name} ${ms.toFixed(3)}`).join(', ')}`;
}

export function withRange({ median, min, max }: Spread): string {
  return min === max || Number.isNaN(median)
    ? figure(median)
    : `${figure(median)} [${figure(min)}-${figure(max)}]`;
}

/** Rounds to about three digits: the measurement is no more exact. */
export function figure(value: number): string {
  if (Number.isNaN(value)) return '-';
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** Aligns the first column to the left, and figures to the right. */
function table(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  return rows.map((cells) =>
    cells
      .map((cell, i) =>
        i === 0 ? cell.padEnd(Math.max(32, widths[i]!)) : cell.padStart(Math.max(22, widths[i]!)),
      )
      .join(' ')
      .trimEnd(),
  );
}
