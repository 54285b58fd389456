import { type Bus, type KvView, openView, type Restore } from '@tps/bus';
import {
  type AdmitRequest,
  type AdmitRefusal,
  type CircuitRecord,
  type CircuitState,
  pausedMs,
  isStopped,
  lineState,
  parseStopKey,
  type StopRecord,
} from '@tps/contracts';

/** How a LineView follows its two buckets; `replicas` is used where a bucket does not exist yet. */
export interface LineViewOptions {
  replicas: number;
  onError: (error: unknown) => void;
  /** The owner of either bucket chooses the records to write again after the broker lost it. */
  restoreCircuit?: Restore<CircuitRecord>;
  restoreStop?: Restore<StopRecord>;
}

const RAMP_STEP_MS = 500;
const RAMP_MS = 3_000;
const SOON_MS = 1_000;
/** Nobody knows when a person will start the line again. */
const PERSON_MS = 10_000;

/**
 * Whether each line runs, by its two records: jidoka's circuit and the stop that people or an unanswered call made.
 * Follows both buckets, so it is a look into two maps, and stays at the last known state while the broker is away.
 */
export class LineView {
  private constructor(
    readonly circuits: KvView<CircuitRecord>,
    readonly stops: KvView<StopRecord>,
    private readonly closedMs: ReadonlyMap<string, number>,
    private readonly listeners: Set<(line: string) => void>,
  ) {}

  static async open(bus: Bus, given: LineViewOptions): Promise<LineView> {
    const { replicas, onError, restoreCircuit, restoreStop } = given;
    const closedMs = new Map<string, number>();
    const listeners = new Set<(line: string) => void>();
    const tell = (line: string): void => listeners.forEach((listener) => listener(line));
    const options = { replicas, onError };
    const circuits = await openView(bus, 'circuits', {
      ...options,
      ...(restoreCircuit ? { restore: restoreCircuit } : {}),
      onChange: (type, record) => {
        if (record?.state === 'closed') closedMs.set(type, Date.parse(record.since));
        else closedMs.delete(type);
        tell(type);
      },
    });
    const stops = await openView(bus, 'stops', {
      ...options,
      ...(restoreStop ? { restore: restoreStop } : {}),
      onChange: tell,
    });
    return new LineView(circuits, stops, closedMs, listeners);
  }

  /** Calls the listener with each line whose circuit or stop is written from now on. */
  onChange(listener: (line: string) => void): void {
    this.listeners.add(listener);
  }

  /** Signal types that ever had a circuit or a stop. */
  known(): string[] {
    const types = this.stops.keys().filter((key) => parseStopKey(key).kind === 'type');
    return [...new Set([...this.circuits.keys(), ...types])];
  }

  circuit(type: string): CircuitRecord | undefined {
    return this.circuits.get(type);
  }

  stop(type: string): StopRecord | undefined {
    return this.stops.get(type);
  }

  state(type: string, nowMs = Date.now()): CircuitState {
    return lineState(this.circuits.get(type), this.stops.get(type), nowMs);
  }

  /** Whether a signal may enter as things are: null when it may. On a line that never stopped: a look into two maps. */
  refusal({ signal_type, async }: AdmitRequest, nowMs: number): AdmitRefusal | null {
    const circuit = this.circuits.get(signal_type);
    const call = this.stops.get(signal_type)?.call;
    if (call && this.stopped(signal_type, nowMs)) {
      if (call.intake === 'hold' && async) return null;
      const { reason, id: andon_id } = call;
      return { ok: false, code: 'LINE_STOPPED', reason, retry_after_ms: PERSON_MS, andon_id };
    }
    if (!circuit || circuit.state === 'closed') return null;
    const { latch, reason, until } = circuit;
    // A call on a line that stopped by itself is what people answer.
    const andon_id = call?.id ?? circuit.andon_id;
    const why = { ok: false as const, reason, ...(andon_id ? { andon_id } : {}) };
    if (latch) return { ...why, code: 'LINE_STOPPED', retry_after_ms: PERSON_MS };
    // The line starts again by itself, and what is accepted meanwhile gives it something to try.
    if (async) return null;
    const left = until ? Date.parse(until) - nowMs : 0;
    return { ...why, code: 'CIRCUIT_OPEN', retry_after_ms: Math.max(left, SOON_MS) };
  }

  /** A person stopped it, or a call that nobody answered. */
  stopped(type: string, nowMs = Date.now()): boolean {
    return isStopped(this.stops.get(type), nowMs);
  }

  /**
   * How many signals of a type a worker may have in flight. After its circuit closed that grows step by step: the whole
   * queue at once could be what stopped the line.
   */
  rampLimit(type: string, nowMs: number): number {
    const closed = this.closedMs.get(type);
    if (closed === undefined || nowMs - closed >= RAMP_MS) return Infinity;
    return 2 ** Math.max(0, Math.floor((nowMs - closed) / RAMP_STEP_MS));
  }

  /** How long a signal of this type that waits since `fromMs` has been paused, in milliseconds. */
  pausedMs(type: string, fromMs: number, nowMs: number): number {
    return pausedMs(this.circuits.get(type), this.stops.get(type), fromMs, nowMs);
  }

  /** Why this process may not obey a circuit or a stop now. */
  problems(): string[] {
    return [...this.circuits.problems(), ...this.stops.problems()];
  }

  close(): void {
    this.circuits.close();
    this.stops.close();
  }
}
