/**
 * The circuit of one signal type, as `tps_circuits` holds it. jidoka writes it, by compare-and-set; everybody reads.
 *
 * A stopped circuit becomes half-open by the clock alone: from `until` on, one trial at a time may run. Nothing is
 * written for that, so every reader sees it at the same moment and a dead jidoka delays nobody's view.
 */
export interface CircuitRecord {
  v: number;
  signal_type: string;
  state: 'closed' | 'open';
  /** Grows with every trial and transition; only the outcome that carries the current epoch decides. */
  epoch: number;
  reason: string;
  since: string;
  /** Open: no trial before this. */
  until?: string;
  /** Length of the present pause; doubles with every failed trial. */
  pause_ms: number;
  trial?: {
    worker_id?: string;
    /** A new signal that was let in so that there is something to try. */
    admitted?: string;
    deadline: string;
  };
  /** The trace that caused the last transition. */
  trace_id?: string;
  /** Outcomes up to this position in the log are accounted for. */
  log_seq: number;
  /** Latest stops as [from, to]; `to` is absent while stopped. A waiting signal's deadline stands still in them. */
  stops: [from: string, to?: string][];
}

export type CircuitState = 'Closed' | 'HalfOpen' | 'Open';

export function circuitState(record: CircuitRecord | undefined, nowMs: number): CircuitState {
  if (!record || record.state === 'closed') return 'Closed';
  return record.until && Date.parse(record.until) > nowMs ? 'Open' : 'HalfOpen';
}

const RANK: Record<CircuitState, number> = { Closed: 0, HalfOpen: 1, Open: 2 };

export function worstState(states: Iterable<CircuitState>): CircuitState {
  let worst: CircuitState = 'Closed';
  for (const state of states) if (RANK[state] > RANK[worst]) worst = state;
  return worst;
}

/** How long a signal that waits since `fromMs` has been held by stops, in milliseconds. */
export function heldMs(record: CircuitRecord | undefined, fromMs: number, nowMs: number): number {
  let held = 0;
  for (const [from, to] of record?.stops ?? []) {
    const start = Math.max(Date.parse(from), fromMs);
    const end = Math.min(to ? Date.parse(to) : nowMs, nowMs);
    if (end > start) held += end - start;
  }
  return held;
}
