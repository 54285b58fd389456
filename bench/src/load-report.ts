import type { Colour, Criterion } from './criteria';
import type { OpenLoopResult } from './open-loop';
import { percentiles } from './percentiles';

/** @param workP99Ms the fleet's own p99_duration_ms, which covers the work alone; null when it did not answer */
export function summary(
  { counts, sent, late, unsent, elapsedMs }: OpenLoopResult,
  workP99Ms: number | null,
): string {
  const { p50, p95, p99, max } = percentiles(counts.latencies);
  const ms = (value: number): string => (Number.isNaN(value) ? '-' : value.toFixed(1));
  const { ok, open, refused } = counts.kinds;
  const others = [...counts.refusals].map(([why, count]) => `${count} x ${why}`).join(', ');
  return [
    '',
    `sent ${sent} in ${(elapsedMs / 1_000).toFixed(1)} s: ${ok} succeeded, ${open} accepted without an outcome yet`,
    `back pressure: ${refused} refused with 429 (no error: the line was full, send them later)`,
    `not accepted: ${others || 'none'}`,
    `latency from the time a signal was due, ms: p50 ${ms(p50)}, p95 ${ms(p95)}, p99 ${ms(p99)}, max ${ms(max)}`,
    `work alone, from /metrics of the fleet: p99_duration_ms ${workP99Ms ?? '-'}`,
    ...(late > 0 ? [`${late} were sent more than 5 ms late: the driver or the machine was too slow`] : []),
    ...(unsent > 0 ? [`${unsent} were never sent: too many were outstanding`] : []),
    '',
  ].join('\n');
}

export function criteriaTable(criteria: readonly Criterion[], worst: Colour): string {
  const lines = criteria.map(
    ({ name, value, colour, limits }) =>
      `${paint(colour, colour.toUpperCase().padEnd(6))}  ${name.padEnd(16)} ${value.padEnd(28)} (${limits})`,
  );
  return [...lines, '', `result: ${paint(worst, worst.toUpperCase())}`].join('\n');
}

const ANSI: Record<Colour, number> = { green: 32, yellow: 33, red: 31 };

function paint(colour: Colour, text: string): string {
  return process.stdout.isTTY ? `\x1b[${ANSI[colour]}m${text}\x1b[0m` : text;
}
