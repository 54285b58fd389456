import type { AndonCall, StopRecord } from './andon';

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
  /** Of the latest failure that stopped it. */
  fingerprint?: string;
  /** Names the time since the line last ran, for people who acknowledge or resume it. */
  andon_id?: string;
  /** The same defect in several signals: no trial starts the line again, only a person does. */
  latch?: { fingerprint: string; signals: number };
  /** The line stopped because all of these failed; without them, a trial that fails at a dependency decides nothing. */
  dependencies?: string[];
  /** Outcomes up to this position in the log are accounted for. */
  log_seq: number;
  /** Latest stops as [from, to]; `to` is absent while stopped. A waiting signal's deadline stands still in them. */
  stops: Stop[];
}

/** One time a line stood still. */
export type Stop = [from: string, to?: string];

export type CircuitState = 'Closed' | 'HalfOpen' | 'Open';

export function circuitState(record: CircuitRecord | undefined, nowMs: number): CircuitState {
  if (!record || record.state === 'closed') return 'Closed';
  if (record.latch) return 'Open';
  return record.until && Date.parse(record.until) > nowMs ? 'Open' : 'HalfOpen';
}

/** A person stopped the line, or called and got no answer in time. */
export function isStopped(record: StopRecord | undefined, nowMs: number): boolean {
  const call = record?.call;
  return call !== undefined && (call.mode === 'stop' || isUnanswered(call, nowMs));
}

/** Nobody acknowledged the call in time. */
export function isUnanswered({ respond_by, acknowledged_at }: AndonCall, nowMs: number): boolean {
  return respond_by !== undefined && acknowledged_at === undefined && Date.parse(respond_by) <= nowMs;
}

/** Since when people have the line stopped; undefined while they have not. */
export function stoppedSince(record: StopRecord | undefined, nowMs: number): string | undefined {
  const [from, to] = record ? (stopsOf(record, nowMs).at(-1) ?? []) : [];
  return to ? undefined : from;
}

/** The state of a line: it runs only if its circuit and the people both allow it. */
export function lineState(
  circuit: CircuitRecord | undefined,
  stop: StopRecord | undefined,
  nowMs: number,
): CircuitState {
  return isStopped(stop, nowMs) ? 'Open' : circuitState(circuit, nowMs);
}

const RANK: Record<CircuitState, number> = { Closed: 0, HalfOpen: 1, Open: 2 };

export function worstState(states: Iterable<CircuitState>): CircuitState {
  let worst: CircuitState = 'Closed';
  for (const state of states) if (RANK[state] > RANK[worst]) worst = state;
  return worst;
}

/** How long a signal that waits since `fromMs` has been held by stops of either kind, in milliseconds. */
export function heldMs(
  circuit: CircuitRecord | undefined,
  stop: StopRecord | undefined,
  fromMs: number,
  nowMs: number,
): number {
  const stops = [...(circuit?.stops ?? []), ...(stop ? stopsOf(stop, nowMs) : [])];
  if (stops.length === 0) return 0;
  const spans = stops.map(([from, to]) => ({
    start: Math.max(Date.parse(from), fromMs),
    end: Math.min(to ? Date.parse(to) : nowMs, nowMs),
  }));
  spans.sort((a, b) => a.start - b.start);
  let held = 0;
  let until = fromMs;
  // A circuit can open while a person has the line stopped: that time counts once.
  for (const { start, end } of spans) {
    held += Math.max(0, end - Math.max(start, until));
    until = Math.max(until, end);
  }
  return held;
}

/** A call that nobody answered stops the line before anyone has written it down. */
function stopsOf({ call, stops }: StopRecord, nowMs: number): Stop[] {
  const unwritten = call?.mode === 'call' && isUnanswered(call, nowMs) ? call.respond_by : undefined;
  return unwritten ? [...stops, [unwritten]] : stops;
}
