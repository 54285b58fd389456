import type { SignalCounts, WorkerVitals } from '@tps/contracts';

/** What the workers have of one type, by their heartbeats. */
export interface TypeLoad {
  in_flight: number;
  running: number;
  retrying: number;
  /** Slots without work in the workers that serve the type. */
  free: number;
}

/** Sums what the workers have of a type. A worker of the version before tells only what it claims. */
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
 * Counts every unfinished signal of a type once. The broker counts a released signal as in progress until it is
 * delivered again, so the heartbeats say what workers have, and whose backoff is not over. They are up to a second old.
 * A signal that they do not explain was delivered since then if a slot and a card were free: a released one would have
 * been delivered at once. Otherwise it waits.
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
