import { parseLane, type WorkerVitals } from '@tps/contracts';
import type { InFlightSignal } from './in-flight-signal';
import type { Delivery } from './lane-reader';

/** How many signals of each type a worker has, for its heartbeat. */
export type Load = Required<
  Pick<WorkerVitals, 'running' | 'in_flight' | 'retrying' | 'oldest_waiting_ms' | 'since_start_ms'>
>;

/**
 * The signals that this worker released for a retry and whose backoff is not over. Each entry is an unfinished signal,
 * so the queue's buffer bounds their number.
 */
export class Backoffs {
  private dues: { type: string; dueMs: number }[] = [];

  /** Adds a signal that has just been released, if that was for a retry. */
  add({ signal, retryMs }: Pick<InFlightSignal, 'signal' | 'retryMs'>): void {
    if (retryMs) this.dues.push({ type: signal.signal_type, dueMs: Date.now() + retryMs });
  }

  /** The type of each signal that still waits. Forgets those that are due. */
  types(nowMs: number): string[] {
    this.dues = this.dues.filter(({ dueMs }) => dueMs > nowMs);
    return this.dues.map(({ type }) => type);
  }
}

/** Counts the signals that a worker has, by type, and tells how long ago each type moved. */
export function loadOf(has: {
  running: Iterable<InFlightSignal>;
  /** The type of each handler that outlived its attempt. */
  overruns: readonly string[];
  started: Iterable<InFlightSignal>;
  arrived: readonly Delivery[];
  retrying: readonly string[];
  lastStartMs: ReadonlyMap<string, number>;
  nowMs: number;
}): Load {
  const types = (signals: Iterable<InFlightSignal>): string[] =>
    [...signals].map(({ signal }) => signal.signal_type);
  const arrived = has.arrived.map(({ lane }) => parseLane(lane).type);
  return {
    running: tally([...types(has.running), ...has.overruns]),
    in_flight: tally([...types(has.started), ...arrived]),
    retrying: tally(has.retrying),
    oldest_waiting_ms: oldest(has.arrived, has.nowMs),
    since_start_ms: Object.fromEntries([...has.lastStartMs].map(([type, ms]) => [type, has.nowMs - ms])),
  };
}

/** Lanes deliver their oldest signal first, but a type has several lanes. */
function oldest(arrived: readonly Delivery[], nowMs: number): Record<string, number> {
  const ages: Record<string, number> = {};
  for (const { lane, info } of arrived) {
    const { type } = parseLane(lane);
    ages[type] = Math.max(ages[type] ?? 0, nowMs - info.storedAtMs);
  }
  return ages;
}

/** Counts equal names. */
export function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
