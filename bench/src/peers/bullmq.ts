import { freePort } from '@tps/testkit';
import { SLOTS } from '../fleet/start';
import { type System, untilServing } from '../system';
import type { Teardown } from '../teardown';
import { startProgram } from './program';
import { startRedis } from './redis-server';

/** Starts BullMQ: a gateway that adds a job and waits for it, a worker, and Redis. */
export async function startBullmq(request: Buffer, teardown: Teardown): Promise<System> {
  const redis = await startRedis(teardown);
  const port = await freePort();
  const worker = startProgram('worker', 'bullmq/worker.mjs', [`${redis.port}`, `${SLOTS}`], teardown);
  const gateway = startProgram('gateway', 'bullmq/gateway.mjs', [`${redis.port}`, `${port}`], teardown);
  await untilServing('BullMQ', port, request);
  return { name: 'bullmq', port, broker: redis.version, processes: [redis, gateway, worker] };
}
