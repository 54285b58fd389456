import { randomBytes } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { namesFor, type Outcome, WIRE_VERSION } from '@tps/contracts';

/** A worker under full load puts about as many outcomes into a message. */
const PER_MESSAGE = 20;
const IN_FLIGHT = 32;

/**
 * Appends outcomes of signals that nobody sent straight to the log, as a worker writes them: faster than a fleet can
 * run as many signals.
 *
 * @returns the ids of the first and the last signal
 */
export async function fillLog(natsUrl: string, count: number): Promise<[first: string, last: string]> {
  const nc = await connect({ servers: natsUrl });
  const js = jetstream(nc);
  const subject = namesFor().subjects.outcomeBatch;
  const startMs = Date.now();
  let next = 0;
  const append = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next = Math.min(count, from + PER_MESSAGE);
      const batch = Array.from({ length: next - from }, (_, i) => outcome(idOf(startMs, from + i)));
      await js.publish(subject, JSON.stringify(batch), { timeout: 20_000 });
    }
  };
  try {
    await Promise.all(Array.from({ length: IN_FLIGHT }, append));
  } finally {
    await nc.close();
  }
  return [idOf(startMs, 0), idOf(startMs, count - 1)];
}

/** A UUID that grows with time and number, as the gateway's ids do. */
function idOf(startMs: number, n: number): string {
  const time = startMs.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

function outcome(id: string): Outcome {
  const at = new Date().toISOString();
  return {
    v: WIRE_VERSION,
    signal_id: id,
    run: 0,
    signal_type: 'noop',
    priority: 3,
    status: 'succeeded',
    final: true,
    attempt: 1,
    success: true,
    message: 'noop succeeded',
    result: {},
    worker_id: 'bench-filler',
    enqueued_at: at,
    started_at: at,
    finished_at: at,
    wait_ms: 1.25,
    process_ms: 0.031,
    // Random as a real one, which no compression makes smaller.
    trace_id: randomBytes(16).toString('hex'),
    level: { lane: 'noop/3', place: 1, card_wait_ms: 0.01 },
  };
}
