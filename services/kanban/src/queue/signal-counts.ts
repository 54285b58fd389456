import type { SignalCounts, WorkerVitals } from '@tps/contracts';

/** The signals of one type that workers have, according to their heartbeats. */
export interface TypeLoad {
  in_flight: number;
  running: number;
  retrying: number;
  /** Slots without work in the workers that serve the type. */
  free: number;
}

/** Sums the signals of a type over all workers. A worker of the previous version reports only its claims. */
export function loadOf(workers: readonly WorkerVitals[], type: string): TypeLoad {
  const load = { in_flight: 0, running: 0, retrying: 0, free: 0 };
  for (const { in_flight, running, retrying, in_hand, slots, busy, types } of workers) {
    load.in_flight += (in_flight ?? in_hand)[type] ?? 0;
    load.running += (running ?? in_hand)[type] ?? 0;
    load.retrying += retrying?.[type] ?? 0;
    if (types.includes(type)) load.free += Math.max(0, slots - busy);
  }
  return load;
}

/** How the broker counts a type, and whether more of it may start. */
export interface TypeBooks {
  waiting: number;
  in_progress: number;
  /** Its cards. */
  limit: number;
  stopped: boolean;
}

/**
 * Counts every unfinished signal of a type once. The broker counts a released signal as in progress until it is delivered
 * again, so the heartbeats of workers tell which signals are in flight and which wait for a retry. Heartbeats are up to a
 * second old: where they differ from the broker, the broker's total stands.
 */
export function countSignals(
  { waiting, in_progress, limit, stopped }: TypeBooks,
  load: TypeLoad,
): SignalCounts {
  const told = Math.min(in_progress, load.in_flight);
  const retrying = stopped ? 0 : Math.min(in_progress - told, load.retrying);
  const room = stopped ? 0 : Math.min(load.free, Math.max(0, limit - told));
  const delivered = Math.min(in_progress - told - retrying, room);
  const in_flight = told + delivered;
  const rest = waiting + in_progress - in_flight - retrying;
  return {
    queued: stopped ? 0 : rest,
    held: stopped ? rest : 0,
    retrying,
    in_flight,
    running: Math.min(in_flight, load.running + delivered),
  };
}
