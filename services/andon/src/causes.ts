import { type AndonCall, type CircuitRecord, type Colour, isOpen, type StopRecord } from '@tps/contracts';
import type { CallCause } from './call-transitions';
import type { Light } from './light';

const HOUR_MS = 3_600_000;
/** Openings of the circuit within an hour that call a person. */
const REPEATED = 3;
/** The figures of a line cover five minutes: it stays RED that long after a person has mended it. */
const FIGURES_MS = 300_000;

/** The facts about one line that decide whether andon calls by itself. */
export interface LineState {
  record: StopRecord | undefined;
  circuit: CircuitRecord | undefined;
  light: Light;
  /** The id under which people acknowledge or resume the line as it is. */
  id: string | undefined;
  /** The colour that the history has last. */
  recordedColour: Colour;
}

/** The limits that the decision depends on. */
export interface CallSettings {
  nowMs: number;
  /** TPS_ANDON_RESPOND_MS */
  respondMs: number;
  /** TPS_ANDON_CALL_AFTER_MS; 0: never. */
  callAfterMs: number;
  /** The id of a call whose line has none, or one that was resumed. */
  spareId: string;
}

/**
 * Decides whether andon calls on a line by itself: at once for a latched circuit or for one that opens again and again, and after a
 * while for anything else that stops the line or makes it RED. Null while a call is open: one is enough.
 */
export function causeOf(state: LineState, settings: CallSettings): CallCause | null {
  if (state.record?.call) return null;
  return circuitCause(state, settings) ?? lastingCause(state, settings);
}

/** A latched circuit stops the line until a person comes; a timed one calls when it opened too often. */
function circuitCause({ circuit, record }: LineState, settings: CallSettings): CallCause | null {
  if (!circuit || !isOpen(circuit)) return null;
  const { andon_id: id, latch, reason, stops } = circuit;
  if (!id || isResumed(record, id)) return null;
  const { nowMs, respondMs } = settings;
  const fixed = { id, by: 'jidoka', respondMs, ...originOf(circuit) };
  if (latch) return { ...fixed, rule: 'defect', reason, mode: 'stop', circuit: circuitMark(circuit)! };
  const resumedMs = lastResumedMs(record) ?? 0;
  const fromMs = Math.max(nowMs - HOUR_MS, resumedMs);
  const openings = stops.filter(([from]) => Date.parse(from) > fromMs).length;
  if (openings < REPEATED) return null;
  const repeated = `stopped ${openings} times within an hour, last: ${reason}`;
  return { ...fixed, rule: 'repeated_stops', reason: repeated, mode: 'call' };
}

/** The circuit is open, or the light is RED, for longer than people can be expected not to know. */
function lastingCause(state: LineState, settings: CallSettings): CallCause | null {
  const { circuit, light, record, id } = state;
  const { nowMs, respondMs, callAfterMs, spareId } = settings;
  if (callAfterMs === 0) return null;
  const isStopped = circuit !== undefined && isOpen(circuit);
  const starts = [
    ...(isStopped ? [Date.parse(circuit.since)] : []),
    ...(light.colour === 'RED' ? [light.sinceMs] : []),
  ];
  const resumedMs = lastResumedMs(record);
  const isDue = starts.some((sinceMs) => nowMs >= dueMs(sinceMs, resumedMs, callAfterMs));
  if (!isDue) return null;
  const seconds = (sinceMs: number): string => `${Math.round((nowMs - sinceMs) / 1_000)} s`;
  const { trace_id } = light;
  return {
    id: id && !isResumed(record, id) ? id : spareId,
    ...(isStopped
      ? {
          rule: 'circuit',
          reason: `the circuit has been open for ${seconds(Date.parse(circuit.since))}: ${circuit.reason}`,
        }
      : { rule: light.rule, reason: `RED for ${seconds(light.sinceMs)}: ${light.reason}` }),
    ...{ by: 'andon', mode: 'call', respondMs, automatic: true },
    ...(isStopped ? originOf(circuit) : trace_id ? { trace_id } : {}),
  };
}

/** A line that was RED before a person resumed it gets the time in which its figures can recover. */
function dueMs(sinceMs: number, resumedMs: number | undefined, callAfterMs: number): number {
  const isAnswered = resumedMs !== undefined && sinceMs <= resumedMs;
  return isAnswered ? resumedMs + FIGURES_MS + callAfterMs : sinceMs + callAfterMs;
}

/** Whether an automatic call ends by itself: its line is no longer RED, and the history says so already. */
export function isOver({ record, circuit, light, recordedColour }: LineState): boolean {
  const call = record?.call;
  if (!call?.automatic || call.acknowledged_at) return false;
  const isStopped = circuit !== undefined && isOpen(circuit);
  return !isStopped && light.colour !== 'RED' && recordedColour !== 'RED';
}

/** The fingerprint and the trace of the failure that opened a circuit. */
export function originOf({
  latch,
  fingerprint,
  trace_id,
}: CircuitRecord): Pick<AndonCall, 'fingerprint' | 'trace_id'> {
  const mark = latch?.fingerprint ?? fingerprint;
  return { ...(mark ? { fingerprint: mark } : {}), ...(trace_id ? { trace_id } : {}) };
}

/**
 * Tells the pauses of an open circuit apart: each failed trial begins another one. Undefined while the circuit is
 * closed. The grant of a trial and the clock change nothing in it.
 */
export function circuitMark(circuit: CircuitRecord | undefined): string | undefined {
  if (!circuit || !isOpen(circuit)) return undefined;
  const pauses = [circuit.until, circuit.failed_before?.until].filter((until) => until !== undefined);
  return circuit.latch ? 'latched' : (pauses.sort().at(-1) ?? 'open');
}

function isResumed(record: StopRecord | undefined, id: string): boolean {
  return record?.resolved.some((call) => call.id === id) ?? false;
}

function lastResumedMs(record: StopRecord | undefined): number | undefined {
  const last = record?.resolved.at(-1)?.resumed_at;
  return last === undefined ? undefined : Date.parse(last);
}
