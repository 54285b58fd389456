import { percent } from './durations';
import type { OutcomeCounts, TypeCounts } from './outcome-counts';

/** One row of the report: a type, or all together. */
export interface ReportLine {
  signal_type: string;
  produced: number;
  failed: number;
  yield_percent: number;
  first_pass_yield_percent: number;
  work_avg_ms: number;
  work_p95_ms: number;
  work_p99_ms: number;
  wait_avg_ms: number;
  wait_p95_ms: number;
  wait_p99_ms: number;
  /** The share of a signal's time in which a handler worked on it. */
  flow_efficiency_percent: number;
  retried: number;
  rejected: number;
  expired: number;
  cancelled: number;
}

export interface ProductionReport {
  title: string;
  generated_at: string;
  /** When the first outcome was stored; null without outcomes. */
  from: string | null;
  to: string;
  total: ReportLine;
  /** Worst first. */
  types: ReportLine[];
}

export function productionReport(counts: OutcomeCounts, nowMs: number): ProductionReport {
  const now = new Date(nowMs).toISOString();
  return {
    title: 'Production report',
    generated_at: now,
    from: counts.sinceMs === undefined ? null : new Date(counts.sinceMs).toISOString(),
    to: now,
    total: line('all types', counts.total),
    types: [...counts.types].map(([name, type]) => line(name, type)).sort(worstFirst),
  };
}

function line(signal_type: string, counts: TypeCounts): ReportLine {
  const work = counts.work.figures();
  const wait = counts.wait.figures();
  return {
    signal_type,
    produced: counts.succeeded,
    failed: counts.failed,
    // A type without finished signals has no failures either.
    yield_percent: counts.processed === 0 ? 100 : percent(counts.succeeded, counts.processed),
    first_pass_yield_percent: counts.processed === 0 ? 100 : percent(counts.firstPass, counts.processed),
    work_avg_ms: work.avg_ms,
    work_p95_ms: work.p95_ms,
    work_p99_ms: work.p99_ms,
    wait_avg_ms: wait.avg_ms,
    wait_p95_ms: wait.p95_ms,
    wait_p99_ms: wait.p99_ms,
    flow_efficiency_percent: counts.flowEfficiency,
    retried: counts.retried,
    rejected: counts.rejected,
    expired: counts.expired,
    cancelled: counts.cancelled,
  };
}

/** Lowest yield, then lowest first-pass yield, then slowest. */
function worstFirst(a: ReportLine, b: ReportLine): number {
  return (
    a.yield_percent - b.yield_percent ||
    a.first_pass_yield_percent - b.first_pass_yield_percent ||
    b.work_p99_ms - a.work_p99_ms ||
    a.signal_type.localeCompare(b.signal_type)
  );
}
