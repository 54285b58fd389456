import { isFinal, type Outcome, WIRE_VERSION } from '@tps/contracts';

const AT = '2026-01-25T12:00:00.000Z';
let samples = 0;

/**
 * Builds a succeeded outcome as a worker records it, each of another signal.
 * @param given the fields that matter to the test; `final`, `success` and `message` follow `status` unless they are given
 */
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
