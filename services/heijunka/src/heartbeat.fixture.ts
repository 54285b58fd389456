import type { Heartbeat, WorkerVitals } from '@tps/contracts';

/** A heartbeat of a worker with four idle slots, which serves the type `a`. */
export function workerHeartbeat(instance: string, vitals: Partial<WorkerVitals> = {}): Heartbeat<'worker'> {
  const at = '2026-01-25T12:00:00.000Z';
  return {
    ...{ v: 1, service: 'worker', instance, started_at: at, at, ready: true },
    vitals: { slots: 4, busy: 0, types: ['a'], started: 0, in_hand: {}, deaf: {}, ...vitals },
  };
}
