import { type Static, Type } from '@sinclair/typebox';
import { type AndonCall, Stop, type StopRecord } from './andon';
import { count, list, ms, oneOf, text, time } from './fields';
import { version } from './version';

/** The states of a circuit, as every API, record and log line spells them. */
const CIRCUIT_STATES = ['Closed', 'HalfOpen', 'Open'] as const;
/** `Closed`: the line runs. `Open`: it stands still. `HalfOpen`: one trial at a time may run. */
export type CircuitState = (typeof CIRCUIT_STATES)[number];
export const CircuitState = oneOf(CIRCUIT_STATES);

/**
 * The circuit of one signal type, as `tps_circuits` holds it under the type's name. jidoka writes it, by
 * compare-and-set; every service reads it.
 *
 * An open circuit becomes half-open by the clock alone: from `until` on, one trial at a time may run. Nothing is
 * written for that, so every reader sees it at the same moment, also while jidoka is away.
 */
export const CircuitRecord = Type.Object({
  v: version(),
  signal_type: text('Signal type'),
  state: oneOf(['closed', 'open']),
  epoch: Type.Integer({
    description: 'Grows with every trial and transition; only an outcome with the current epoch decides',
  }),
  reason: text('Why it is in this state'),
  since: time('Since when it is open or closed'),
  until: Type.Optional(time('Open: no trial before this moment; absent when only a person closes it')),
  pause_ms: ms('Length of the present pause; each failed trial doubles it'),
  trial: Type.Optional(
    Type.Object({
      worker_id: Type.Optional(text('Worker that runs the trial')),
      admitted: Type.Optional(text('Id of a new signal that was let in to have something to try')),
      deadline: time('After this the trial counts as lost'),
      failed_before: Type.Optional(
        Type.Literal(true, {
          description: 'Its signal failed before: a signal that never failed may take the trial from it',
        }),
      ),
    }),
  ),
  failed_before: Type.Optional(
    Type.Object(
      {
        until: time('No trial of such a signal before this moment'),
        pause_ms: ms('Length of the present pause; each failed trial of such a signal doubles it'),
      },
      {
        description:
          'Set by the failed trial of a signal that had failed before: it holds back such signals only, others may be tried',
      },
    ),
  ),
  unfinished: Type.Optional(
    list(
      Type.String(),
      'Ids of the signals whose failures opened it and that have not finished. Open: once the last is gone, a trial may run at once. Closed: other work succeeded, so their failures count no more. Absent: none, or too many to be the cause',
    ),
  ),
  trace_id: Type.Optional(text('Trace that caused the last transition')),
  fingerprint: Type.Optional(text('Fingerprint of the latest failure that opened it')),
  andon_id: Type.Optional(text('The call for people since the line last ran')),
  latch: Type.Optional(
    Type.Object(
      { fingerprint: text('Fingerprint of the defect'), signals: count('Signals that showed it') },
      { description: 'The same defect in several signals: only a person closes it, no trial' },
    ),
  ),
  defects: Type.Optional(
    list(
      Type.Object({
        fingerprint: text('Fingerprint of the defect'),
        signals: list(
          Type.Object({ id: text('Id of the signal'), at: time('When it showed the defect') }),
          'Signals that showed it in the five minutes before the last change',
        ),
      }),
      'Equal defects counted when it last changed, so that the change does not start the count anew. Absent: none',
    ),
  ),
  dependencies: Type.Optional(
    list(
      Type.String(),
      'The line stopped because all of these failed; without them, a trial that fails at a dependency decides nothing',
    ),
  ),
  log_seq: count('Position in OUTCOMES up to which outcomes are accounted for'),
  log: Type.Optional(text('Creation time of the stream OUTCOMES that this position is of')),
  stops: list(Stop, 'The latest stops, oldest first; the deadline of a waiting signal stands still in them'),
});
export type CircuitRecord = Static<typeof CircuitRecord>;

/** Whether the circuit has opened and not closed since. An open circuit may be half-open by now. */
export function isOpen({ state }: CircuitRecord): boolean {
  return state === 'open';
}

/** The state of a circuit at a moment. Without a record the line has never stopped. */
export function circuitState(record: CircuitRecord | undefined, nowMs: number): CircuitState {
  if (!record || !isOpen(record)) return 'Closed';
  return trialFromMs(record, false) > nowMs ? 'Open' : 'HalfOpen';
}

/** How long after the pause only a signal that never failed may be the trial, in milliseconds. */
const GIVE_WAY_MS = 2_000;

/**
 * The moment from which a signal may be the trial of an open circuit, in milliseconds since 1970. A signal that failed
 * before may be what stopped the line, so signals that never failed go first.
 */
export function trialFromMs(
  { until, latch, failed_before }: Pick<CircuitRecord, 'until' | 'latch' | 'failed_before'>,
  failedBefore: boolean,
): number {
  if (latch) return Infinity;
  const fromMs = until ? Date.parse(until) : 0;
  if (!failedBefore) return fromMs;
  return Math.max(fromMs + GIVE_WAY_MS, failed_before ? Date.parse(failed_before.until) : 0);
}

/** Whether a person stopped the line, or called and got no answer in time. */
export function isStopped(record: StopRecord | undefined, nowMs: number): boolean {
  const call = record?.call;
  return call !== undefined && (call.mode === 'stop' || isUnanswered(call, nowMs));
}

/** Whether nobody acknowledged the call in time. */
function isUnanswered({ respond_by, acknowledged_at }: AndonCall, nowMs: number): boolean {
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

/** The worst of several states; `Closed` of none. */
export function worstState(states: Iterable<CircuitState>): CircuitState {
  let worst: CircuitState = 'Closed';
  for (const state of states) {
    if (CIRCUIT_STATES.indexOf(state) > CIRCUIT_STATES.indexOf(worst)) worst = state;
  }
  return worst;
}

/**
 * How long stops of either kind paused a signal that waits since `fromMs`, in milliseconds. Time in which the circuit
 * was open and a person had the line stopped counts once.
 */
export function pausedMs(
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
  let paused = 0;
  let until = fromMs;
  for (const { start, end } of spans) {
    paused += Math.max(0, end - Math.max(start, until));
    until = Math.max(until, end);
  }
  return paused;
}

/** A call that nobody answered stops the line before anyone has written it down. */
function stopsOf({ call, stops }: StopRecord, nowMs: number): Stop[] {
  const unwritten = call?.mode === 'call' && isUnanswered(call, nowMs) ? call.respond_by : undefined;
  return unwritten ? [...stops, [unwritten]] : stops;
}
