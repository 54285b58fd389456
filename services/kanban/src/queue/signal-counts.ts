import type { SignalCounts, WorkerVitals } from '@tps/contracts';

/** What the workers have of one type, by their heartbeats. */
export interface TypeLoad {
  in_flight: number;
  running: number;
  retrying: number;
}

/** Sums what the workers have of a type. A worker of the version before tells only what it claims. */
export function loadOf(workers: readonly WorkerVitals[], type: string): TypeLoad {
  const load = { in_flight: 0, running: 0, retrying: 0 };
  for (const { in_flight, running, retrying, in_hand } of workers) {
    load.in_flight += (in_flight ?? in_hand)[type] ?? 0;
    load.running += (running ?? in_hand)[type] ?? 0;
    load.retrying += retrying?.[type] ?? 0;
  }
  return load;
}

/**
 * Counts every unfinished signal of a type once. The broker counts a released signal as in progress until it is
 * delivered again, so the heartbeats say what workers have, and whose backoff is not over. They are up to a second old:
 * where both differ, the broker's total stands.
 */
export function countSignals(
  { waiting, in_progress }: { waiting: number; in_progress: number },
  load: TypeLoad,
  stopped: boolean,
): SignalCounts {
  const in_flight = Math.min(in_progress, load.in_flight);
  const released = in_progress - in_flight;
  const retrying = stopped ? 0 : Math.min(released, load.retrying);
  const rest = waiting + released - retrying;
  return {
    queued: stopped ? 0 : rest,
    held: stopped ? rest : 0,
    retrying,
    in_flight,
    running: Math.min(in_flight, load.running),
  };
}
