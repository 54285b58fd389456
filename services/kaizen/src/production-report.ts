import { percent } from './durations';
import type { Tally, TypeTally } from './tally';

/** How one type did. `flow_efficiency_percent` is the share of a signal's time in which work was done on it. */
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
  flow_efficiency_percent: number;
  retried: number;
  rejected: number;
  expired: number;
  cancelled: number;
}

export interface ProductionReport {
  title: string;
  generated_at: string;
  /** The time of the first outcome in it; null when there is none. */
  from: string | null;
  to: string;
  total: ReportLine;
  /** Worst first. */
  types: ReportLine[];
}

export function productionReport(tally: Tally, nowMs: number): ProductionReport {
  const now = new Date(nowMs).toISOString();
  return {
    title: 'Production report',
    generated_at: now,
    from: tally.sinceMs === undefined ? null : new Date(tally.sinceMs).toISOString(),
    to: now,
    total: line('all types', tally.total),
    types: [...tally.types].map(([name, type]) => line(name, type)).sort(worstFirst),
  };
}

function line(signal_type: string, tally: TypeTally): ReportLine {
  const work = tally.work.figures();
  const wait = tally.wait.figures();
  return {
    signal_type,
    produced: tally.succeeded,
    failed: tally.failed,
    // A type that finished nothing has broken nothing either.
    yield_percent: tally.processed === 0 ? 100 : percent(tally.succeeded, tally.processed),
    first_pass_yield_percent: tally.processed === 0 ? 100 : percent(tally.firstPass, tally.processed),
    work_avg_ms: work.avg_ms,
    work_p95_ms: work.p95_ms,
    work_p99_ms: work.p99_ms,
    wait_avg_ms: wait.avg_ms,
    wait_p95_ms: wait.p95_ms,
    wait_p99_ms: wait.p99_ms,
    flow_efficiency_percent: tally.flowEfficiency,
    retried: tally.retried,
    rejected: tally.rejected,
    expired: tally.expired,
    cancelled: tally.cancelled,
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
