import type { Outcome } from './outcome';
import type { Signal } from './signal';
import { WIRE_VERSION } from './version';

/** The fields that every outcome has, whatever became of the attempt. */
export type OutcomeBase = Pick<
  Outcome,
  'v' | 'signal_id' | 'run' | 'signal_type' | 'priority' | 'worker_id' | 'enqueued_at' | 'request_hash'
> &
  Partial<Outcome>;

/**
 * Begins the outcome of a signal. Fields are assigned and not spread, because this runs for every signal.
 *
 * @param workerId the instance that writes the outcome
 * @param enqueuedAt when the queue accepted the signal, as ISO 8601
 */
export function outcomeBase(signal: Signal, workerId: string, enqueuedAt: string): OutcomeBase {
  const base: OutcomeBase = {
    v: WIRE_VERSION,
    signal_id: signal.id,
    run: signal.run,
    signal_type: signal.signal_type,
    priority: signal.priority,
    worker_id: workerId,
    enqueued_at: enqueuedAt,
  };
  if (signal.request_hash) base.request_hash = signal.request_hash;
  return base;
}
