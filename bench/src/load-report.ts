import type { OpenLoopResult } from './open-loop';
import { percentiles } from './percentiles';
import type { Colour, Criterion } from './verdict';

/** @param workP99Ms the fleet's own p99_duration_ms: the work alone, by its own window */
export function summary(
  { tally, sent, late, unsent, elapsedMs }: OpenLoopResult,
  workP99Ms: number | null,
): string {
  const { p50, p95, p99, max } = percentiles(tally.latencies);
  const ms = (value: number): string => (Number.isNaN(value) ? '-' : value.toFixed(1));
  const { ok, open, refused } = tally.kinds;
  const others = [...tally.refusals].map(([why, count]) => `${count} x ${why}`).join(', ');
  return [
    '',
    `sent ${sent} in ${(elapsedMs / 1_000).toFixed(1)} s: ${ok} succeeded, ${open} accepted with their outcome still open`,
    `back pressure: ${refused} refused with 429 (no error: the line was full, send again later)`,
    `not accepted: ${others || 'none'}`,
    `latency from when a signal was due, ms: p50 ${ms(p50)}, p95 ${ms(p95)}, p99 ${ms(p99)}, max ${ms(max)}`,
    `the work alone, by the fleet's own /metrics: p99_duration_ms ${workP99Ms ?? '-'}`,
    ...(late > 0 ? [`${late} left more than 5 ms late: the driver or the machine was too slow`] : []),
    ...(unsent > 0 ? [`${unsent} never left: too many were outstanding`] : []),
    '',
  ].join('\n');
}

export function verdictTable(criteria: readonly Criterion[], verdict: Colour): string {
  const lines = criteria.map(
    ({ name, value, colour, limits }) =>
      `${paint(colour, colour.toUpperCase().padEnd(6))}  ${name.padEnd(16)} ${value.padEnd(28)} (${limits})`,
  );
  return [...lines, '', `verdict: ${paint(verdict, verdict.toUpperCase())}`].join('\n');
}

const ANSI: Record<Colour, number> = { green: 32, yellow: 33, red: 31 };

function paint(colour: Colour, text: string): string {
  return process.stdout.isTTY ? `\x1b[${ANSI[colour]}m${text}\x1b[0m` : text;
}
