import { isFinal, type Outcome, WIRE_VERSION } from '@tps/contracts';

const AT = '2026-01-25T12:00:00.000Z';
let samples = 0;

/** An outcome as a worker writes it, of a signal of its own: a test says only what matters to it. */
export function sampleOutcome(given: Partial<Outcome> = {}): Outcome {
  const status = given.status ?? 'succeeded';
  return {
    v: WIRE_VERSION,
    signal_id: `sample-${(samples += 1)}`,
    run: 0,
    signal_type: 'execute',
    priority: 3,
    status,
    final: isFinal(status),
    attempt: 1,
    success: status === 'succeeded',
    message: status,
    worker_id: 'worker-1',
    enqueued_at: AT,
    started_at: AT,
    finished_at: AT,
    wait_ms: 1,
    process_ms: 50,
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    ...given,
  };
}
